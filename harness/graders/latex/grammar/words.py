"""Answers in words: a word, a number in words, a clock time, a date, a letter with its text."""

from __future__ import annotations

import re
from fractions import Fraction

from harness.graders.latex.syntax import (
    Answer,
    Clock,
    Number,
    Quantity,
    Symbol,
    unitless,
)
from harness.graders.latex.text import units
from harness.graders.latex.text.vocabulary import FUNCTIONS, names

_SHORT_WORDS = names("yes no odd all any not one two six ten red may")
_WORDS = re.compile(r"[A-Za-z][A-Za-z'’\-]*(?:\s+[A-Za-z][A-Za-z'’\-]*){0,4}")
_WRAPPED = re.compile(
    r"\s*(?:\\(?:text|textbf|textit|textrm|mbox|emph|textsf|mathrm|mathbf|mathit|mathsf|operatorname)\s*)?"
    r"\{?([^{}\\]*)\}?\s*"
)
_FONT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|sc|up|normal)?|mbox|hbox|math(?:bf|it|rm|sf|tt)|boldsymbol|bm|emph)"
    r"\s*\{([^{}]*)\}"
)
_BLANK = re.compile(r"(?:\s|~|\\[,;:! ]|\\q?quad(?![a-z])|\$)+")


_LONG_WORD = 4


def words(text: str) -> Answer | None:
    """The answer of a text that is words, or None: the grammar of formulas reads all others."""
    while text.startswith("$") and text.endswith("$") and len(text) > 1:
        text = text[1:-1].strip()
    if _LETTERED.match(text):
        letter = _letter(text)
        if letter is not None:
            return letter
    if len(text) < _LONGEST and _MOMENT.search(text):
        moment = _clock(text) or _date(text)
        if moment is not None:
            return moment
    wrapped = _WRAPPED.fullmatch(text)
    if not wrapped:
        return None
    inside = wrapped[1].strip(" .,;!()\t\n")
    inside = _SAYS.sub("", inside)
    digits = _IN_DIGITS.search(inside)
    inside = inside[: digits.start()] if digits else inside
    if not inside[:1].isalpha():
        return None
    counted = _counted(inside)
    if digits and not _says(counted, int(digits[1].replace(",", ""))):
        return None
    return counted if counted is not None else _word(inside)


def _says(counted: Answer | None, number: int) -> bool:
    """Whether words are the number that stands in digits behind them: "three (3)", "three apples (3)"."""
    return counted is None or unitless(counted) == Number(Fraction(number))


_SAYS = re.compile(
    r"\A(?:there (?:are|is)|it is|it's|it was|it will be)\s+(?:on\s+)?", re.IGNORECASE
)
_IN_DIGITS = re.compile(r"\s*\(\s*([0-9][0-9,]{0,30})\Z")


def _word(inside: str) -> Answer | None:
    """Words that are no number: one symbol, in quotes."""
    if not _WORDS.fullmatch(inside):
        return None
    said_words = inside.casefold().replace("’", "'").split()
    if any(word in FUNCTIONS or word in ("and", "or", "pi", "infinity") for word in said_words):
        return None
    said = " ".join(said_words)
    if said == "none":
        return Symbol("{}")
    short = len(said_words) == 1 and len(said) < _LONG_WORD
    if short and said not in _SHORT_WORDS and said not in _ABBREVIATIONS:
        return None
    if len(said_words) > 1 and said_words[0] in ("the", "a", "an"):
        said_words = said_words[1:]
    if said_words[0] in ("on", "in", "a", "the") and said_words[-1] in _DAYS:
        said_words = said_words[-1:]
    if len(said_words) == 1:
        said_words = [_ABBREVIATIONS.get(said_words[0], said_words[0])]
    if len(said_words) > 1 and not any(len(word) > 2 for word in said_words):
        return None
    return Symbol('"' + " ".join(said_words) + '"')


# Numbers in words

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen"
)
_BELOW_TWENTY = {word: value for value, word in enumerate(_UNITS.split())}
_DECADES = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: 10 * value for value, word in enumerate(_DECADES.split(), 2)}
_PARTS = {
    word: part
    for part, spelt in {
        2: "half halves", 3: "third thirds", 4: "quarter quarters fourth fourths", 5: "fifth fifths",
        6: "sixth sixths", 7: "seventh sevenths", 8: "eighth eighths", 9: "ninth ninths",
        10: "tenth tenths", 12: "twelfth twelfths",
    }.items()
    for word in spelt.split()
}  # fmt: skip
_HEDGES = names("exactly about approximately only just precisely")
_SAID = re.compile(r"[A-Za-z]+")
_NUMBER_WORDS = _BELOW_TWENTY.keys() | _TENS.keys() | units.SCALES.keys() | {"hundred", "a", "half"}


