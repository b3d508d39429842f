"""Vectors: columns, tuples in brackets, and sums of the unit vectors i, j and k."""

from __future__ import annotations

from fractions import Fraction

from harness.graders.latex.meaning.inequalities import substituted
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Expr,
    Matrix,
    Number,
    Symbol,
    variables,
)
from harness.graders.latex.values.equality import same_expr
from harness.graders.latex.values.matrices import transposed

_UNITS = ("vec i", "vec j", "vec k")
_LETTERS = ("i", "j", "k")
_ZERO, _ONE = Number(Fraction(0)), Number(Fraction(1))


def components(answer: Answer) -> tuple[Expr, ...] | None:
    """The entries of a column, or of a tuple in brackets; None for anything else."""
    if isinstance(answer, Matrix) and len(answer.rows[0]) == 1:
        return tuple(row[0] for row in answer.rows)
    column = transposed(answer) if isinstance(answer, Brackets) else None
    return None if column is None else tuple(row[0] for row in column.rows)


def coordinates(expr: Expr, size: int) -> tuple[Expr, ...] | None:
    """The coefficients of i, j and k in a sum of them; None for anything else.

    Args:
        expr: the sum.
        size: 2 or 3, how many of the unit vectors there are.
    """
    names = variables(expr)
    units = _UNITS if names.intersection(_UNITS) else _LETTERS
    if not names.intersection(units) or size not in (2, 3):
        return None
    if size == 2 and units[2] in names:
        return None

    def at(*values: Expr) -> Expr:
        placed = expr
        for unit, value in zip(units, values, strict=True):
            placed = substituted(placed, unit, value)
        return placed

    found = (at(_ONE, _ZERO, _ZERO), at(_ZERO, _ONE, _ZERO), at(_ZERO, _ZERO, _ONE))
    linear = Apply(
        "add",
        tuple(
            Apply("mul", (entry, Symbol(unit))) for entry, unit in zip(found, units, strict=True)
        ),
    )
    if units == _LETTERS:  # a letter i stands for the imaginary unit elsewhere
        renamed = zip(_LETTERS, _UNITS, strict=True)
        for letter, unit in renamed:
            expr = substituted(expr, letter, Symbol(unit))
            linear = substituted(linear, letter, Symbol(unit))  # type: ignore[assignment]
    return found[:size] if same_expr(linear, expr, exact=True) else None
