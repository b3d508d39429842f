"""Sums and products of expressions and matrices, entry by entry."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Expr,
    Matrix,
    Number,
    Symbol,
    Unreadable,
    is_expr,
)

_MAX_FACTORS = 3  # each multiplies the size of the entries
_PAIRS = ("()", "[]", "<>")
_MAX_SIZE = 12  # rows or columns of a matrix that is multiplied


def add(terms: Sequence[Answer]) -> Answer:
    """The sum of expressions, or of matrices of one shape.

    Raises:
        Unreadable: anything else.
    """
    if len(terms) == 1:
        return terms[0]
    exprs = [term for term in terms if is_expr(term)]
    if len(exprs) == len(terms):
        return Apply("add", tuple(exprs))
    matrices = [term for term in terms if isinstance(term, Matrix)]
    shapes = {(len(matrix.rows), len(matrix.rows[0])) for matrix in matrices}
    if len(matrices) < len(terms) or len(shapes) > 1:
        raise Unreadable("a sum of things that do not add")
    return Matrix(
        tuple(
            tuple(Apply("add", entries) for entries in zip(*rows, strict=True))
            for rows in zip(*(matrix.rows for matrix in matrices), strict=True)
        )
    )


def multiply(factors: Sequence[Answer]) -> Answer:
    """The product of expressions and matrices.

    Raises:
        Unreadable: matrices that do not fit, or anything else.
    """
    exprs = [factor for factor in factors if is_expr(factor)]
    if len(exprs) == len(factors):
        return exprs[0] if len(exprs) == 1 else Apply("mul", tuple(exprs))
    matrices = [factor for factor in factors if isinstance(factor, Matrix)]
    if len(matrices) + len(exprs) < len(factors):
        raise Unreadable("a tuple or the like inside a product")
    if len(matrices) > _MAX_FACTORS:
        raise Unreadable("a long product of matrices")
    product = matrices[0]
    for matrix in matrices[1:]:
        product = _product(product, matrix)
    if not exprs:
        return product
    return Matrix(
        tuple(tuple(Apply("mul", (*exprs, entry)) for entry in row) for row in product.rows)
    )


def negate(answer: Answer) -> Answer:
    """The answer with the other sign; a literal stays a literal.

    Raises:
        Unreadable: a tuple, a set or the like.
    """
    if isinstance(answer, Number):
        return Number(-answer.value, answer.places)
    if isinstance(answer, Symbol | Apply):
        return Apply("neg", (answer,))
    return multiply([Number(Fraction(-1)), answer])


def transposed(answer: Answer) -> Matrix | None:
    """The transpose of a matrix; a row in brackets becomes a column."""
    if isinstance(answer, Matrix):
        return Matrix(tuple(zip(*answer.rows, strict=True)))
    if isinstance(answer, Brackets) and answer.opening + answer.closing in _PAIRS:
        entries = [item for item in answer.items if is_expr(item)]
        if len(entries) == len(answer.items):
            return Matrix(tuple((entry,) for entry in entries))
    return None


def _product(one: Matrix, other: Matrix) -> Matrix:
    columns = list(zip(*other.rows, strict=True))
    if len(one.rows[0]) != len(other.rows) or max(len(one.rows), len(columns)) > _MAX_SIZE:
        raise Unreadable("matrices that do not multiply")
    return Matrix(tuple(tuple(_dot(row, column) for column in columns) for row in one.rows))


def _dot(row: Sequence[Expr], column: Sequence[Expr]) -> Expr:
    return Apply("add", tuple(Apply("mul", pair) for pair in zip(row, column, strict=True)))
