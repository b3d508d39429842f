r"""Chains of equal constants, `2^{10} = 1024`, `P = 1-\frac14 = \frac34`: whether they hold."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Expr,
    Number,
    Quantity,
    Symbol,
    is_expr,
    unitless,
    variables,
    walk,
)
from harness.graders.latex.text import units
from harness.graders.latex.values.equality import rounds, same_expr
from harness.graders.latex.values.operations import OPERATIONS

_NO_CONSTANT = frozenset({"mod", "pm", "mp"})
_IN_DEGREES = frozenset({"sin", "cos", "tan", "cot", "sec", "csc"})
_NAMES = (Symbol("e"), Symbol("i"))
_MOST_ZEROS = 400
_PER_UNIT = {"percent": "percent", "degree": "degrees"}


def contradicts(sides: Sequence[Answer]) -> bool:
    """Whether constants that are said to be equal are not: `2^{60} = 1024`.

    A decimal may round the other side, and a unit may stand on one side alone. What may be a name
    (e, i), a residue or an angle without its degree sign is not judged, and neither is the way to the
    value of a name, `z = 3+3 = 2`: the last side is what it states.
    """
    if not sides or not _is_constant(sides[0]):
        return False
    constants = [side for side in sides if _is_constant(side)]
    return len(constants) > 1 and not all(_agree(side, constants[-1]) for side in constants[:-1])


def _is_constant(side: Answer) -> bool:
    value = unitless(side)
    if not is_expr(value) or isinstance(value, Symbol) or variables(value):
        return False
    for node in walk(value):
        if not isinstance(node, Apply):
            continue
        if node.op not in OPERATIONS or node.op in _NO_CONSTANT:
            return False
        if node.op == "pow" and node.args[0] in _NAMES and isinstance(node.args[1], Number):
            return False
        if node.op in _IN_DEGREES and isinstance(node.args[0], Number):
            return False
    return True


def _agree(one: Answer, other: Answer) -> bool:
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        (kind, factor), (other_kind, other_factor) = (
            units.in_base(each.unit) for each in (one, other)
        )
        if kind == other_kind and factor != other_factor:
            return _equal(_scaled(one.value, factor), _scaled(other.value, other_factor))
    return any(_equal(*pair) for pair in product(_readings(one), _readings(other)))


def _readings(side: Answer) -> tuple[Expr, ...]:
    """A value as it stands, and as the number that its percent or degree sign makes of it."""
    if isinstance(side, Quantity):
        mark, value = _PER_UNIT.get(side.unit), side.value
        if mark == "percent" and isinstance(value, Number):
            return (value, Number(value.value / 100, (value.places or 0) + 2))
        return (value, Apply(mark, (value,))) if mark else (value,)
    return (side,) if is_expr(side) else ()


def _scaled(value: Expr, factor: Fraction) -> Expr:
    return Apply("mul", (value, Number(factor)))


def _equal(one: Expr, other: Expr) -> bool:
    return same_expr(one, other) is not False or _rounds(one, other) or _rounds(other, one)


def _rounds(decimal: Expr, exact: Expr) -> bool:
    """Whether a decimal, which may have a power of ten behind it, is a constant as far as it is written out."""
    match decimal:
        case Apply("mul", (Number() as digits, Apply("pow", (Number(ten), Number(power))))):
            if ten == 10 and abs(power) < _MOST_ZEROS:
                return rounds(digits, Apply("mul", (exact, Number(Fraction(10) ** -int(power)))))
    return rounds(decimal, exact)
