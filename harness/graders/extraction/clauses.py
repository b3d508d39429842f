"""The answer at the start of a clause: a number, a formula or words, up to where a remark begins.

A clause is what follows "the answer is". Formulas in it are masked while words are looked for, so
that no sign inside of them is taken for one of prose.
"""

from __future__ import annotations

import re

from harness.graders.latex.text import units

FORMULA = re.compile(
    r"\$\$(?P<a>[^$]{1,4000})\$\$|(?<!\\)\$(?P<b>[^$]{1,4000}?)(?<!\\)\$"
    r"|\\\((?P<c>.{1,4000}?)\\\)|\\\[(?P<d>.{1,4000}?)\\\]",
    re.DOTALL,
)
_MASK = "\ue000"
NUMBER = re.compile(
    r"(?:\\?[$€£]\s?)?[-−+]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)?(?:\.\d+)?(?<=\d)(?:\s?/\s?\d+)?"
    r"(?:\s?\\?%|\s?％)?(?![\w.,]*[\d^_\\(\[{=<>+*/]|[A-Za-z^_\\(\[{=<>+*/!])"
)
_VALUE_START = re.compile(
    r"[-−+]?\s?\\?[$€£]?\.?\d|[-−+]?\s?(?:\\(?:[dt]?frac|sqrt|pi|left|infty|binom|textbf|mathbf|text)(?![a-zA-Z])|[√π∞])"
    r"|[(\[{]\s?[-−+]?[\d\\√]"
)
_AFTER_CJK = re.compile(
    r"\s?(?:です|だ|である|となります|になります|입니다|이다|이에요|예요|个|個|人|种|種|つ|通り|개|명|가지|元|本|组|組|对|対|次|분|회|条|条路|回)"
)
_OPTION = r"(?:[$\ue000(]|\\?\$?[-−]?\d)"
_REMARK = re.compile(
    r"(?:,|;)?\s+(?:because|since|as|where|which|whose|so|when|whenever|if|for|by(?!\s+\d)|but|with|assuming|I hope"
    r"|attained|achieved|obtained|reached|occurring|occurs|given|provided|not(?=\s+[$\ue000(\\\\]|\s+[-−]?\d)|rather\s+than|instead\s+of"
    r"|due\s+to|thanks\s+to|hence|thus|therefore|i\.e|namely|that|at(?!\s+(?:least|most)\b)"
    r"|and\s+(?:not|never|nothing|no|it|this|that|we|the|so|hence|thus|therefore)|or\s+(?:approximately|about|roughly|≈)"
    r"|on\s+(?:the|a))\b"
    r"|\s+\((?!(?:or|and)\b(?!\s+not)|(?:in\s+)?(?:base|binary|octal|hex\w*|hundreds?|thousands?|[mb]illions?|dozens?)\b)(?=i\.e|[A-Za-z]{2}(?!od\b)|\ue000|≈|\\approx)|\s+[-–—]{1,3}\s+(?=[A-Za-z]{2,})|;\s*(?=[A-Za-z]{2,}\s)"
)
_APPOSITION = re.compile(
    r",\s+(?!(?:or|and|to)\b)(?=[A-Za-z]{2,}\b)|\s*[:：](?=\s+\D)|，(?=\D)|\s*(?:→|=>|\\Rightarrow|⇒)\s"
)
_CASES = re.compile(
    rf"\b(?:otherwise|(?<!thing )else|respectively)\b|(?:[,;]|\band|\bor|\bbut)\s+(?:it\s+is\s+|is\s+)?{_OPTION}[^\s,;]*,?\s+"
    r"(?:if|when|for|otherwise|in\s+(?:case|the))\b"
)
_JOINED = re.compile(
    rf"\s*(?:[,;、~～/–—-]|\b(?:and|or|to|through|versus|vs\.?)\b|[或和到又])+\s*(?:(?:and|or)\s+)?{_OPTION}"
    r"|\s*,?\s*\bor\s+(?:more|less|fewer|higher|lower|greater|both)\b"
)
_SCALED = re.compile(
    r"\b(?:thousands?|mill(?:e|ion(?:s|en|es)?|ones)|milhões|mil|milion\w*|milliard\w*|billions?|trillions?|hundreds?|tausend|juta|ribu|dozens?|score|percent|per\s?cent|degrees?|squared|cubed|factorial"
    r"|times|plus|minus|over|divided|multiplied|half|halves|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?"
    r"|eighths?|ninths?|tenths?|hundredths?|thousandths?|more|fewer|less|greater|larger|smaller|least|most|above|below"
    r"|pi|root|roots\s+of|base|power|mod|modulo|and|or|to(?=\s+(?:the\b|[\d$\ue000]))|through|out\s+of|not|nor|wrong|incorrect|false|off"
    r"|too|short|mixed|remainder|feet|foot|inches|a\.?m|p\.?m|o'?clock|january|february|march|april|may|june|july|august|september|october|november|december)\b|[\d/^\\%°]|\bx\b",
    re.IGNORECASE,
)
_WORDS = re.compile(r"\s+[A-Za-z(\ue000][A-Za-z()\ue000'’\s,\-]*")
_COUNTED = re.compile(
    r"\s+(?:[A-Za-z\-]{2,20}\s+){0,4}?(?P<noun>[a-z]{2,20}s)(?:\s+(?P<names>\ue000+))?\s+(?:that\s+are\s+)?"
    r"(?:less|greater|smaller|larger|between|from|not\s+exceeding|up\s+to|below|above|divisible|in|of(?!\s+\d)|among|inside|such)\b"
)
_IS = re.compile(
    r"\s+(?:is|are|was)\s+(?:the|our|my|your|what)\s(?!.{0,80}\b(?:wrong|incorrect|not|false|guess|thought|trap|mistake|bound|number\s+of|times)\b)[A-Za-z\ue000,'’\s-]{1,80}[.!]?\s*",
    re.DOTALL,
)
_MODULUS = re.compile(r"\s+modulo\s+\$?(\d{1,100})\$?\s*[.!]?\s*\Z")
_UNIT = re.compile(
    r"\s{0,2}(?P<name>[A-Za-z]{1,12}(?:(?:\s?/\s?|\s+)[A-Za-z]{1,12}){0,2})(?:\^?\{?(?P<power>[23²³])\}?)?(?![\w^/²³])"
)
_POWERS = str.maketrans("²³", "23")


