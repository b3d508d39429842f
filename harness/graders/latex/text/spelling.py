"""Other spellings of the same signs, rewritten before tokens are read. Linear in the length."""

from __future__ import annotations

import re

from harness.graders.latex.text.notation import common, rewritten, rules
from harness.graders.latex.text.structure_spelling import structures
from harness.graders.latex.text.units import changes_value
from harness.graders.latex.text.vocabulary import FUNCTIONS, GREEK, UNIT_WORDS, names

_FONT = (
    r"\\(?:text(?:bf|it|rm|sf|tt|sc|up|normal)?|mbox|hbox|math(?:bf|it|rm|sf|tt)|underline|emph"
    r"|boldsymbol|bm|operatorname\*?)"
)
_COMMANDS = {
    "\\lparen": "(", "\\rparen": ")", "\\lbrack": "[", "\\rbrack": "]", "\\surd": r"\sqrt ",
    "\\vee": r"\text{ or }", "\\lor": r"\text{ or }", "\\land": r"\text{ and }",
    "\\wedge": r"\text{ and }", "\\degree": r"^{\circ}", "\\textdegree": r"^{\circ}",
    "\\celsius": r"\text{celsius}", "\\degreeCelsius": r"\text{celsius}",
    "\\checkmark": " ", "\\blacksquare": " ", "\\qed": " ",
    "\\cr": r"\\", "\\newline": r"\\", "\\bigcup": r"\cup", "\\textsc": r"\text",
    "\\textdollar": r"\$", "\\mathdollar": r"\$", "\\euro": r"\text{euros}",
    "\\texteuro": r"\text{euros}", "\\pounds": r"\text{pounds}", "\\textsterling": r"\text{pounds}", "\\therefore": " ", "\\ensuremath": " ",
    **{f"\\{size}": " " for size in (
        "tiny", "small", "normalsize", "large", "Large", "LARGE", "huge", "Huge")},
}  # fmt: skip
_COMMAND = re.compile(r"\\[A-Za-z]{2,12}(?![A-Za-z])")
_DISPLAY = re.compile(
    r"\\begin\{((?:align(?:ed)?|equation|gather(?:ed)?|split|displaymath|math)\*?)\}"
    r"(.*)\\end\{\1\}",
    re.DOTALL,
)
_QUOTED = re.compile(r"(\*{1,3}|`{1,2}|')(.*?)(?:\1|'')[.]?", re.DOTALL)
_STATED = (
    r"(?:(?:thus|so|hence|therefore),?\s+)?(?:the\s+)?(?:final\s+|correct\s+)?answer"
    r"(?:\s+is\s*:?|\s*:)"
)
_REWRITINGS = rules(
    ("nswer", rf"\A(?i:{_STATED}(?=[\s$\\])|{_FONT}\{{\s*{_STATED}\s*\}})\s*", ""),
    ("NSWER", rf"\A(?i:{_STATED}(?=[\s$\\])|{_FONT}\{{\s*{_STATED}\s*\}})\s*", ""),
    ("{\\", rf"{_FONT}\s*\{{\s*({_FONT}\s*\{{[^{{}}]*\}})\s*\}}", r"\1"),
    ("{ \\", rf"{_FONT}\s*\{{\s*({_FONT}\s*\{{[^{{}}]*\}})\s*\}}", r"\1"),
    ("{\\", r"\{\\(?:rm|bf|it|sf|tt)\s([A-Za-z ]+)\}", r"\\text{\1}"),
    ("\\", r"\\(?:rm|bf|it|sf|tt)\s*\{([A-Za-z ]+)\}", r"\\text{\1}"),
    # a comma between digits that is kept from being punctuation groups thousands
    ("{,}", r"(?<=[0-9])\{?\\(?:text|math(?:ord|rm))\s*\{,\}\}?(?=[0-9]{3})", "{,}"),
    ("{, }", r"(?<=[0-9])\{, \}(?=[0-9]{3})", "{,}"),
    ("\\!", r"(?<=[0-9])(?:\{,\}\\!|\\!,)(?=[0-9]{3})", "{,}"),
    *(
        (f"{{{sign}}}", rf"(?:\\(?:math(?:bin|rel|ord|punct)|text)\s*)?\{{{re.escape(sign)}\}}", sign)
        for sign in "-+=<>:/"
    ),
    ("\\genfrac", r"\\genfrac\s*(?:\{[^{}]*\}\s*){4}", r"\\frac"),
    ("{}", r"(?<=.)\{\}\Z", ""),
    ("y ", r"\A(?:exactly|only)\s+(?=[-0-9\\$(])", ""),
    ("here ", r"\A\\text\s*\{\s*[Tt]here (?:are|is)(?: exactly)?\s*(-?[0-9][0-9.,]*)\s*\}\Z", r"\1"),
    (" the ", r"(?<=[)\]}0-9])\s+((?:is|are) the (?:only|unique) [a-z ]+)\Z", r"\\text{ \1}"),
    (" only", r"(?<=[)\]}0-9])\s+only\Z", r"\\text{ only}"),
    ("quad", r"(?<![,;&\\])\\q?quad\s*(?=[a-zA-Z]\s*(?:[<>]|\\(?:ge|le|geq|leq|in|neq?)(?![a-z])))", ","),
    ("{", r"\s*\\(?:text|textrm|mathrm|mbox)\s*\{\s*[.,]\s*\}\Z", ""),
    ("total", r"(?<=[0-9}])\s*\\text\s*\{\s*(?:in\s+)?total\s*\}\Z", ""),
    ("here ", r"\A\\text\s*\{\s*[Tt]here (?:are|is)(?: exactly| only)?\s*\}\s*(?=[0-9])", ""),
    ("ive", r"\A(?:\\text\s*\{\s*[Nn]egative\s*\}|[Nn]egative\s)\s*(?=[0-9]|\\[dt]?frac|\\sqrt)", "-"),
    ("inus", r"\A\\text\s*\{\s*[Mm]inus\s*\}\s*(?=[0-9]|\\[dt]?frac|\\sqrt)", "-"),
    ("``", r"\\text\{``([^{}`']*)''\}", r"\\text{\1}"),
    ("\\text{", r"(\\text\{[^{}.]*)\.\s*\}\Z", r"\1}"),
    ("\\\\[", r"\\\\\[[0-9.]{1,5}(?:pt|em|ex|mm|cm)\]", r"\\\\"),
    ("+/-", r"\+/-", r"\\pm "),
    ("U", r"([)\]])\s*U\s*([(\[])", r"\1\\cup \2"),
    ("ption", r"\A(?:\\text\{)?\s*[Oo]ption\s+\(?([A-Z])\)?\s*\}?\Z", r"(\1)"),
    ("hoice", r"\A(?:\\text\{)?\s*[Cc]hoice\s+\(?([A-Z])\)?\s*\}?\Z", r"(\1)"),
    (")", r"\A([A-Z])\)\Z", r"(\1)"),
    ("frac", r"(?<=[0-9])\{(\\[dtc]?frac\s*(?:\{[0-9]+\}|[0-9])\s*(?:\{[0-9]+\}|[0-9]))\}", r"\1"),
    # degrees
    ("\\deg", r"(?<=[0-9}])\s*\\deg(?![A-Za-z])", r"^{\\circ}"),
    ("\\circ", r"\^\{\\text\{\^\{\\circ\}\}\}", r"^{\\circ}"),
    ("{}^", r"\{\}\^", "^"),
    ("o", r"(?<=[0-9])\s*\^(?:o(?![A-Za-z])|\{(?:o|\\(?:text|mathrm)\{o\})\})", r"^{\\circ}"),
    ("\\circ", r"(?<=[0-9])\s*\\circ(?![A-Za-z])", r"^{\\circ}"),
    ("\\ang", r"\\ang\{([0-9.]+)\}", r"\1^{\\circ}"),
    # number bases
    ("base", r"_\{\\text\{\s*base\s*\}\s*([0-9]{1,2})\}", r"_{\1}"),
    ("base", r"_\{\\text\{\s*base\s*([0-9]{1,2})\}\}", r"_{\1}"),
    ("base", r"(?:\\[ ,;:!]|\s){0,3}\\text\{\s*(?:\(\s*|in\s+)?base[\s-]+([0-9]{1,2})\s*\)?\s*\}", r"_{\1}"),
    ("base", r"(?:\\[ ,;:!]|\s){0,3}\(\s*base\s+([0-9]{1,2})\s*\)", r"_{\1}"),
    ("base", r"\bin\s+base\b", "base"),
)  # fmt: skip

