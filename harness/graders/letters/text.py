"""A response about multiple choice as plain text, and what a box of it holds. Pure."""

from __future__ import annotations

import re
import unicodedata

from harness.types import LETTERS

_FONT = (
    r"\\(?:(?:textcolor|colorbox|color)\s*\{[^{}]{0,30}\}"
    r"|(?:boxed|fbox|framebox|text[a-z]{0,8}|math(?:bf|rm|sf|it|tt|bb|cal|frak|normal|bfit)"
    r"|boldsymbol|bm|pmb|emph|underline|mbox|hbox|bf|rm|it|sf|tt|bfseries|rmfamily|sffamily|em"
    r"|tiny|(?:foot)?note(?:size)?|small|normalsize|[lL]arge|LARGE|[hH]uge|(?:display|text)style"
    r"|left|right|[bB]igg?[lr]?|checkmark|(?:black)?square|qed|phantom)(?![a-zA-Z]))"
)
_SPACING = r"\\(?:q?quad|enspace|thinspace|space|hfill|[hv]space\*?\s*\{[^{}]{0,20}\})(?![a-zA-Z])|\\[,;:! ]|~"
_TAG = r"</?(?:b|i|u|p|em|strong|span|code|br|div|mark)\b[^<>\n]{0,80}>"
_BOLD_LETTER = re.compile(
    rf"(?:\*\*|__|<(?:b|strong)>)\s*\(?([{LETTERS}])\)?[.:]?\s*(?:\*\*|__|</(?:b|strong)>)"
    rf"|<([{LETTERS}])>"
)
_DECORATION = re.compile(
    rf"(?=[\\~<*${{}}`#_])(?:{_FONT}|{_SPACING}|{_TAG}|\\[()\[\]]|[*${{}}`#]|(?<!\w)_+|_+(?![\w{{\\]))"
)
_QUOTED = re.compile(r"^[ \t]*>+[ \t]", re.MULTILINE)
_ANSWER_TAG = re.compile(r"<(/?)(?:final_?)?answer>", re.IGNORECASE)
_BLANK_LINES = re.compile(r"[^\S\n]*\n\s*")
_BLANK = re.compile(r"[^\S\n]+")


