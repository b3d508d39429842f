"""Inequalities in one variable as the sets that they describe, where they are linear in it."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from harness.graders.latex.meaning.real_sets import (
    INFINITY,
    MINUS_INFINITY,
    Interval,
    complement,
    intersection,
    is_bound,
)
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Expr,
    Number,
    Symbol,
    is_expr,
    variables,
)
from harness.graders.latex.values.evaluate import DIGITS, Evaluator, evaluated

CONDITIONS = frozenset({"<", "<=", ">", ">=", "!=", "in", "="})
"""Signs between a variable and what says where it lies."""

_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "!=": "!="}
_PROBES = (Fraction(2), Fraction(7, 3), Fraction(-5), Fraction(-100003, 7), Fraction(100003))
_LINE = [Interval(MINUS_INFINITY, INFINITY, True, True)]


def solved(
    sides: Sequence[Answer], operators: Sequence[str]
) -> tuple[Symbol, list[Interval]] | None:
    """The variable and the numbers for which a chain of inequalities holds; None if not linear."""
    exprs = [side for side in sides if is_expr(side)]
    names = {name for side in exprs for name in variables(side)} - {"oo"}
    if len(exprs) < len(sides) or len(names) != 1 or len(sides) > 4:
        return None
    (name,) = names
    found = _LINE
    for (left, right), operator in zip(pairwise(exprs), operators, strict=True):
        part = _link(left, operator, right, name)
        if part is None:
            return None
        found = intersection(found, part)
    return Symbol(name), found


def _link(left: Expr, operator: str, right: Expr, name: str) -> list[Interval] | None:
    if name not in variables(left):
        left, right, operator = right, left, _MIRROR[operator]
    if right in (INFINITY, MINUS_INFINITY):
        below = (right == INFINITY) == (operator[0] == "<")
        return _LINE if below and operator != "!=" else None
    if "oo" in variables(left) | variables(right):
        return None
    if isinstance(left, Apply) and left.op == "abs" and not variables(right):
        return _distance(left.args[0], operator, right, name)
    if left == Symbol(name) and not variables(right):
        return _side(right, operator) if is_bound(right) else None
    line = _linear(Apply("add", (left, Apply("neg", (right,)))), name)
    if line is None:
        return None
    slope, zero, rising = line
    bound = _number(Apply("div", (Apply("neg", (zero,)), slope)))
    return _side(bound, operator if rising else _MIRROR[operator]) if is_bound(bound) else None


def _distance(inside: Expr, operator: str, bound: Expr, name: str) -> list[Interval] | None:
    """`|ax + b| < c` and the like."""
    size = evaluated(bound, 0, DIGITS).value
    if size is None or not (isinstance(size, Fraction) or hasattr(size, "man_exp")) or size <= 0:
        return None
    below = _link(inside, "<=" if operator in ("<=", ">") else "<", bound, name)
    above = _link(inside, ">=" if operator in ("<=", ">") else ">", Apply("neg", (bound,)), name)
    if below is None or above is None or operator == "!=":
        return None
    within = intersection(below, above)
    return within if operator[0] == "<" else complement(within)


def _side(bound: Expr, operator: str) -> list[Interval]:
    """The numbers on one side of a bound, or all others."""
    if operator == "!=":
        return complement([Interval(bound, bound, False, False)])
    closed = operator.endswith("=")
    if operator[0] == "<":
        return [Interval(MINUS_INFINITY, bound, True, not closed)]
    return [Interval(bound, INFINITY, not closed, True)]


def _linear(expr: Expr, name: str) -> tuple[Expr, Expr, bool] | None:
    """(slope, value at zero, whether it rises) of an expression that is linear in a variable."""
    values = []
    for at in (Fraction(0), Fraction(1), *_PROBES):
        known = evaluated(expr, ((name, at),), DIGITS)
        real = isinstance(known.value, Fraction) or hasattr(known.value, "man_exp")
        if known.opaque or not real:
            return None
        values.append(Evaluator().real(known.value))
    zero, one, *others = values
    slope = one - zero
    if slope == 0:
        return None
    for at, value in zip(_PROBES, others, strict=True):
        if abs(value - (zero + slope * at.numerator / at.denominator)) > abs(slope) * 1e-30:
            return None
    at_zero, at_one = (substituted(expr, name, Number(Fraction(at))) for at in (0, 1))
    return Apply("add", (at_one, Apply("neg", (at_zero,)))), at_zero, bool(slope > 0)


def substituted(expr: Expr, name: str, value: Expr) -> Expr:
    """The expression with a value in the place of a variable."""
    if isinstance(expr, Symbol):
        return value if expr.name == name else expr
    if isinstance(expr, Apply):
        return Apply(expr.op, tuple(substituted(arg, name, value) for arg in expr.args))
    return expr


def _number(expr: Expr) -> Expr:
    """A literal for what is rational, else the expression."""
    value = evaluated(expr, 0, DIGITS).value
    return Number(value) if isinstance(value, Fraction) else expr