_BLANKS = re.compile(r"[ \t\r\n]{2,}")
_IN_TEXT = re.compile(rf"{_FONT}\s*\{{([^{{}}]*(?:\{{[^{{}}]*\}}[^{{}}]*)*)\}}[.]?")
_NUMERIC = re.compile(r"\s*(?:[-−+]?\s*(?:\\?\$\s*)?[.]?[0-9]|\\\(|\$[^$]+\$\s*\Z)")
_NOTE = re.compile(r"([0-9][0-9,.]*)\s*\(([A-Za-z]{4,}(?:[- ][A-Za-z]+){0,5})\)")
_ANSWER_INSIDE = re.compile(rf"\s*{_STATED}\s*[-+0-9\\$]", re.IGNORECASE)
_CONDITION = re.compile(
    r"(?<=[\s,])((?:(?:attained|achieved|reached)\s)?(?:for|if|at|when|whenever|where|with|since|because|given|provided)"
    r"(?:\s(?:all|any|every|each|some|that|the))?(?:\s(?:positive\s|real\s)?(?:integers?|numbers?|reals?))?)(?=\s)"
)
_COUNTED = re.compile(
    r"((?:[0-9][0-9,.]*|[0-9][^A-Za-z]*[0-9}])(?:\s|~|\\[ ,;:])*)([A-Za-z]+(?:[- ][A-Za-z]+){0,5})[.]?"
)