def plain_text(text: str) -> str:
    """The text without bold, boxes, formulas and fonts; a bold letter becomes "(C)".

    Blanks become one, blank lines go, and letters and signs of full width become plain ones.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    text = _QUOTED.sub("", text)
    text = _ANSWER_TAG.sub(lambda tag: "\n" if tag[1] else " answer: ", text)
    text = _DECORATION.sub(" ", _BOLD_LETTER.sub(lambda bold: f" ({bold[1] or bold[2]}) ", text))
    return _BLANK_LINES.sub("\n", _BLANK.sub(" ", text))


# Boxes. A spacing command becomes a tab and a font or a brace a form feed, because text set apart
# from a letter ("C \quad 5", "E \text{risk}") is the choice's own and "A decrease" is not.

_BOX_SPACING = re.compile(rf"{_SPACING}|\\\\")
_COLON = re.compile(r"\\colon(?![a-zA-Z])")
_BOX_FONT = re.compile(rf"{_FONT}|\\[()\[\]]|[${{}}*#]|(?<![\w}}])_|_(?![\w{{\\])")
_LABEL = r"\s*(?:(?:the\s+)?(?:(?:correct|final|right|best)\s+)?(?:answer|option|choice)s?[\s:=]*(?:is\b\s*)?){0,9}"
_OPEN = r"[(\[\"'“‘`\s]*"
_CLOSE = r"(?:\s*[)\]\"'”’`]{1,3})?"
_HELD = re.compile(
    rf"{_LABEL}(?P<open>{_OPEN})(?P<letter>[{LETTERS}])(?![\w^])(?P<close>{_CLOSE})", re.IGNORECASE
)
_REST = re.compile(
    r"\s*[.!]?\s*✓?\s*"
    r"|\s*[.)].*|\s*:(?![a-j]\s*(?:[:=<>,]|\Z)).*"
    r"|\s*(?:--|[–—]).*|\s*-\s*(?:(?!\s)[\f\t ]*[a-z]{2}|\d[^a-z]*[a-z]{2}).*|[\f ]*-[\f\t]+[a-z]{2}.*"
    r"|\s*(?:[,;|]|\\mid)\s*[a-z]{2}.*|\s+\((?![^)]*,[^a-z]*\))(?:\s*[a-z]{2}|\s*[-+\d]).*|\((?=\f)\s*[a-z]{2}.*"
    r"|[\f ]*\t[\s\"']*(?:[a-z\d]|\((?!\s*[a-z]\s*[,)])).*|[ \t]*\f[\s\"']*(?:\([^)]{2,}\)|[a-z]{2}).*"
    r"|\s+is\s+(?:the\s+)?(?:correct|right|best|true)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_PREDICATE = (
    r"(?:is(?!\s+(?:the\s+)?(?:correct|right|best|true))|are|was|has|must|can|does|will|\w{2,9}creases?|remains?|stays?"
    r"|becomes?|vanish\w*|doubles?|halves|dominates?)\b"
)
_RELATION = re.compile(
    rf"\s*(?:and|or|nor)\b|[ \f]*{_PREDICATE}|.*[,;]\s*\(?[{LETTERS}]\)?\s*[:=]"
    r"|\s*(?:[=<>+*/^_≤≥≈∼]|\\(?:[cl]?dots?|times|to|[rR]ightarrow|approx|simeq|[lg]eq?q?|neq?|ll|gg|[lg]t|sim"
    r"|cong|propto|equiv|pm|mp|div|cup|cap|in|subset\w*|mid|not|over|circ)(?![a-zA-Z]))",
    re.DOTALL,
)
_CHOICE_AFTER_BRACKET = re.compile(r"\s|\\(?:[dt]?frac|sqrt)(?![a-zA-Z])")
_JOINED = re.compile(
    rf"{_CLOSE}(?:\s*(?:,?\s*\b(?:and/or|and|or|nor)\b|[,;/&+|]|:(?=\S)|\\&)\s*|\s+(?=\w\W*\Z))(?:(?:option|choice)\s+)?{_OPEN}"
    rf"(?P<letter>[{LETTERS}])(?=\s*(?:[)\].,;/&+|:\"']|\\&|\Z|(?:and|or|are|both|hold)\b))",
    re.IGNORECASE,
)
_POINTED = re.compile(
    rf"(?!\s*{_OPEN}[{LETTERS}]\b).*(?:(?:→|\\(?:to|[rR]ightarrow|implies|[lL]ongrightarrow))\s*{_OPEN}"
    rf"|\b(?:option|choice)\s+{_OPEN}|(?:[\d\t\f]|[a-z]{{3}})\s+\(\s*)(?P<letter>[{LETTERS}]){_CLOSE}\.?\s*",
    re.IGNORECASE | re.DOTALL,
)


def in_box(content: str) -> frozenset[str]:
    r"""The letters that a box states: one ("C", "C \text{ benzene}"), several ("B, C"), or none.

    A formula in which a letter is a symbol (`E = 5`, `A > B`, `C_6`) states none.
    """
    text = unicodedata.normalize("NFKC", content) if not content.isascii() else content
    text = _BOX_FONT.sub("\f", _BOX_SPACING.sub("\t", _COLON.sub(":", text)))
    text = re.sub(r"^\s*(?:both|either)\b", " ", text, flags=re.IGNORECASE)
    found = _HELD.match(text)
    primed = found and re.search("['’]", found["close"]) and not re.search("['‘`]", found["open"])
    if found is None or primed:
        pointed = _POINTED.fullmatch(text)
        return frozenset((pointed["letter"].upper(),)) if pointed else frozenset()
    letters, end = {found["letter"].upper()}, found.end()
    while another := _JOINED.match(text, end):
        letters.add(another["letter"].upper())
        end = another.end()
    if len(letters) > 1:
        return frozenset(letters)
    bracketed = ")" in found["close"]
    rest = text[end:]
    if _RELATION.match(rest):
        return frozenset()
    if _REST.fullmatch(rest) or (bracketed and _CHOICE_AFTER_BRACKET.match(rest)):
        return frozenset(letters)
    return frozenset()
