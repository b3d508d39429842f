"""What is said beside a value: a condition on its variables, or the same value once more."""

from __future__ import annotations

from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Brackets,
    Collection,
    Named,
    Quantity,
    Relation,
    Symbol,
    is_expr,
    variables,
)
from harness.graders.latex.values import same_expr


def restates(one: Answer, other: Answer) -> bool:
    """Whether both are one constant, a percentage being its decimal: `1/3 or 33 1/3 %`."""
    first, second = (
        Apply("percent", (item.value,))
        if isinstance(item, Quantity) and item.unit == "percent"
        else item
        for item in (one, other)
    )
    if not is_expr(first) or not is_expr(second) or variables(first) or variables(second):
        return False
    return same_expr(first, second, exact=True) is True


def is_condition(items: list[Answer], value: Answer) -> bool:
    """Whether all items restrict variables of the value: `2^{n-1}, n >= 1`."""
    value = value.value if isinstance(value, Named) else value
    if not is_expr(value) or not (free := variables(value)):
        return False
    for item in items:
        if isinstance(item, Named):
            name: Answer = item.name
            if not _is_set(item.value):
                return False
        elif isinstance(item, Relation) and item.operators == ("!=",):
            name = item.sides[0]
        else:
            return False
        if not isinstance(name, Symbol) or name.name not in free:
            return False
    return True


def _is_set(answer: Answer) -> bool:
    if isinstance(answer, Collection):
        return answer.kind == "union"
    return isinstance(answer, Brackets) or (
        isinstance(answer, Symbol) and answer.name.startswith("mathbb")
    )
