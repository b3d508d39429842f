"""Text to tokens: typography and layout go, what carries meaning stays. Linear in the length."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from harness.graders.latex.syntax import Unreadable
from harness.graders.latex.text.spelling import respell
from harness.graders.latex.text.units import UNIT_LETTERS, written_as_unit
from harness.graders.latex.text.vocabulary import FUNCTIONS, UNIT_WORDS

MAX_CHARACTERS = 4000
MAX_TOKENS = 3000


class Token(NamedTuple):
    """One token. `kind`: num, name, cmd, op, text or join; `gap`: white space stands before it."""

    kind: str
    text: str
    gap: bool


_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ", "0123456789+-()ni")
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙ", "0123456789+-()n")
_SUPER_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿⁱ]+")
_SUB_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙ]+")
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_BARRED = re.compile("(?:[0-9]\u0305)+")
_DOTTED = re.compile("([0-9])\u0307")
_COUNTER = re.compile(  # what is counted, in Chinese; but not its words for numbers
    r"(?<=[0-9０-９}])\s*(?:\\text\s*\{\s*)?(?![^}]*[万亿千百十零一二三四五六七八九两半分倍])[\u4e00-\u9fff]{1,6}\s*\}?\Z"
)
_UNICODE = {
    "−": "-", "–": "-", "—": "-", "‐": "-", "‑": "-", "‒": "-", "﹣": "-", "－": "-",
    "×": r"\times ", "·": r"\cdot ", "⋅": r"\cdot ", "∙": r"\cdot ", "•": r"\cdot ", "∗": "*",
    "÷": r"\div ", "⁄": "/", "∕": "/", "±": r"\pm ", "∓": r"\mp ",
    "√": r"\sqrt ", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]",
    "π": r"\pi ", "∞": r"\infty ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ",
    "γ": r"\gamma ", "δ": r"\delta ", "λ": r"\lambda ", "μ": r"\mu ", "φ": r"\phi ",
    "ϕ": r"\phi ", "ω": r"\omega ", "σ": r"\sigma ", "ρ": r"\rho ", "ε": r"\epsilon ",
    "τ": r"\tau ", "ψ": r"\psi ", "Δ": r"\Delta ", "Ω": r"\Omega ", "Γ": r"\Gamma ",
    "≤": r"\le ", "⩽": r"\le ", "≥": r"\ge ", "⩾": r"\ge ", "≠": r"\ne ", "≈": r"\approx ",
    "≡": r"\equiv ", "∼": r"\sim ", "→": r"\to ", "∈": r"\in ", "∉": r"\notin ", "∪": r"\cup ",
    "∩": r"\cap ", "∖": r"\setminus ", "∅": r"\emptyset ", "Ø": r"\emptyset ", "⊂": r"\subset ", "⊆": r"\subseteq ",
    "ℝ": r"\mathbb{R}", "ℤ": r"\mathbb{Z}", "ℕ": r"\mathbb{N}", "ℚ": r"\mathbb{Q}",
    "ℂ": r"\mathbb{C}", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "⌈": r"\lceil ", "⌉": r"\rceil ",
    "⟨": r"\langle ", "⟩": r"\rangle ", "∠": r"\angle ", "△": r"\triangle ", "°": r"^{\circ}",
    "º": r"^{\circ}", "…": r"\ldots ", "⋯": r"\ldots ", "∑": r"\sum ", "∫": r"\int ",
    "′": "'", "’": "'", "\u2061": "", "\u2062": "", "\u2063": ",", "\u2064": "",
    "\u2009": r"\,", "\u202f": r"\,", "\u200a": r"\,", "\u00a0": " ", "\u2007": r"\,",
    "“": '"', "”": '"', "€": r"\text{euros}", "£": r"\text{pounds}", "¢": r"\text{cents}", "％": "%", "，": ",",
    "。": ".", "、": ",", "｡": ".", "､": ",", "₹": r"\text{rupees}", "¥": r"\text{yen}", "；": ";", "：": ":", "（": "(", "）": ")", "𝜋": r"\pi ",
}  # fmt: skip

_FONTS = (
    "text|textbf|textit|textrm|textsf|texttt|textup|textmd|textsl|textnormal|mbox|hbox|mathrm|mathbf"
    "|mathit|mathsf|mathtt|mathnormal|boldsymbol|bm|pmb|symbf|emph|underline|operatorname\\*?"
    "|math(?:ord|op|bin|rel|inner|open|close)|smash"
)
_TOKEN = re.compile(
    rf"""
    (?P<space>(?:[ \t\r\n$~]|\\[,;:!>()\[\] \r\n]|\\q?quad|\\(?:left|right)(?![a-z])\.?
        |\\[bB]igg?[lrm]?(?![a-z])|\\(?:displaystyle|textstyle|scriptstyle|limits|nolimits
        |mathstrut|strut|middle|thinspace|enspace|nonumber|hfill|rm|bf|it)(?![a-zA-Z])
        |\\[hv]space\*?\{{[^{{}}]*\}}|\\tag\*?\{{[^{{}}]*\}}
        |\\(?:color|textcolor|mathcolor|colorbox|label)\{{[^{{}}]*\}})+)
    |(?P<text>\\(?:{_FONTS})\s*\{{(?P<inner>[^{{}}]*)\}})
    |(?P<font>\\(?:{_FONTS})\s*(?=\{{))
    |(?P<num>[0-9]{{1,3}}(?:(?:\{{(?:,|\\,)\}}|\\[,\ ]|,\\!\s?)[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?
        |[0-9]*(?:\.|\{{[.,]\}})[0-9]+(?:[eE][+-]?[0-9]+)?
        |[0-9]+(?:[eE](?:[+-]?[0-9]{{2,}}|[0-9])(?![0-9.])|\.(?![0-9.]))?)
    |(?P<word>[A-Za-z]+)
    |(?P<cmd>\\(?:begin|end)\s*\{{[a-zA-Z]+\*?\}}(?:\{{[lcr|\s]*\}})?|\\[a-zA-Z]+\*?|\\[{{}}%$#&|_])
    |(?P<op>\\\\|\*\*|<=|>=|!=|==|->|\.\.\.+|[-+*/^_=<>()\[\]{{}}|,;:!'&%])
    """,
    re.VERBOSE,
)
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?")

_SECONDS_OF_ARC = re.compile(r"('\s{0,3}[0-9.]{1,9})\s{0,3}\\?\"\Z")

_PLAIN_NAMES = frozenset({"pi", "infty", "infinity", "theta", "alpha", "beta", "gamma", "lambda"})


def clean(text: str) -> str:
    """The text in ASCII where there is one for a sign; invisible marks and wide forms go.

    Raises:
        Unreadable: longer than any answer, or a control character or lone surrogate inside.
    """
    text = text.strip()
    if len(text) > MAX_CHARACTERS:
        raise Unreadable("longer than any answer")
    if not text.isascii():
        text = _to_ascii(text)
    text = _SECONDS_OF_ARC.sub(r"\1''", text) if text.endswith('"') else text
    text = respell(text.strip(' \t\r\n"“”'))
    while text and text[-1] in ".,;:" and not text.endswith(("\\,", "\\;", "\\:", "...")):
        text = text[:-1].rstrip()
    return text[:-1].rstrip() if text.endswith("\\") and not text.endswith("\\\\") else text


def _to_ascii(text: str) -> str:
    text = _SUPER_RUN.sub(lambda run: "^{" + run[0].translate(_SUPERSCRIPTS) + "}", text)
    text = _SUB_RUN.sub(lambda run: "_{" + run[0].translate(_SUBSCRIPTS) + "}", text)
    text = _VULGAR.sub(_vulgar, text)
    text = _BARRED.sub(lambda run: r"\overline{" + run[0].replace("\u0305", "") + "}", text)
    text = _DOTTED.sub(r"\\dot{\1}", text)
    text = _COUNTER.sub("", text)
    return "".join(sign if sign.isascii() else _sign(sign) for sign in text)


def _vulgar(found: re.Match[str]) -> str:
    upper, _, lower = unicodedata.normalize("NFKC", found[0]).partition("⁄")
    return rf"\frac{{{upper}}}{{{lower}}}"


def _sign(sign: str) -> str:
    if sign in _UNICODE:
        return _UNICODE[sign]
    if unicodedata.category(sign) == "Cf":
        return ""
    digit = unicodedata.decimal(sign, None)
    if digit is not None:
        return str(digit)
    return "".join(_UNICODE.get(part, part) for part in unicodedata.normalize("NFKC", sign))


def tokenize(text: str) -> list[Token]:
    """Tokens of a cleaned text.

    Raises:
        Unreadable: a sign that no answer holds, or too many tokens.
    """
    tokens: list[Token] = []
    gap = False
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise Unreadable(f"the sign {text[at]!r}")
        at = found.end()
        kind = found.lastgroup
        if kind == "inner":
            kind = "text"
        if kind in ("space", "font"):
            gap = True
            continue
        if kind == "text":
            unit = _unit(tokens, found["inner"], text, at) if tokens else None
            tokens.extend(
                [Token("text", unit, gap)] if unit else _font(found[0], found["inner"], gap)
            )
        elif kind == "word":
            tokens.extend(_word(found[0], gap))
        elif kind == "num":
            grouped = _GROUPED.match(text, found.start())
            if grouped and not found[0].strip("0123456789"):
                at = grouped.end()
                tokens.append(Token("grouped", grouped[0], gap))
            else:
                tokens.append(Token("num", found[0], gap))
        else:
            tokens.append(Token(str(kind), found[0], gap))
        gap = False
        if len(tokens) > MAX_TOKENS:
            raise Unreadable("too many signs")
    return tokens


_DASHES = ("--", "---")
_BEHIND_A_VALUE = frozenset({"num", "grouped"})
_VALUE_ENDS = frozenset({")", "}", "]", "!", "\\pi", "%", "\\%", "'"})
_UNIT_ENDS = re.compile(
    r"[\s$]*(?:\Z|\^\s*\{?\s*-?\s*[0-9]|[,;)}\]=/.&]|\\[,;: )\]}]|\\(?:text|mathrm|approx|right|quad|qquad|end|cup)"
    r"(?![a-z])|\\cdot\s*\\(?:text|mathrm)|\\\\)"
)
_PRODUCT = re.compile(r"(?:\\(?:(?:cdot|times)(?![a-z])|[,;:! ])|[~*\s])+")


def _unit(tokens: list[Token], content: str, text: str, at: int) -> str | None:
    r"""A unit in upright letters behind a value, or None: `m`, `min`, `m/s^2`, `kg\cdot m`."""
    last = tokens[-1]
    value = last.kind in _BEHIND_A_VALUE or (
        last.kind in ("op", "cmd") and last.text in _VALUE_ENDS
    )
    if not value and last.text in ("\\cdot", "/") and len(tokens) > 1:
        value = tokens[-2].kind == "text"
    if not value and last.kind != "text":
        return None
    unit = _PRODUCT.sub(" ", content).strip()
    if len(unit) == 1:
        if unit not in UNIT_LETTERS:
            return None
    elif not unit.isascii() or len(unit) > _LONGEST_UNIT or not written_as_unit(unit):
        return None
    return unit if _UNIT_ENDS.match(text, at) else None


_LONGEST_UNIT = 40
_LONE_DOLLAR = re.compile(r"(?<!\\)\$|\\[()](?![a-z])")


def _font(command: str, content: str, gap: bool) -> list[Token]:
    """What a font command or \\text holds: a joining word, mathematics, or words."""
    content = _LONE_DOLLAR.sub(" ", content).strip()
    bare = content.strip(" ,")
    if bare in _DASHES:
        raise Unreadable("a dash of prose")
    if bare in ("and", "or"):
        return [Token("join", bare, gap)]
    if bare == "to":
        return [Token("op", ":", gap)]
    if not content:
        return []
    if command.startswith(("\\mathbf", "\\bm", "\\boldsymbol")) and content in ("i", "j", "k"):
        return [Token("name", f"vec {content}", gap)]
    if bare in FUNCTIONS:
        return [Token("cmd", "\\" + FUNCTIONS[bare], gap)]
    if not re.search(r"(?<![A-Za-z\\])[A-Za-z]{2,}", content):
        inner = tokenize(content)
        return [inner[0]._replace(gap=gap), *inner[1:]] if inner else []
    return [Token("text", content, gap)]


def _word(word: str, gap: bool) -> list[Token]:
    """A run of letters in plain text: a name that mathematics knows, else single variables."""
    if word in ("and", "or"):
        return [Token("join", word, gap)]
    if word == "to":
        return [Token("op", ":", gap)]
    if word in _PLAIN_NAMES:
        return [Token("cmd", "\\" + ("infty" if word == "infinity" else word), gap)]
    if word in FUNCTIONS:
        return [Token("cmd", "\\" + FUNCTIONS[word], gap)]
    if word in UNIT_WORDS:
        return [Token("text", word, gap)]
    return [Token("name", letter, gap and at == 0) for at, letter in enumerate(word)]
