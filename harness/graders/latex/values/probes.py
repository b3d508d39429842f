"""The points at which two expressions are told apart.

Analytic expressions that agree at a few points no answer was written for are one function. Those
with pieces (absolute values, floors, maxima, even roots) may agree on one piece and differ on the
next: they are compared on both sides of every break that can be found, at it, and far out. Letters
that name integers stand at integers where something is rounded: there the floor of (n+1)/2 is the
ceiling of n/2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, pairwise
from typing import TypeGuard

from harness.graders.latex.syntax import Apply, Expr, Number, variables, walk
from harness.graders.latex.values.evaluate import DIGITS, POINTS, Place, evaluated, generic
from harness.graders.latex.values.operations import hashed

_ROUNDED = frozenset({"floor", "ceil", "mod", "gcd", "lcm"})
_INVERSE = frozenset(
    {"arcsin", "arccos", "arctan", "arccot", "arcsec", "arccsc", "arccosh", "arcsech"}
)
_PIECES = _ROUNDED | _INVERSE | {"abs", "norm", "max", "min", "root", "sqrt"}
_INTEGERS = frozenset("klmnKLMN")
"""Letters that name integers wherever something is rounded."""

_MOST_PIECES = 12
_MOST_NAMES = 4
_MOST_BREAKS = 24
_MIXED = 12  # points at which every variable stands far from where the others do
_TINY = Fraction(1, 10**15)
_STEP = Fraction(1, 1000)
_LEVELS = range(-2, 4)  # where a floor steps, as values of what is rounded
_REALS = tuple(
    Fraction(number).limit_denominator(1000)
    for number in (
        -1000003.25, -1004.2, -57.4, -9.5, -4, -0.3, 0, 0.5, 1, 3.7, 8.5, 23, 101.4, 1000002.75,
    )
)  # fmt: skip
_WHOLE = tuple(
    Fraction(number)
    for number in (-1000003, -1004, -57, *range(-6, 13), 23, 24, 101, 1001, 1000002)
)


def places(one: Expr, other: Expr) -> Iterator[Place]:
    """Where to compare two expressions with variables, the most telling points first."""
    pieces = [node for expr in (one, other) for node in walk(expr) if _is_piece(node)]
    if not pieces:
        yield from range(POINTS)
        return
    names = sorted(variables(one) | variables(other))
    rounded = any(piece.op in _ROUNDED for piece in pieces)
    whole = _INTEGERS.intersection(names) if rounded else frozenset()
    yield from (_place(_start(names, whole, point)) for point in range(POINTS))
    for number, name in enumerate(names[:_MOST_NAMES]):
        start = _start(names, whole, number % POINTS)
        breaks: set[Fraction] = set()
        for piece in dict.fromkeys(pieces[:_MOST_PIECES]):
            breaks.update(_breaks(piece, name, start))
        for value in _around(sorted(breaks)[:_MOST_BREAKS], integers=name in whole):
            yield _place({**start, name: value})
    if len(names) > 1:
        for at in range(_MIXED):
            yield _place({name: _scattered(name, at, name in whole) for name in names})


def _is_piece(node: Expr) -> TypeGuard[Apply]:
    if not isinstance(node, Apply):
        return False
    if node.op == "pow":
        exponent = node.args[1]
        fractional = isinstance(exponent, Apply) and exponent.op == "div"
        if isinstance(exponent, Number):
            fractional = exponent.value.denominator > 1
        return fractional and bool(variables(node.args[0]))
    return (node.op in _PIECES or node.op.startswith("holds ")) and bool(variables(node))


def _place(values: dict[str, Fraction]) -> Place:
    return tuple(values.items())


def _start(names: list[str], whole: frozenset[str], point: int) -> dict[str, Fraction]:
    """The generic point of that number, integers where the names mean them."""
    start = {name: generic(name, point) for name in names}
    return start | {name: Fraction(round(30 * start[name])) for name in whole}


def _scattered(name: str, at: int, integers: bool) -> Fraction:
    grid = _WHOLE if integers else _REALS
    return grid[int(hashed(f"{name}#{at}") * 1_000_003) % len(grid)]


def _around(breaks: list[Fraction], *, integers: bool) -> list[Fraction]:
    """At, beside and between the breaks, and over the whole line."""
    if integers:
        floors = {math.floor(at) for at in breaks} | {math.ceil(at) for at in breaks}
        near = {Fraction(at + step) for at in floors for step in (-1, 0, 1)}
        return [*_WHOLE, *sorted(near.difference(_WHOLE))]
    beside = [at + step for at in breaks for step in (-_STEP, 0, _STEP)]
    between = [(low + high) / 2 for low, high in pairwise(breaks)]
    beyond = [at + step for at in (*breaks[:1], *breaks[-1:]) for step in (-3, 3)]
    return list(dict.fromkeys([*_REALS, *beside, *between, *beyond]))


def _breaks(piece: Apply, name: str, start: dict[str, Fraction]) -> Iterator[Fraction]:
    """Where an expression with pieces passes from one to the next along one variable."""
    if piece.op in ("max", "min"):
        for one, other in combinations(piece.args[:4], 2):
            yield from _zeros(Apply("add", (one, Apply("neg", (other,)))), name, start)
        return
    if piece.op.startswith("holds "):
        one, other = piece.args
        yield from _zeros(Apply("add", (one, Apply("neg", (other,)))), name, start)
        return
    inside = Apply("div", piece.args) if piece.op == "mod" else piece.args[0]
    levels = _LEVELS if piece.op in _ROUNDED else (0,)
    yield from _zeros(inside, name, start, levels)


def _zeros(
    expr: Expr, name: str, start: dict[str, Fraction], levels: range | tuple[int, ...] = (0,)
) -> list[Fraction]:
    """Where a polynomial of degree two at most has a value of `levels`, or turns; else nothing."""
    values = [_rational(expr, {**start, name: Fraction(at)}) for at in range(4)]
    known = [value for value in values if value is not None]
    if len(known) < 4:
        return []
    zero, one, two, three = known
    slope, bend = one - zero, two - 2 * one + zero
    if abs(three - 3 * two + 3 * one - zero) > _TINY:
        return []
    if abs(bend) <= _TINY:
        return [(level - zero) / slope for level in levels] if abs(slope) > _TINY else []
    square, linear = bend / 2, slope - bend / 2
    turn = -linear / bend
    found = [turn]
    for level in levels:
        inside = linear**2 - 4 * square * (zero - level)
        if 0 < inside < 10**300:
            away = Fraction(math.sqrt(inside)) / bend
            found += [turn - away, turn + away]
    return found


def _rational(expr: Expr, values: dict[str, Fraction]) -> Fraction | None:
    """The value at a point as a rational, or a rational next to it; None where it is not real."""
    value = evaluated(expr, _place(values), DIGITS).value
    if isinstance(value, Fraction):
        return value
    if value is None or not hasattr(value, "man_exp") or abs(value) > 10**30:
        return None
    return Fraction(int(value * 10**40), 10**40)
