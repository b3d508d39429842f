"""Sets of real numbers in one canonical form: intervals that neither touch nor overlap, and points.

A set is read from what states it (an interval, a union, a list of elements, the real line, a
difference) where all its bounds are known numbers; anything else is left as it is written.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cmp_to_key
from typing import Any

from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Collection,
    Expr,
    Number,
    Symbol,
    is_expr,
    variables,
)
from harness.graders.latex.values.evaluate import DIGITS, context, evaluated

INFINITY = Symbol("oo")
MINUS_INFINITY = Apply("neg", (INFINITY,))
REALS = Symbol("mathbb R")
EMPTY = Symbol("{}")

_MOST_INTEGERS = 100
_BELOW_ALL, _ABOVE_ALL = -math.inf, math.inf
RAYS = {
    "mathbb R_>0": ("(", Number(Fraction(0))),
    "mathbb R_>=0": ("[", Number(Fraction(0))),
    "mathbb R_\\ge0": ("[", Number(Fraction(0))),
    "mathbb R_\\geq0": ("[", Number(Fraction(0))),
}
"""Names of sets of real numbers that are rays."""

_INTEGERS = {"mathbb Z": _BELOW_ALL, "mathbb N": 1, "mathbb Z_>0": 1}
"""Names of sets of integers, to the integer from which on all of them are surely inside."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One interval, a point where `low` is `high`; `key` orders the bounds."""

    low: Expr
    high: Expr
    open_low: bool
    open_high: bool

    @property
    def low_key(self) -> Any:
        """Where it begins, as a number."""
        return _key(self.low)

    @property
    def high_key(self) -> Any:
        """Where it ends, as a number."""
        return _key(self.high)


def canonical(intervals: Sequence[Interval]) -> Answer:
    """The answer that states a union of intervals in the one canonical way."""
    merged = _merged(intervals)
    if not merged:
        return EMPTY
    points = tuple(each.low for each in merged if not each.open_low and each.low is each.high)
    pieces: list[Answer] = [
        _brackets(each) for each in merged if each.open_low or each.low is not each.high
    ]
    if points:
        pieces.append(Collection("set", points))
    if len(pieces) > 1:
        return Collection("union", tuple(pieces))
    return points[0] if len(points) == 1 else pieces[0]


def intervals_of(answer: Answer) -> list[Interval] | None:
    """The intervals of a set of real numbers; None for anything else, or bounds not known."""
    match answer:
        case Symbol("mathbb R"):
            return [Interval(MINUS_INFINITY, INFINITY, True, True)]
        case Symbol("{}"):
            return []
        case Symbol(name) if name in RAYS:
            opening, bound = RAYS[name]
            return [Interval(bound, INFINITY, opening == "(", True)]
        case Brackets(opening, closing, (low, high)) if opening in "([" and closing in ")]":
            return _interval(opening, closing, low, high)
        case Collection("set", items):
            return _points(items)
        case Collection("union", items):
            # {1} means 1: a number in a union is a set of one
            parts = [_points((item,)) or intervals_of(item) for item in items]
            known = [part for part in parts if part is not None]
            joined = [interval for part in known for interval in part]
            return joined if len(known) == len(parts) else None
    return None


def point(answer: Answer) -> list[Interval] | None:
    """The set of one known number."""
    return _points((answer,))


