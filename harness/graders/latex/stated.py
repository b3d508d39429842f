"""Answers with more than a value: a condition, a second statement, a time of day. How they compare."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from harness.graders.latex.meaning.canonical import meaning
from harness.graders.latex.meaning.side_conditions import percent_as_number
from harness.graders.latex.syntax import (
    Answer,
    Clock,
    Named,
    Number,
    Qualified,
    Relation,
    Restated,
    is_expr,
)
from harness.graders.latex.values.equality import Sameness, rounds, same_expr

Same = Callable[..., Sameness]
"""`compare.same`, which these functions ask about the parts of an answer."""

_HOURS_OF_THE_DIAL = 12
_TWO_DIGITS = 10


def unqualified(answer: Answer) -> Answer:
    """The value of an answer without its condition; of a value stated twice, the last statement."""
    if isinstance(answer, Qualified):
        return unqualified(answer.value)
    return answer.last if isinstance(answer, Restated) else answer


def same_qualified(one: Answer, other: Answer, exact: bool, same: Same) -> Sameness:
    """Values that are the same, under conditions that do not contradict each other.

    Args:
        one: an answer, at least one of the two of this kind.
        other: the other.
        exact: compare as votes are counted.
        same: compares the parts.
    """
    if isinstance(one, Qualified) and isinstance(other, Qualified):
        alike = same(one.condition, other.condition, exact=True)
        if alike is False and (exact or _on_one_name(one.condition, other.condition)):
            return False
        return same(one.value, other.value, exact=exact)
    if exact:
        return False
    return same(
        one.value if isinstance(one, Qualified) else one,
        other.value if isinstance(other, Qualified) else other,
    )


def _on_one_name(one: Answer, other: Answer) -> bool:
    """Whether two conditions speak of one variable in the same way, so that they can contradict."""
    if isinstance(one, Named) and isinstance(other, Named):
        return one.name == other.name and type(one.value) is type(other.value)
    return isinstance(one, Relation) and isinstance(other, Relation)


def same_restated(one: Answer, other: Answer, exact: bool, same: Same) -> Sameness:
    """A value stated twice, `3/5 = 60%`: the last statement, or where both agree, either.

    Args:
        one: an answer, at least one of the two of this kind.
        other: the other.
        exact: compare as votes are counted.
        same: compares the parts.
    """
    if exact:
        return same(unqualified(one), unqualified(other), exact=True)
    if isinstance(one, Restated) and isinstance(other, Restated):
        return same(one.last, other.last) or same(one.first, other.first)
    if not isinstance(one, Restated):
        one, other = other, one
    if not isinstance(one, Restated):
        return None
    answer = same(one.last, other)
    return same(one.first, other) if not answer and _agree(one, same) else answer


def _agree(answer: Restated, same: Same) -> Sameness:
    """Whether both statements of a value are the same, a percentage being its decimal."""
    first, last = percent_as_number(answer.first), percent_as_number(answer.last)
    return same(first, last) or (is_expr(first) and is_expr(last) and rounds(first, last))


def same_clock(one: Answer, other: Answer, exact: bool, same: Same) -> Sameness:
    """Times of day; a time whose colon may mean a ratio, also against ratios and quotients.

    Args:
        one: an answer, at least one of the two of this kind.
        other: the other.
        exact: compare as votes are counted.
        same: compares the parts.
    """
    if isinstance(one, Clock) and isinstance(other, Clock):
        return _same_time(one, other, exact)
    of_reference = isinstance(one, Clock)
    if isinstance(other, Clock):
        one, other = other, one
    if not isinstance(one, Clock):
        return None
    if len(one.written) == 1 and is_expr(other) and of_reference and not exact:  # "3 p.m." and "3"
        return same_expr(Number(Fraction(one.written[0])), other)
    if len(one.written) == 1 or not one.written or one.written[1] < _TWO_DIGITS:
        return False
    by_quotient = math.gcd(*one.written) == 1 and not exact  # ratios are written in lowest terms
    if one.half and one.written[0] <= _HOURS_OF_THE_DIAL:
        return False
    if isinstance(other, Relation) or by_quotient:
        upper, lower = (Number(Fraction(part)) for part in one.written)
        return same(meaning(Relation((upper, lower), (":",))), other, exact=exact)
    return False


def _same_time(one: Clock, other: Clock, exact: bool) -> bool:
    if one.seconds != other.seconds:
        return False
    if one.half == other.half:
        return True
    by_day = max(one.written[:1] + other.written[:1], default=0) > _HOURS_OF_THE_DIAL
    return not exact and "" in (one.half, other.half) and not by_day
