"""Whether two answers are the same: yes, no, or not known (None).

`exact` is the relation that votes are counted by: reflexive, symmetric, transitive, without
decimals for exact values and without dropping a unit. Grading against a reference answer allows
more: a unit or a name that only one side has, and a decimal of six places for a value that has
no finite decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from harness.graders.latex import stated
from harness.graders.latex.meaning.canonical import is_name
from harness.graders.latex.meaning.proportions import proportional, same_ratios
from harness.graders.latex.meaning.residues import are_residues, is_residue, same_residues
from harness.graders.latex.meaning.systems import by_name
from harness.graders.latex.meaning.vectors import components, coordinates
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Based,
    Brackets,
    Clock,
    Collection,
    Matrix,
    Named,
    Number,
    Qualified,
    Quantity,
    Relation,
    Restated,
    Symbol,
    is_expr,
    unitless,
    unnamed,
    variables,
    walk,
)
from harness.graders.latex.text import units
from harness.graders.latex.values.equality import Sameness, every, same_expr


def same(one: Answer, other: Answer, *, exact: bool = False) -> Sameness:
    """Whether two answers in canonical form are the same.

    Args:
        one: an answer, see `meaning`.
        other: the other.
        exact: compare as votes are counted; else as answers are graded.

    Returns:
        None where that is not known.
    """
    if one == other:
        return True
    if is_expr(one) and is_expr(other):
        residues = is_residue(one) or is_residue(other) if exact else are_residues(one, other)
        return (same_residues if residues else same_expr)(one, other, exact=exact)
    for kind, compare in _BY_KIND:
        if isinstance(one, kind) or isinstance(other, kind):
            return compare(one, other, exact)
    return _same_built(one, other, exact)


def _same_built(one: Answer, other: Answer, exact: bool) -> Sameness:
    """Whether two answers, one of them no expression, are the same."""
    match one, other:
        case Based(), Based():
            return False
        case Brackets(), Brackets():
            return _same_brackets(one, other, exact)
        case Collection(), Collection():
            return _same_collections(one, other, exact)
        case Matrix(), Matrix():
            return _same_matrices(one, other, exact)
        case Relation(), Relation():
            return _same_relations(one, other, exact)
    if exact:
        return False
    return _either((_same_across(one, other), _same_across(other, one)))


def _pairwise(one: Sequence[Answer], other: Sequence[Answer], exact: bool) -> Sameness:
    if len(one) != len(other):
        return False
    return every(same(a, b, exact=exact) for a, b in zip(one, other, strict=True))


def _same_across(one: Answer, other: Answer) -> Sameness:
    """Answers of different kinds that a reader takes for the same."""
    if isinstance(one, Collection) and isinstance(other, Brackets):
        listed = one.kind in ("list", "system") and not (
            len(one.items) == 2 and other.opening == "["
        )
        if listed and {other.opening, other.closing} in ({"(", ")"}, {"[", "]"}, {"<", ">"}):
            items = by_name(one) if one.kind == "system" else one.items
            return _pairwise(items, other.items, False)
    if isinstance(one, Relation) and one.operators == (":",) and is_expr(other):
        upper, lower = one.sides
        if is_expr(upper) and is_expr(lower) and not is_residue(other):
            return same_expr(Apply("div", (upper, lower)), other)
    if isinstance(one, Matrix) and is_expr(other) and len(one.rows) == 2 and len(one.rows[0]) == 1:
        written = any(isinstance(node, Apply) and node.op == "binomial" for node in walk(other))
        if written:
            return same_expr(Apply("binomial", (one.rows[0][0], one.rows[1][0])), other)
    entries = components(one)
    if entries is None:
        return False
    if isinstance(one, Matrix) and isinstance(other, Brackets):
        vector = components(other)
        return vector is not None and _pairwise(entries, vector, False)
    if isinstance(other, Apply):
        along = coordinates(other, len(entries))
        return along is not None and _pairwise(entries, along, False)
    return False


def _same_named(one: Answer, other: Answer, exact: bool) -> Sameness:
    if isinstance(one, Named) and isinstance(other, Named):
        names = same_expr(one.name, other.name, exact=True)
        if names:
            return same(one.value, other.value, exact=exact)
        if is_name(one.name) and is_name(other.name):
            functions = {isinstance(one.name, Apply), isinstance(other.name, Apply)}
            return (
                same(one.value, other.value)
                if len(functions) == 2 and not exact and _has_variables(one.value)
                else False
            )
    if isinstance(one, Named | Relation) and isinstance(other, Named | Relation):
        return _same_relations(_as_relation(one), _as_relation(other), exact)
    if exact:
        return False
    return same(unnamed(one), unnamed(other))


def _has_variables(answer: Answer) -> bool:
    return is_expr(answer) and bool(variables(answer))


def _as_relation(answer: Named | Relation) -> Relation:
    if isinstance(answer, Relation):
        return answer
    return Relation((answer.name, answer.value), ("=",))


def _same_quantity(one: Answer, other: Answer, exact: bool) -> Sameness:
    if not (isinstance(one, Quantity) and isinstance(other, Quantity)):
        if exact:
            return False
        bare = same(unitless(one), unitless(other))
        return bare or _same_with_letter(one, other) or _same_with_letter(other, one) or bare
    kind, factor = units.in_base(one.unit)
    other_kind, other_factor = units.in_base(other.unit)
    if kind == other_kind:
        if factor == other_factor:
            return same_expr(one.value, other.value, exact=exact)
        return same_expr(
            Apply("mul", (one.value, Number(factor))),
            Apply("mul", (other.value, Number(other_factor))),
        )
    if exact or not units.compatible(one.unit, other.unit):
        return False
    return same_expr(one.value, other.value)


def _same_with_letter(one: Answer, other: Answer) -> Sameness:
    """`3 m` with m in italics, against 3 metres."""
    letter = units.symbol(one.unit) if isinstance(one, Quantity) else None
    if letter is None or not isinstance(one, Quantity) or not is_expr(other):
        return False
    if variables(other) != {letter[0]}:
        return False
    power = Apply("pow", (Symbol(letter[0]), Number(Fraction(letter[1]))))
    return same_expr(Apply("mul", (one.value, power)), other)


def _same_brackets(one: Brackets, other: Brackets, exact: bool) -> Sameness:
    first, second = (b.opening + b.closing for b in (one, other))
    alike = first == second or {first, second} == {"()", "<>"}
    if not alike and (exact or len(one.items) < 3 or {"(]", "[)"} & {first, second}):
        return False
    return _pairwise(one.items, other.items, exact)


def _same_collections(one: Collection, other: Collection, exact: bool) -> Sameness:
    if "sequence" in (one.kind, other.kind):
        return one.kind == other.kind and _pairwise(one.items, other.items, exact)
    if "system" in (one.kind, other.kind):
        return _same_solutions(one, other, exact)
    if (one.kind == "union") != (other.kind == "union"):
        unions = all(isinstance(item, Brackets) for item in (*one.items, *other.items))
        if exact or not unions:
            return False
    if len(one.items) != len(other.items):
        return False
    left = list(other.items)
    unknown = False
    for item in one.items:
        answers = [same(item, candidate, exact=exact) for candidate in left]
        if True in answers:
            left.pop(answers.index(True))
        elif None in answers:
            unknown = True
        else:
            return False
    return None if unknown else True


def _same_solutions(one: Collection, other: Collection, exact: bool) -> Sameness:
    """Solutions of a system: by the names of the unknowns; bare values in that order or as written."""
    if one.kind != "system":
        one, other = other, one
    if other.kind == "system":
        return _pairwise(sorted(one.items, key=str), sorted(other.items, key=str), exact)
    if exact or other.kind != "list" or any(isinstance(item, Named) for item in other.items):
        return False
    written = [unnamed(item) for item in one.items]
    return _either(_pairwise(order, other.items, False) for order in (by_name(one), written))


def _either(answers: Iterable[Sameness]) -> Sameness:
    """Yes if one is, not known if one is not, else no."""
    known: Sameness = False
    for answer in answers:
        if answer:
            return True
        if answer is None:
            known = None
    return known


def _same_matrices(one: Matrix, other: Matrix, exact: bool) -> Sameness:
    if len(one.rows) != len(other.rows):
        return False
    return every(
        _pairwise(row, other_row, exact)
        for row, other_row in zip(one.rows, other.rows, strict=True)
    )


def _same_relations(one: Relation, other: Relation, exact: bool) -> Sameness:
    if set(one.operators) == set(other.operators) == {":"}:
        parts, other_parts = (
            [side for side in each.sides if is_expr(side)] for each in (one, other)
        )
        if len(parts) == len(other_parts) == len(one.sides) == len(other.sides):
            return same_ratios(parts, other_parts)
    if len(one.operators) == len(other.operators) == 1:
        (first,), (second,) = one.operators, other.operators
        sides = (*one.sides, *other.sides)
        if all(is_expr(side) for side in sides):
            if first == second and first in ("=", "!="):
                return proportional(one, other, signed=False)
            if (first in "<=" and second in (first, first.replace("<", ">"))) or (
                first in (">", ">=") and second in (first, first.replace(">", "<"))
            ):
                return proportional(one, other, signed=True)
        if first == second == "cap":
            return _same_collections(
                Collection("set", one.sides), Collection("set", other.sides), exact
            )
    if one.operators != other.operators:
        return False
    return _pairwise(one.sides, other.sides, exact)


_BY_KIND: tuple[tuple[type, Callable[[Answer, Answer, bool], Sameness]], ...] = (
    (Qualified, lambda one, other, exact: stated.same_qualified(one, other, exact, same)),
    (Restated, lambda one, other, exact: stated.same_restated(one, other, exact, same)),
    (Clock, lambda one, other, exact: stated.same_clock(one, other, exact, same)),
    (Named, _same_named),
    (Quantity, _same_quantity),
)
"""How answers compare of which one is of a kind, the first that holds."""
