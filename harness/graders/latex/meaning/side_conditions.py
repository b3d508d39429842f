"""What in a list or relation is said beside the value: conditions, ranges, second statements."""

from __future__ import annotations

from harness.graders.latex.meaning.sequences import ELLIPSIS
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Collection,
    Named,
    Number,
    Qualified,
    Quantity,
    Relation,
    Symbol,
    is_expr,
    unnamed,
    variables,
)
from harness.graders.latex.values.equality import same_expr


def restricted(items: list[Answer]) -> Answer | None:
    """The first item under the conditions that the others are: `2^{n-1}, n >= 1`; None for a list."""
    value, *conditions = items
    bare = unnamed(value)
    if not is_expr(bare) or not (free := variables(bare)):
        return None
    if _is_range(conditions, free):
        return value
    if not all(_restricts(item, free) for item in conditions):
        return None
    joined = conditions[0] if len(conditions) == 1 else Collection("list", tuple(conditions))
    return Qualified(value, joined)


def _restricts(item: Answer, free: set[str]) -> bool:
    """Whether an item says where one of the variables may lie."""
    name: Answer = item
    if isinstance(item, Named):
        lies = item.value
        union = isinstance(lies, Collection) and lies.kind == "union"
        named_set = isinstance(lies, Symbol) and lies.name.startswith("mathbb")
        name = item.name if isinstance(lies, Brackets) or union or named_set else item
    elif isinstance(item, Relation) and item.operators == ("!=",):
        name = item.sides[0]
    return isinstance(name, Symbol) and name.name in free


def _is_range(items: list[Answer], free: set[str]) -> bool:
    """Whether the items list values of a variable: `n = 1, 2, 3, ...`."""
    first, *others = items
    if not isinstance(first, Named) or ELLIPSIS not in others:
        return False
    named = isinstance(first.name, Symbol) and first.name.name in free
    return named and all(is_expr(item) for item in (first.value, *others))


def percent_as_number(answer: Answer) -> Answer:
    """A percentage as its decimal: 0.6 for `60%`; any other answer as it is."""
    if isinstance(answer, Quantity) and answer.unit == "percent":
        return Apply("percent", (answer.value,))
    return answer


def restates(one: Answer, other: Answer) -> bool:
    """Whether both are one constant, a percentage being its decimal: `1/3 or 33 1/3 %`."""
    first, second = percent_as_number(one), percent_as_number(other)
    if not is_expr(first) or not is_expr(second) or variables(first) or variables(second):
        return False
    return same_expr(first, second, exact=True) is True


def nearly_first(before: Answer, after: Answer) -> bool:
    """Whether a decimal is said before the constant that it rounds: `0.333 ≈ 1/3`."""
    if not isinstance(before, Number) or not before.places or not is_expr(after):
        return False
    return not isinstance(after, Number) and not variables(after)