def _counted(inside: str) -> Answer | None:
    """A number in words: "twenty-one", "one hundred and five", "two thirds", "three apples"."""
    said = _SAID.findall(inside.casefold())
    while said and said[0] in _HEDGES:
        said = said[1:]
    if not said or said[0] not in _NUMBER_WORDS or said == ["a"] or len(said) > _MOST_WORDS:
        return None
    if not re.fullmatch(r"[A-Za-z\s\-]+", inside):
        return None
    value, rest = _number(said)
    if value is None:
        return None
    if rest and rest[0] in _PARTS and len(rest) == 1:
        return Number(value / _PARTS[rest[0]])
    if not rest:
        return Number(value)
    unit = units.canonical(" ".join(rest))
    changed = units.changes_value(" ".join(rest)) or rest[0] in _NUMBER_WORDS | _PARTS.keys()
    return None if changed or not unit else Quantity(Number(value), unit)


def _number(said: list[str]) -> tuple[Fraction | None, list[str]]:
    """(the number that words begin with, the words behind it)."""
    if said[0] == "half":
        return Fraction(1, 2), said[1:]
    total = group = 0
    last = ""  # what came before: only some words may follow it
    for at, word in enumerate(said):
        article = word == "a" and at == 0 and said[1:2] and said[1] in ("hundred", *units.SCALES)
        below = _BELOW_TWENTY.get(word, _TENS.get(word))
        if article:
            group, last = 1, "unit"
        elif below is not None and _may_follow(below, last):
            group, last = group + below, "unit" if below < 20 else "ten"
        elif word == "hundred" and last in ("unit", "") and group < 20:
            group, last = (group or 1) * 100, "hundred"
        elif word in units.SCALES and last not in ("and", "scale"):
            total, group, last = total + (group or 1) * units.SCALES[word], 0, "scale"
        elif word == "and" and last in ("hundred", "scale") and _continues(said[at + 1 : at + 2]):
            last = "and"
        else:
            return (Fraction(total + group), said[at:]) if at and last != "and" else (None, said)
    return (None if last == "and" else Fraction(total + group)), []


def _may_follow(below_hundred: int, last: str) -> bool:
    return last in ("", "hundred", "scale", "and") or (last == "ten" and 0 < below_hundred < 10)


def _continues(following: list[str]) -> bool:
    return bool(following) and following[0] in _BELOW_TWENTY.keys() | _TENS.keys()


_MOST_WORDS = 14

# Times of day and dates

_MONTHS = {
    word: month
    for month, spelt in enumerate(
        ("january jan", "february feb", "march mar", "april apr", "may", "june jun", "july jul",
         "august aug", "september sep sept", "october oct", "november nov", "december dec"), 1,
    )
    for word in spelt.split()
}  # fmt: skip
_DAYS = names("monday tuesday wednesday thursday friday saturday sunday") | {
    month for month in _MONTHS if len(month) > 3 or month == "may"
}
_ABBREVIATIONS = {
    "sat": "saturday", "mon": "monday", "tue": "tuesday", "tues": "tuesday", "wed": "wednesday",
    "thu": "thursday", "thur": "thursday", "thurs": "thursday", "fri": "friday",
}  # fmt: skip
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_MOMENT = re.compile(
    rf"[0-9]\s*(?:\\[!,]|\{{)*\s*(?::|\\colon)|(?<![a-z])[ap]\.?\s?m\b|\b(?:noon|midnight|o'clock|{_MONTH})\b",
    re.IGNORECASE,
)
_HALVES = {"a": "am", "p": "pm", "morning": "am", "afternoon": "pm", "evening": "pm"}
_CLOCK = re.compile(
    r"(?:at )?(?P<hour>[0-9]{1,2})(?: ?(?::|\.(?=[0-9]{2}\D)) ?(?P<minute>[0-9]{2})(?: ?: ?(?P<second>[0-9]{2}))?)? ?"
    r"(?:(?P<half>[ap])\.? ?m\.?|(?P<noon>noon|midnight)|(?:in the )(?P<said>morning|afternoon|evening)"
    r"|(?P<hours>h|hours|o'clock))?\.?",
    re.IGNORECASE,
)
_DATE = re.compile(
    rf"(?:on )?(?:(?:the )?(?P<day>[0-9]{{1,2}}) ?(?:\^? ?\{{? ?(?:st|nd|rd|th) ?\}}?)?,?(?: of)? (?P<month>{_MONTH})\.?"
    rf"|(?P<month2>{_MONTH})[.,]? ?(?:the )?(?P<day2>[0-9]{{1,2}}) ?(?:\^? ?\{{? ?(?:st|nd|rd|th) ?\}}?)?)"
    r"(?:,? (?P<year>[0-9]{4}))?\.?",
    re.IGNORECASE,
)
_LONGEST = 120


