r"""A value said twice in one answer: `\frac13 \text{ (about } 0.333)`, `1.414\ldots = \sqrt2`. See `qualifiers`."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from harness.graders.latex.meaning.canonical import meaning
from harness.graders.latex.syntax import (
    Answer,
    Number,
    Quantity,
    is_expr,
    unnamed,
    variables,
)
from harness.graders.latex.values.equality import rounds
from harness.graders.latex.values.evaluate import DIGITS, evaluated

Parse = Callable[[str], Answer]
"""Reads a part of an answer."""

BLANK = r"(?:\s|~|\\[,;:! ]|\\q?quad(?![a-z])|\$)*"
_NEARLY = r"approximately|approx\.?|about|around|roughly|nearly|circa|ca\.|approximate value"
_RESTATED = re.compile(
    rf"[,;]?{BLANK}(?:\\text\s*\{{\s*[,;]?\s*(?P<text>(?:or|i\.?\s?e\.?,?|that is,?|namely|equivalently,?|which is"
    rf"|equal to|also|{_NEARLY})[^{{}}]*)\}}|(?<=[,;])(?P<near>{BLANK}\\approx(?![a-z])))(?P<rest>.*)\Z",
    re.DOTALL,
)
HEDGE = re.compile(
    rf"\s*(?:\\text\s*\{{)?\s*(?:,|or|i\.?\s?e\.?,?|that is,?|namely|equivalently,?|which|is|equal to|equals|also"
    rf"|written as|(?P<nearly>{_NEARLY}))(?![A-Za-z])[\s,]*\}}?"
)
APPROXIMATION = re.compile(
    r"\s*(?P<nearly>\\(?:approx|simeq|sim|cong|doteq|thickapprox)(?![a-z]))|\s*="
)


def parsed(text: str, parse: Parse) -> Answer:
    """The value before a qualifier, which may be a list joined by "and"."""
    return parse(text.strip().rstrip(",;. "))


_WRITTEN_OUT = re.compile(
    r"(?P<first>-?[0-9]*\.[0-9]+)\s*(?:\\[lc]?dots|\.\.\.+)\s*=(?P<value>.+)"
    r"|(?P<before>[^=]+)=\s*(?P<last>-?[0-9]*\.[0-9]+)\s*(?:\\[lc]?dots|\.\.\.+)",
    re.DOTALL,
)


def written_out(text: str, parse: Parse) -> Answer | None:
    r"""`1.414\ldots = \sqrt2`: digits that do not repeat are an approximation."""
    found = _WRITTEN_OUT.fullmatch(text)
    if not found:
        return None
    value, digits = found["value"] or found["before"], found["first"] or found["last"]
    answer = parsed(value, parse)
    meant = meaning(answer)
    number = unnamed(meant)
    shown = parse(digits)
    return answer if is_expr(number) and is_expr(shown) and rounds(shown, number) else None


def restated(text: str, parse: Parse) -> Answer | None:
    r"""`\frac13 \text{ or approximately } 0.333`."""
    found = _RESTATED.search(text)
    if not found or not text[: found.start()].strip():
        return None
    said = f"\\text{{{found['text']}}}" if found["text"] else "\\approx "
    return restating(text[: found.start()], said + found["rest"], parse)


def restating(value: str, said: str, parse: Parse) -> Answer | None:
    """The value, where what is said restates it: nearly, or exactly the same."""
    nearly = False
    rest = re.sub(r"\\text\s*\{([^{}]*)\}", r" \1 ", said).strip()
    while found := (HEDGE.match(rest) or APPROXIMATION.match(rest)):
        nearly |= bool(found.groupdict().get("nearly"))
        rest = rest[found.end() :].lstrip(" ,")
        if not found[0].strip():
            break
    answer = parsed(value, parse)
    other = parse(rest)
    return answer if _agree(answer, other, nearly=nearly) else None


def _agree(one: Answer, other: Answer, *, nearly: bool) -> bool:
    """Whether a second statement of a value agrees with the first, as far as it is written out."""
    first, second = (_number(meaning(answer)) for answer in (one, other))
    if first is None or second is None:
        return nearly
    (exact, _), (stated, places) = first, second
    far = abs(float(exact) - float(stated))
    if nearly:
        return far <= 0.1 * abs(float(exact)) + 1e-9
    return far <= (float(Fraction(1, 10**places)) if places else 1e-12 * abs(float(exact)))


def _number(answer: Answer) -> tuple[float, int] | None:
    """(value, digits after the point) of a real number, a percentage being its decimal."""
    answer = unnamed(answer)
    share, more = (1.0, 0)
    if isinstance(answer, Quantity):
        share, more = (0.01, 2) if answer.unit == "percent" else (1.0, 0)
        answer = answer.value
    if not is_expr(answer) or variables(answer):
        return None
    value = evaluated(answer, 0, DIGITS).value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    places = answer.places if isinstance(answer, Number) and answer.places else 0
    return number * share, places + more if places else 0