def intersection(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """What lies in both sets."""
    return complement([*complement(one), *complement(other)])


def difference(one: Sequence[Interval], other: Sequence[Interval]) -> list[Interval]:
    """What lies in the first set and not in the other."""
    return complement([*complement(one), *other])


def complement(intervals: Sequence[Interval]) -> list[Interval]:
    """The real numbers that lie in none of the intervals."""
    gaps: list[Interval] = []
    low: Expr = MINUS_INFINITY
    open_low = True
    for each in _merged(intervals):
        if not (_key(low) == _BELOW_ALL == each.low_key):
            gaps.append(Interval(low, each.low, open_low, not each.open_low))
        low, open_low = each.high, not each.open_high
    if _key(low) != _ABOVE_ALL:
        gaps.append(Interval(low, INFINITY, open_low, True))
    return gaps


def integers_in(name: str, intervals: Sequence[Interval]) -> list[Interval] | None:
    """The integers of a set of that name that lie in bounded intervals; None for too many or unsure."""
    first = _INTEGERS.get(name)
    if first is None:
        return None
    found: list[Interval] = []
    for each in _merged(intervals):
        low, high = each.low_key, each.high_key
        low = max(low, first) if name == "mathbb Z_>0" else low
        if low == _BELOW_ALL or high == _ABOVE_ALL or high - low > _MOST_INTEGERS:
            return None
        for number in range(math.floor(low), math.ceil(high) + 1):
            at = [Interval(value := Number(Fraction(number)), value, False, False)]
            if not intersection([each], at):
                continue
            if number < first:
                return None
            found += at
    return found if len(found) <= _MOST_INTEGERS else None


def is_bound(expr: Expr) -> bool:
    """Whether an expression is a known real number or infinite."""
    return _key(expr) is not None


def is_integers(answer: Answer) -> bool:
    """Whether an answer names a set of integers."""
    return isinstance(answer, Symbol) and answer.name in _INTEGERS


def _interval(opening: str, closing: str, low: Answer, high: Answer) -> list[Interval] | None:
    if not (is_expr(low) and is_expr(high)):
        return None
    first, last = _key(low), _key(high)
    if first is None or last is None:
        return None
    order = _compare(first, last)
    if order > 0 or (order == 0 and opening + closing != "[]"):
        return None
    high = low if order == 0 else high
    open_low = opening == "(" or first == _BELOW_ALL
    return [Interval(low, high, open_low, closing == ")" or last == _ABOVE_ALL)]


def _points(items: Sequence[Answer]) -> list[Interval] | None:
    found = []
    for item in items:
        if not is_expr(item) or (key := _key(item)) is None or key in (_BELOW_ALL, _ABOVE_ALL):
            return None
        found.append(Interval(item, item, False, False))
    return found


def _brackets(each: Interval) -> Answer:
    if each.low_key == _BELOW_ALL and each.high_key == _ABOVE_ALL:
        return REALS
    opening, closing = "(" if each.open_low else "[", ")" if each.open_high else "]"
    return Brackets(opening, closing, (each.low, each.high))


def _merged(intervals: Sequence[Interval]) -> list[Interval]:
    """Sorted, without overlaps, without empty ones; neighbours that touch are one."""
    merged: list[Interval] = []
    for each in sorted(intervals, key=cmp_to_key(_order)):
        order = _compare(each.low_key, each.high_key)
        if order > 0 or (order == 0 and (each.open_low or each.open_high)):
            continue
        if order == 0:
            each = Interval(each.low, each.low, False, False)
        last = merged[-1] if merged else None
        touch = _compare(each.low_key, last.high_key) if last else 1
        if last is None or touch > 0 or (touch == 0 and each.open_low and last.open_high):
            merged.append(each)
            continue
        ends = _compare(each.high_key, last.high_key)
        if ends > 0:
            merged[-1] = Interval(last.low, each.high, last.open_low, each.open_high)
        elif ends == 0:
            open_high = last.open_high and each.open_high
            merged[-1] = Interval(last.low, last.high, last.open_low, open_high)
    return merged


def _order(one: Interval, other: Interval) -> int:
    return _compare(one.low_key, other.low_key) or one.open_low - other.open_low


def _key(bound: Expr) -> Any:
    """A bound as a number that can be ordered; None where it is not a known real number."""
    if bound == INFINITY:
        return _ABOVE_ALL
    if bound == MINUS_INFINITY:
        return _BELOW_ALL
    if isinstance(bound, Number):
        return bound.value
    if variables(bound):
        return None
    known = evaluated(bound, 0, DIGITS)
    if known.opaque or known.value is None:
        return None
    real = isinstance(known.value, Fraction) or hasattr(known.value, "man_exp")
    return known.value if real else None


def _compare(one: Any, other: Any) -> int:
    """-1, 0 or 1; values that agree to fifty digits are the same bound."""
    if isinstance(one, float) or isinstance(other, float):
        one, other = (value if isinstance(value, float) else 0.0 for value in (one, other))
    elif not (isinstance(one, Fraction) and isinstance(other, Fraction)):
        ctx = context(DIGITS)
        one, other = (
            ctx.mpf(value.numerator) / value.denominator if isinstance(value, Fraction) else value
            for value in (one, other)
        )
        if abs(one - other) <= ctx.mpf("1e-50") * (1 + abs(one)):
            return 0
    return int(one > other) - int(one < other)
