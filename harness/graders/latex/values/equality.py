"""Whether expressions have the same value: exactly, or to as many digits as decide it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Expr,
    Number,
    Symbol,
    is_expr,
    variables,
    walk,
)
from harness.graders.latex.values.evaluate import (
    DIGITS,
    INSIDE,
    POINTS,
    Evaluated,
    Evaluator,
    Place,
    context,
    enough_digits,
    evaluated,
)
from harness.graders.latex.values.operations import Value
from harness.graders.latex.values.probes import places

MIN_PLACES = 6
"""Digits after the point from which a decimal may stand for a value without a finite one."""

_MIN_SIGNIFICANT = 4

_FEW_DIGITS = 30  # enough where expressions are known to be the same on another piece

_IMAGINARY = Symbol("i")

Sameness = bool | None
"""Yes, no, or not known."""


def every(answers: Iterable[Sameness]) -> Sameness:
    """Yes if all are, no if one is not, else not known."""
    known: Sameness = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            known = None
    return known


def same_expr(one: Expr, other: Expr, *, exact: bool = False) -> Sameness:
    """Whether two expressions have the same value wherever their variables stand."""
    if one == other:
        return True
    if isinstance(one, Number) and isinstance(other, Number):
        return one.value == other.value
    words = [
        expr for expr in (one, other) if isinstance(expr, Symbol) and expr.name.startswith('"')
    ]
    if words:
        return False
    answer = _same_values(one, other, exact)
    if answer is False and not exact and _has_open_log(one, other):
        return _same_values(one, other, exact, natural=True)
    return answer


def _has_open_log(*exprs: Expr) -> bool:
    """Whether a logarithm stands without a base, which may be ten or e."""
    return any(
        isinstance(node, Apply) and node.op == "log" and len(node.args) == 1
        for expr in exprs
        for node in walk(expr)
    )


def _same_values(one: Expr, other: Expr, exact: bool, *, natural: bool = False) -> Sameness:
    if not variables(one) and not variables(other):
        return _same_constants(one, other, exact, natural=natural)
    answers: list[Sameness] = []
    beyond = False  # whether a point lies outside of the domain of both
    for number, point in enumerate(places(one, other)):
        if number >= POINTS:
            equal = _same_on_a_piece(one, other, point, natural=natural)
            if equal is not True:
                return equal
            continue
        first, second = (evaluated(e, point, DIGITS, natural=natural) for e in (one, other))
        if first.value is None or second.value is None:
            if first.exists and second.exists:
                return None
            continue  # a pole of one of them: the other points decide
        equal = _close(one, other, first, second, point=point, natural=natural)
        if equal is False and not (
            _real(first.value) or _real(second.value) or _are_complex(one, other)
        ):
            beyond = True
            continue  # beyond the domain of real functions: the other points decide
        if equal is False:
            return None if first.opaque or second.opaque else False
        answers.append(equal)
    if beyond and len(answers) < POINTS:
        answers.extend(_same_at(one, other, point, natural=natural) for point in INSIDE)
        known = [answer for answer in answers if answer is not None]
        return every(known) if len(known) > 1 else None
    return every(answers) if answers else None


def _are_complex(*exprs: Expr) -> bool:
    """Whether a function is meant to have values that are not real."""
    return any(
        node == _IMAGINARY or (isinstance(node, Apply) and node.op == "cis")
        for expr in exprs
        for node in walk(expr)
    )


def _same_at(one: Expr, other: Expr, point: int, *, natural: bool) -> Sameness:
    """Whether two expressions are real and the same at one point; None where one is not real."""
    first, second = (evaluated(e, point, DIGITS, natural=natural) for e in (one, other))
    if not (_real(first.value) and _real(second.value)):
        return None
    equal = _close(one, other, first, second, point=point, natural=natural)
    return None if equal is False and (first.opaque or second.opaque) else equal


def _same_on_a_piece(one: Expr, other: Expr, point: Place, *, natural: bool) -> Sameness:
    """Whether expressions that are the same elsewhere are so here, as far as they are real."""
    first, second = (evaluated(e, point, _FEW_DIGITS, natural=natural) for e in (one, other))
    if not (_real(first.value) and _real(second.value)):
        return True  # a pole, out of reach, or beyond the domain of real functions
    if isinstance(first.value, Fraction) and isinstance(second.value, Fraction):
        equal = first.value == second.value
    else:
        apart, size = _magnitudes(first.value, second.value, _FEW_DIGITS)
        equal = apart < size - _bits(_FEW_DIGITS // 2)
        if not equal:
            first, second = (evaluated(e, point, DIGITS, natural=natural) for e in (one, other))
            equal = _close(one, other, first, second, point=point, natural=natural) is not False
    return equal or (None if first.opaque or second.opaque else False)


def _same_constants(one: Expr, other: Expr, exact: bool, *, natural: bool) -> Sameness:
    first, second = (evaluated(e, 0, DIGITS, natural=natural) for e in (one, other))
    if first.value is None or second.value is None:
        return False if first.exists != second.exists else None
    equal = _close(one, other, first, second, point=0, natural=natural)
    if equal is False and not exact:
        equal = _approximates(one, other, first.value, second.value)
    if equal is False and (first.opaque or second.opaque):
        return None
    return equal


def _real(value: Value) -> bool:
    return isinstance(value, Fraction) or hasattr(value, "man_exp")


def _close(
    one: Expr,
    other: Expr,
    first: Evaluated,
    second: Evaluated,
    *,
    point: Place,
    natural: bool,
) -> Sameness:
    """Whether two values are one: exactly, or to many digits where one is not rational."""
    if isinstance(first.value, Fraction) and isinstance(second.value, Fraction):
        return first.value == second.value
    apart, size = _magnitudes(first.value, second.value, DIGITS)
    if apart > size - 20 and size > -100:
        return False
    # the same to sixty digits, or values that cancel: more digits decide
    constant = not variables(one) and not variables(other)
    digits = enough_digits(max(first.bits, second.bits) if constant else 0)
    if digits is None:
        return None
    more = [evaluated(expr, point, digits, natural=natural) for expr in (one, other)]
    if any(each.value is None for each in more):
        return None
    still_apart, size = _magnitudes(more[0].value, more[1].value, digits)
    gained = _bits(digits - DIGITS)
    noise = apart - gained / 2 if apart > -math.inf else -gained
    equal = still_apart <= max(size - _bits(digits - 20), noise)
    return None if equal and constant and (first.cut or second.cut) else equal


def _bits(digits: int) -> float:
    return digits * math.log2(10)


def _magnitudes(one: Value, other: Value, digits: int) -> tuple[float, float]:
    """Binary exponents of the difference of two values and of the larger of them."""
    ctx = context(digits)
    values = [Evaluator(0, digits).real(value) for value in (one, other)]
    sizes = [float(ctx.mag(value)) for value in (values[0] - values[1], *values)]
    return sizes[0], max(sizes[1:])


def approximates(decimal: Answer, exact: Answer) -> bool:
    """Whether `decimal` is a literal of enough places for `exact`, which has no finite decimal."""
    if not (isinstance(decimal, Number) and is_expr(exact)):
        return False
    if variables(exact):
        return False
    value = evaluated(exact, 0, DIGITS).value
    return value is not None and _approximates(decimal, exact, decimal.value, value)


def _approximates(one: Expr, other: Expr, first: Value, second: Value) -> bool:
    """Whether one is a decimal of enough places for the other, which has no finite decimal."""
    for literal, decimal, exact in ((one, first, second), (other, second, first)):
        if not (isinstance(literal, Number) and literal.places):
            continue
        if isinstance(exact, Fraction) and _terminates(exact.denominator):
            continue
        digits = len(str(abs(literal.value.numerator))) if literal.value else 0
        significant = len(str(abs(int(literal.value * 10**literal.places))))
        if literal.places >= MIN_PLACES and digits and significant >= _MIN_SIGNIFICANT:
            return _within(decimal, exact, literal.places)
    return False


def _within(decimal: Fraction, exact: Value, places: int) -> bool:
    """Whether a decimal is a value rounded or cut to so many places."""
    if isinstance(exact, Fraction):
        apart = (decimal - exact) * 10**places
        nearer_zero = abs(decimal) < abs(exact)
    else:
        near = exact.context.mpf(decimal.numerator) / decimal.denominator
        apart = (near - exact) * 10**places
        nearer_zero = abs(near) < abs(exact)
    return bool(abs(apart) <= 0.5 or (abs(apart) < 1 and nearer_zero))


def rounds(decimal: Expr, exact: Expr) -> bool:
    """Whether a decimal literal is a constant, rounded or cut to the places that it is written with."""
    if not (isinstance(decimal, Number) and decimal.places) or variables(exact):
        return False
    value = evaluated(exact, 0, DIGITS).value
    return _real(value) and _within(decimal.value, value, decimal.places)


def _terminates(denominator: int) -> bool:
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1