def _unwrapped(text: str) -> str:
    """`\\text{12 apples}` without its command, where the text begins with a number or formula."""
    wrapped = _IN_TEXT.fullmatch(text)
    if wrapped and (_NUMERIC.match(wrapped[1]) or _ANSWER_INSIDE.match(wrapped[1])):
        return wrapped[1].replace("$", "" if "\\$" not in wrapped[1] else "$").strip()
    return text


def _counting(text: str) -> str:
    """`12 apples` as `12 \\text{apples}`: plain words behind a number are no product of variables."""
    bracketed = _NOTE.fullmatch(text)
    if bracketed:
        return f"{bracketed[1]}\\text{{ {bracketed[2]}}}"
    counted = _COUNTED.fullmatch(text)
    if not counted:
        return text
    first = counted[2].partition(" ")[0].casefold()
    spaced = counted[1][-1] not in "0123456789}"
    if changes_value(counted[2]) or first in FUNCTIONS or first in GREEK or first in ("pi", "base"):
        return text
    variables = len(first) < 3 or (len(first) == 3 and first not in _THINGS) or _alphabetical(first)
    if variables and first not in UNIT_WORDS:
        return text
    return f"{counted[1]}\\text{{ {counted[2]}}}" if spaced or first in UNIT_WORDS else text


def _conditions(text: str) -> str:
    """`34 for n = 5` as `34 \\text{for} n = 5`: a word between blanks is no product of variables."""
    found = _CONDITION.search(text)
    if not found or text.count("{", 0, found.start()) > text.count("}", 0, found.start()):
        return text
    return f"{text[: found.start()]}\\text{{ {found[1]} }}{text[found.end() :]}"


_THINGS = names(
    "men pen box way day egg ant cup car bag ten cat dog hen pig cow bus kid boy lbs yen won hrs min sec"
    " deg yds mph bit fox bar pie can job toy fan hat key map pet pin sum one"
)


def _alphabetical(word: str) -> bool:
    return "".join(sorted(set(word))) == word


def respell(text: str) -> str:
    """The text in the spelling that the tokens know; what it does not know stays as it is."""
    quoted = _QUOTED.fullmatch(text)
    text = quoted[2].strip() if quoted else text
    display = _DISPLAY.fullmatch(text)
    if display and "\\\\" not in display[2]:
        text = display[2].replace("&", " ").strip()
    if text.isalnum():
        return common(text) if "C" in text else text
    if "  " in text:
        text = _BLANKS.sub(" ", text)
    if text.startswith("\\"):
        text = _unwrapped(text)
    text = rewritten(structures(common(text)), _REWRITINGS)
    if text[:1].isdigit() and (text[-1].isalpha() or text[-1] in ".)"):
        text = _counting(text)
    if " " in text:
        text = _conditions(text)
    return _COMMAND.sub(lambda found: _COMMANDS.get(found[0], found[0]), text)