def masked(text: str) -> str:
    """The text with every formula replaced by as many signs that no word holds."""
    return FORMULA.sub(lambda formula: _MASK * len(formula[0]), text)


_GAP = re.compile(r"\s{4,}")


def squeezed(text: str) -> str:
    """The text without long runs of white space, so that no search in it takes quadratic time."""
    return _GAP.sub(lambda gap: "\n" * min(gap[0].count("\n"), 2) or "  ", text)


def starts_value(hidden: str, at: int) -> bool:
    """Whether a number or a formula stands at a place of a masked text."""
    return hidden.startswith(_MASK, at) or _VALUE_START.match(hidden, at) is not None


def number_first(clause: str, hidden: str, head: re.Match[str]) -> str:
    """The answer of a clause that begins with the number `head`: without remarks and counted things.

    Two numbers that are offered stay together, and so does a word that changes the number.
    """
    end = head.end()
    cjk = _AFTER_CJK.match(hidden, end)
    if cjk:
        return head[0].strip()
    if _CASES.search(hidden, end):
        return clause
    remark = min(
        (
            found.start()
            for found in (_REMARK.search(hidden, end), _APPOSITION.search(hidden, end))
            if found
        ),
        default=len(hidden),
    )
    tail = hidden[end:remark]
    if not tail.strip(" \t.,;:!*_\"'`”’)"):
        return clause[:end].strip()
    unit = _UNIT.match(tail)
    if unit and unit.end() == len(tail.rstrip(" .")) and len(unit[0].strip()) > 1:
        name = units.canonical(unit["name"])
        if name and name[0] != "^" and units.known(name):
            return with_unit(clause[:end].strip(), unit)
    modulus = _MODULUS.match(clause, end)
    if modulus and clause[:end].isdigit() and int(clause[:end]) < int(modulus[1]):
        return clause[:end]
    if _IS.fullmatch(tail):
        return clause[:end].strip()
    counted = _COUNTED.match(tail)
    if (
        counted
        and not _SCALED.search(counted[0][: counted.end("noun")])
        and not units.known(units.canonical(counted["noun"]))
    ):
        return clause[:end].strip()
    if _JOINED.match(tail) or _SCALED.search(tail) or not _WORDS.fullmatch(tail.rstrip(" .!:;")):
        return clause[:remark]
    return clause[:end].strip()


def with_unit(number: str, unit: re.Match[str]) -> str:
    """A number with a unit as LaTeX, so that no letter of the unit is read as a variable."""
    exponent = f"^{unit['power'].translate(_POWERS)}" if unit["power"] else ""
    name = unit["name"] if re.search(r"[\s/]", unit["name"]) else units.canonical(unit["name"])
    return f"{number}\\text{{ {name}}}{exponent}"


def is_split(hidden: str, at: int) -> bool:
    """Whether a masked text goes on from a place to tell cases apart: "if n is even, and 6 otherwise"."""
    return _CASES.search(hidden, at) is not None


def has_remark(hidden: str) -> bool:
    """Whether a remark begins in a masked text."""
    return _REMARK.search(hidden) is not None or _APPOSITION.search(hidden) is not None


def cut_remark(clause: str, hidden: str) -> str:
    """A clause without the remark that follows its answer."""
    remark = _REMARK.search(hidden)
    return clause[: remark.start()] if remark and not _CASES.search(hidden) else clause


# Formulas

_BETWEEN_FORMULAS = re.compile(r"\s*(?:,|;|,?\s*\band\b|,?\s*\bor\b)\s*")
_AFTER_FORMULA = re.compile(
    r"\s{0,2}(?:%|°|percent\b|pct\b|degrees?\b|thousand\b|million\b|billion\b|trillion\b|hundred\b|dozen\b)"
    r"|\s*,?\s*\bor\s+(?:more|less|fewer)\b"
    r"|\s*(?:,|,?\s*\band\b|,?\s*\bor\b|\bto\b|[-–—])\s*(?:[$]?[-−]?\d+(?:[.,]\d+)*)(?=\s*(?:[.!]|\Z))"
    r"|\s*(?:\bto\b|[-–—])\s*\$[^$]{1,40}\$"
)


def run_of_formulas(text: str, first: re.Match[str]) -> str:
    """The formula `first` with those that follow it after a comma, "and" or "or"."""
    end = first.end()
    while True:
        gap = _BETWEEN_FORMULAS.match(text, end)
        following = FORMULA.match(text, gap.end()) if gap else None
        if not following:
            break
        end = following.end()
    more = _AFTER_FORMULA.match(text, end)
    if end == first.end() and not more:
        return next(part for part in first.groups() if part is not None).strip()
    return text[first.start() : more.end() if more else end]


def last_run(text: str, formulas: list[re.Match[str]]) -> str:
    """The last formula with those that stand right before it."""
    first = len(formulas) - 1
    while first and _BETWEEN_FORMULAS.fullmatch(
        text, formulas[first - 1].end(), formulas[first].start()
    ):
        first -= 1
    return run_of_formulas(text, formulas[first])
