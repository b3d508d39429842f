"""What an answer can be: expressions, and what is built of them. Values without behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeGuard


class Unreadable(ValueError):
    """A text that the parser does not read as a whole, or an expression beyond its caps."""


@dataclass(frozen=True, slots=True)
class Number:
    """An exact rational. `places` counts the digits after the point of a decimal literal."""

    value: Fraction
    places: int | None = None


@dataclass(frozen=True, slots=True)
class Symbol:
    """A variable, a named constant, or a word in quotes."""

    name: str


@dataclass(frozen=True, slots=True)
class Apply:
    """An operation on expressions: `add`, `pow`, `sin`, `sum`, ..; see `evaluate` for each."""

    op: str
    args: tuple[Expr, ...]


Expr = Number | Symbol | Apply


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value with a unit, by its name in `units`."""

    value: Expr
    unit: str


@dataclass(frozen=True, slots=True)
class Based:
    """An integer written in a base other than ten: its digits are the answer, not its value."""

    digits: str
    base: int


@dataclass(frozen=True, slots=True)
class Brackets:
    """A tuple or an interval: an ordered row of answers between `opening` and `closing`."""

    opening: str
    closing: str
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Collection:
    """Several answers: a `list`, `or`, `set` or `union`, whose order does not matter.

    Or a `system`: a solution by the names of its unknowns; or a `sequence` with an ellipsis, in order.
    """

    kind: str
    items: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of equal length."""

    rows: tuple[tuple[Expr, ...], ...]


@dataclass(frozen=True, slots=True)
class Relation:
    """sides[0] operators[0] sides[1] .. ; an equation, an inequality or a chain of them."""

    sides: tuple[Answer, ...]
    operators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A value with the name that it was given: `x = 5`, `f(y) = y`, `m+n = 25`."""

    name: Expr
    value: Answer


@dataclass(frozen=True, slots=True)
class Qualified:
    """A value with the condition that it was stated under: `2^{n-1}` for `n >= 1`."""

    value: Answer
    condition: Answer


@dataclass(frozen=True, slots=True)
class Restated:
    """A value stated twice: `3/5 = 60%`."""

    first: Answer
    last: Answer


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day: seconds on the dial of twelve hours, and `am`, `pm` or an unknown half.

    `written` holds the hour and the minute as written: a colon may mean a ratio as well.
    """

    seconds: int
    half: str
    written: tuple[int, ...] = field(default=(), compare=False)


Answer = (
    Number
    | Symbol
    | Apply
    | Quantity
    | Based
    | Brackets
    | Collection
    | Matrix
    | Relation
    | Named
    | Qualified
    | Restated
    | Clock
)

CONSTANTS = frozenset({"pi", "e", "i"})
"""Symbols that stand for a number."""


def is_expr(answer: Answer) -> TypeGuard[Expr]:
    """Whether an answer is one expression."""
    return isinstance(answer, Number | Symbol | Apply)


def walk(expr: Expr) -> Iterator[Expr]:
    """The expression and all that it is built of, outermost first."""
    waiting = [expr]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, Apply):
            waiting.extend(node.args)


def variables(expr: Expr) -> set[str]:
    """Names of the symbols that are no constants."""
    return {node.name for node in walk(expr) if isinstance(node, Symbol)} - CONSTANTS


def unnamed(answer: Answer) -> Answer:
    """The value of an answer without its name: 5 in `x = 5`."""
    return answer.value if isinstance(answer, Named) else answer


def unitless(answer: Answer) -> Answer:
    """The value of an answer without its unit: 5 in `5 cm`."""
    return answer.value if isinstance(answer, Quantity) else answer


def children(answer: Answer) -> Iterable[Answer]:
    """What an answer is directly built of."""
    match answer:
        case Apply():
            return answer.args
        case Quantity():
            return (answer.value,)
        case Named():
            return (answer.name, answer.value)
        case Qualified():
            return (answer.value, answer.condition)
        case Restated():
            return (answer.first, answer.last)
        case Brackets() | Collection():
            return answer.items
        case Relation():
            return answer.sides
        case Matrix():
            return (entry for row in answer.rows for entry in row)
        case _:
            return ()


def height(answer: Answer) -> int:
    """Levels of an answer, a literal being one. Not recursive, so that it works at any depth."""
    highest, waiting = 1, [(answer, 1)]
    while waiting:
        node, level = waiting.pop()
        highest = max(highest, level)
        waiting.extend((child, level + 1) for child in children(node))
    return highest
