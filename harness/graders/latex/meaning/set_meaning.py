"""What sets of real numbers come to: unions, differences, conditions that hold together, set-builders."""

from __future__ import annotations

from collections.abc import Sequence

from harness.graders.latex.meaning.inequalities import CONDITIONS
from harness.graders.latex.meaning.real_sets import (
    EMPTY,
    INFINITY,
    MINUS_INFINITY,
    Interval,
    canonical,
    difference,
    integers_in,
    intersection,
    intervals_of,
    is_integers,
    point,
)
from harness.graders.latex.syntax import (
    Answer,
    Brackets,
    Collection,
    Named,
    Relation,
    Symbol,
    is_expr,
    variables,
)


def united(items: Sequence[Answer]) -> Answer:
    """The union of sets: merged where all of their bounds are known, else as it is written."""
    union = Collection("union", tuple(items))
    found = intervals_of(union)
    return union if found is None else canonical(found)


def combination(operator: str, one: Answer, other: Answer) -> Answer:
    """The intersection (`cap`) or difference (`minus`) of two sets, if their bounds are known."""
    first, second = intervals_of(one), intervals_of(other)
    if second is None and is_expr(other):  # {0}, read as the number 0
        second = point(other)
    if first is not None and second is not None:
        join = intersection if operator == "cap" else difference
        return canonical(join(first, second))
    if operator == "cap":
        whole = _integers(one, second) or _integers(other, first)
        if whole is not None:
            return canonical(whole)
    return Relation((one, other), (operator,))


def combined(items: Sequence[Answer], *, either: bool) -> Named | None:
    """Conditions on one variable as the set that they describe; None where they are no conditions.

    Args:
        items: the conditions: a variable and the set that it lies in.
        either: whether one of them has to hold, else all, except where no number fulfils all.
    """
    named = [item for item in items if isinstance(item, Named)]
    names = {item.name for item in named}
    if len(named) < len(items) or len(names) != 1:
        return None
    values = [item.value for item in named]
    if not any(isinstance(value, Brackets) or _is_set(value) for value in values):
        return None
    whole = [value for value in values if is_integers(value)]
    sets = [
        intervals_of(value) or (point(value) if either and is_expr(value) else None)
        for value in values
        if value not in whole
    ]
    known = [found for found in sets if found is not None]
    if len(known) < len(sets) or (whole and either):
        return None
    everything = [interval for found in known for interval in found]
    if either:
        return Named(named[0].name, canonical(everything))
    held = known[0]
    for found in known[1:]:
        held = intersection(held, found)
    for value in whole:
        integers = _integers(value, held)
        if integers is None:
            return None
        held = integers
    described = canonical(held)
    return Named(named[0].name, canonical(everything) if described == EMPTY else described)


def described(name: Symbol, domain: Answer, condition: Answer) -> Answer | None:
    """The set of the elements of a domain that fulfil a condition on `name`, where it is known."""
    if isinstance(condition, Collection) and condition.kind == "list":
        items = [item for item in condition.items if isinstance(item, Named) and item.name == name]
        values = [item.value for item in items if is_expr(item.value)]
        if len(values) < len(condition.items):
            return None
        condition = Named(name, Collection("set", tuple(values)))
    if not isinstance(condition, Named) or condition.name != name:
        return None
    fulfilled = intervals_of(condition.value)
    if fulfilled is None and is_expr(condition.value) and not is_integers(condition.value):
        fulfilled = point(condition.value)
    if fulfilled is None:
        return condition.value if intervals_of(domain) else None
    if is_integers(domain):
        whole = _integers(domain, fulfilled)
        return None if whole is None else canonical(whole)
    inside = intervals_of(domain)
    return None if inside is None else canonical(intersection(inside, fulfilled))


def says_where(answer: Answer) -> bool:
    """Whether a relation says where a variable lies: x < 3, x != 0, x in (0, 1), x = 2."""
    if not isinstance(answer, Relation):
        return not variables(answer) if is_expr(answer) else False
    return set(answer.operators) <= CONDITIONS and not (
        answer.operators == ("=",) and isinstance(answer.sides[1], Brackets)
    )


def is_interval(answer: Answer) -> bool:
    """Whether brackets can be nothing but an interval."""
    if not isinstance(answer, Brackets):
        return False
    return answer.opening + answer.closing in ("(]", "[)") or bool(
        {INFINITY, MINUS_INFINITY}.intersection(answer.items)
    )


def each_excluded(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """`x != 1, 2` as `x != 1, x != 2`."""
    first, *others = items
    if not (isinstance(first, Relation) and first.operators == ("!=",)):
        return items
    name = first.sides[0]
    return (
        first,
        *(
            Relation((name, other), ("!=",)) if is_expr(other) and not variables(other) else other
            for other in others
        ),
    )


def _integers(answer: Answer, intervals: Sequence[Interval] | None) -> list[Interval] | None:
    if not isinstance(answer, Symbol) or intervals is None:
        return None
    return integers_in(answer.name, intervals)


def _is_set(answer: Answer) -> bool:
    return isinstance(answer, Collection) and answer.kind in ("set", "union")