def _bare(text: str) -> str:
    """The text without fonts and with single blanks."""
    return _BLANK.sub(" ", _FONT.sub(r" \1 ", text)).strip()


def _clock(text: str) -> Clock | None:
    bare = re.sub(r"\{ ?: ?\}|\\colon", ":", _bare(text))
    bare = re.sub(r" ?: ?", ":", bare)
    if bare.casefold() in ("noon", "midnight"):
        return Clock(0, "pm" if bare.casefold() == "noon" else "am")
    found = _CLOCK.fullmatch(bare)
    if not found:
        return None
    hour, minute, second = (int(found[name] or 0) for name in ("hour", "minute", "second"))
    half = _HALVES.get((found["half"] or found["said"] or "").casefold(), "")
    if found["noon"]:
        half = "pm" if found["noon"].casefold() == "noon" else "am"
    dotted = "." in bare[:3] and not half
    named = half or (found["hours"] or "").casefold() == "o'clock"
    if dotted or hour > 24 or minute > 59 or second > 59 or not (found["minute"] or named):
        return None
    if half and not 1 <= hour <= 12:
        if (hour > 12) == (half == "am"):  # 15 a.m., 0 p.m.
            return None
    elif not half and (hour > 12 or hour == 0):
        half = "pm" if 12 < hour < 24 else "am"
    seconds = (hour % 12) * 3600 + minute * 60 + second
    return Clock(
        seconds, half, (hour, minute) if found["minute"] and not found["second"] else (hour,)
    )


def _date(text: str) -> Symbol | None:
    found = _DATE.fullmatch(re.sub(r" ?\^ ?(?=[a-z])", "", _bare(text)))
    if not found:
        return None
    month = _MONTHS[(found["month"] or found["month2"]).casefold()]
    day = int(found["day"] or found["day2"])
    if not 1 <= day <= 31:
        return None
    return Symbol(f'"date {found["year"] or ""} {month} {day}"')


# A letter of a choice with its text

_LETTERED = re.compile(
    r"(?:\\(?:text|textbf|textrm|mathrm|mathbf|boldsymbol|bm)\s*\{\s*)?(?:[Oo]ption |[Cc]hoice )?"
    r"\(?\s*(?:\\(?:text|textbf|textrm|mathrm|mathbf)\s*\{\s*)?[A-J]\s*\}?\s*(?:\\ )?[.):(-]"
)
_OPTION = re.compile(
    r"(?:[Oo]ption |[Cc]hoice )?(?:\( ?(?P<paren>[A-J]) ?\)(?:[.:]| -)?|(?P<bare>[A-J])(?:[.:]| ?\)| -{1,3})(?=[ (])"
    r"|(?P<noted>[A-J]) (?=\( ?[A-Za-z]{3}[^()]*\)\Z)) ?(?P<text>[^ ].*)",
    re.DOTALL,
)
_ANOTHER = re.compile(
    r"(?:or|and|not|is|are|[B-Z]|A(?! (?!and\b|then\b|nor\b)[a-z]{3})|,|;|/|&)(?![A-Za-z])|.*(?:\([A-J]\)|\b(?:or|and) [B-J]\b|\bnot\b|\bwrong\b"
    r"|\bincorrect\b)",
    re.DOTALL,
)
_OPERATOR = re.compile(
    r"[-+*=<>^_/!']|\\(?:cdot|times|le|ge|lt|gt|cup|cap|pm|approx|in|to|ne|equiv|or|lor|vee|wedge)(?![a-z])"
)
_SET_APART = re.compile(
    r"\([A-J]\)(?:[.:] ?|[.:]? [A-Za-z]{3}|\s*\\(?:quad|text|math| ))|\([^)]*\\"
)


def _letter(text: str) -> Symbol | None:
    r"""The letter of `\text{(C) Plane}`, `\textbf{(C)}\ 5`, `C: \text{Plane}`."""
    found = _OPTION.fullmatch(
        re.sub(r"(?<=[A-J]) +(?=[.:])" if "\\" in text else r"\Z", "", _bare(text))
    )
    if not found or _ANOTHER.match(found["text"]):
        return None
    upright = text.startswith("\\") and found["paren"]
    if not upright and _OPERATOR.match(found["text"]):
        return None
    if found["paren"] and text.startswith("(") and not _SET_APART.match(text):
        return None  # a product
    return Symbol(found["paren"] or found["bare"] or found["noted"])
