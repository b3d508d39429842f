"""Whether two answers are the same: yes, no, or not known (None).

`exact` is the relation that votes are counted by: reflexive, symmetric, transitive, without
decimals for exact values and without dropping a unit. Grading against a reference answer allows
more: a unit or a name that only one side has, and a decimal of six places for a value that has
no finite decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from harness.graders.latex import stated, units
from harness.graders.latex.evaluate import POINTS, Evaluator
from harness.graders.latex.meaning import is_name
from harness.graders.latex.operations import Undefined, Value
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Based,
    Brackets,
    Clock,
    Collection,
    Expr,
    Matrix,
    Named,
    Number,
    Qualified,
    Quantity,
    Relation,
    Restated,
    Symbol,
    Unreadable,
    is_expr,
    variables,
    walk,
)
from harness.graders.latex.values import Sameness, every, same_expr


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
    for kind, compare in _BY_KIND:
        if isinstance(one, kind) or isinstance(other, kind):
            return compare(one, other, exact)
    if is_expr(one) and is_expr(other):
        return same_expr(one, other, exact=exact)
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
    return False if exact else _same_across(one, other) or _same_across(other, one)


def _pairwise(one: Sequence[Answer], other: Sequence[Answer], exact: bool) -> Sameness:
    if len(one) != len(other):
        return False
    return every(same(a, b, exact=exact) for a, b in zip(one, other, strict=True))


def _same_across(one: Answer, other: Answer) -> Sameness:
    """Answers of different kinds that a reader takes for the same."""
    if isinstance(one, Collection) and isinstance(other, Brackets):
        listed = one.kind == "list" and not (len(one.items) == 2 and other.opening == "[")
        if listed and {other.opening, other.closing} in ({"(", ")"}, {"[", "]"}, {"<", ">"}):
            return _pairwise(_by_name(one.items), other.items, False)
    if isinstance(one, Relation) and one.operators == (":",) and is_expr(other):
        upper, lower = one.sides
        if is_expr(upper) and is_expr(lower):
            return same_expr(Apply("div", (upper, lower)), other)
    if isinstance(one, Matrix) and is_expr(other) and len(one.rows) == 2 and len(one.rows[0]) == 1:
        written = any(isinstance(node, Apply) and node.op == "binomial" for node in walk(other))
        return written and same_expr(Apply("binomial", (one.rows[0][0], one.rows[1][0])), other)
    if isinstance(one, Matrix) and isinstance(other, Brackets):
        column = len(one.rows[0]) == 1 and other.opening in ("(", "<") and other.closing != "]"
        return column and _pairwise([row[0] for row in one.rows], other.items, False)
    return False


def _by_name(items: tuple[Answer, ...]) -> tuple[Answer, ...]:
    """`y = 6, x = 7` in the order of the names, without them; anything else as it is."""
    named = [item for item in items if isinstance(item, Named) and isinstance(item.name, Symbol)]
    if len(named) < len(items):
        return items
    ordered = sorted(
        named, key=lambda item: item.name.name if isinstance(item.name, Symbol) else ""
    )
    return tuple(item.value for item in ordered)


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
    return same(
        one.value if isinstance(one, Named) else one,
        other.value if isinstance(other, Named) else other,
    )


def _has_variables(answer: Answer) -> bool:
    return isinstance(answer, Number | Symbol | Apply) and bool(variables(answer))


def _as_relation(answer: Named | Relation) -> Relation:
    if isinstance(answer, Relation):
        return answer
    return Relation((answer.name, answer.value), ("=",))


def _same_quantity(one: Answer, other: Answer, exact: bool) -> Sameness:
    if not (isinstance(one, Quantity) and isinstance(other, Quantity)):
        if exact:
            return False
        bare = same(
            one.value if isinstance(one, Quantity) else one,
            other.value if isinstance(other, Quantity) else other,
        )
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


def _same_matrices(one: Matrix, other: Matrix, exact: bool) -> Sameness:
    if len(one.rows) != len(other.rows):
        return False
    return every(
        _pairwise(row, other_row, exact)
        for row, other_row in zip(one.rows, other.rows, strict=True)
    )


def _same_relations(one: Relation, other: Relation, exact: bool) -> Sameness:
    if len(one.operators) == len(other.operators) == 1:
        (first,), (second,) = one.operators, other.operators
        sides = (*one.sides, *other.sides)
        if all(is_expr(side) for side in sides):
            if first == second and first in ("=", "!="):
                return _proportional(one, other, signed=False)
            if (first in "<=" and second in (first, first.replace("<", ">"))) or (
                first in (">", ">=") and second in (first, first.replace(">", "<"))
            ):
                return _proportional(one, other, signed=True)
        if first == second == "cap":
            return _same_collections(
                Collection("set", one.sides), Collection("set", other.sides), exact
            )
    if one.operators != other.operators:
        return False
    return _pairwise(one.sides, other.sides, exact)


def _difference(relation: Relation) -> Expr:
    """Left - right, turned so that "less than zero" is what an inequality says."""
    left, right = relation.sides
    if relation.operators[0] in (">", ">="):
        left, right = right, left
    return Apply("add", (left, Apply("neg", (right,))))  # type: ignore[arg-type]


def _proportional(one: Relation, other: Relation, *, signed: bool) -> Sameness:
    """Whether the differences of both sides have one ratio everywhere (positive if `signed`)."""
    first, second = _difference(one), _difference(other)
    if not variables(first) and not variables(second):
        return _pairwise(one.sides, other.sides, True)
    ratio: Value = None
    for point in range(POINTS):
        ev = Evaluator(point)
        try:
            above, below = ev.real(ev.value(first)), ev.real(ev.value(second))
            if abs(below) < 1e-25 or abs(above) < 1e-25:
                return None if ev.opaque else False
            now = above / below
        except (Undefined, Unreadable, ZeroDivisionError):
            return None
        if ratio is not None and abs(now - ratio) > abs(ratio) * ev.ctx.mpf("1e-40"):
            return None if ev.opaque else False
        if signed and not (ev.ctx.im(now) == 0 and ev.ctx.re(now) > 0):
            return False
        ratio = now
    return True


_BY_KIND: tuple[tuple[type, Callable[[Answer, Answer, bool], Sameness]], ...] = (
    (Qualified, lambda one, other, exact: stated.same_qualified(one, other, exact, same)),
    (Restated, lambda one, other, exact: stated.same_restated(one, other, exact, same)),
    (Clock, lambda one, other, exact: stated.same_clock(one, other, exact, same)),
    (Named, _same_named),
    (Quantity, _same_quantity),
)
"""How answers compare of which one is of a kind, the first that holds."""
