"""An answer in its canonical form: chains end in their value, inequalities are intervals, ± is two values."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TypeGuard

from harness.graders.latex.meaning.chains import contradicts
from harness.graders.latex.meaning.inequalities import solved
from harness.graders.latex.meaning.real_sets import (
    EMPTY,
    INFINITY,
    MINUS_INFINITY,
    RAYS,
    REALS,
    canonical,
    intervals_of,
)
from harness.graders.latex.meaning.residues import congruent, each_with_modulus, is_residue
from harness.graders.latex.meaning.sequences import ELLIPSIS, sequence
from harness.graders.latex.meaning.set_meaning import (
    combination,
    combined,
    described,
    each_excluded,
    is_interval,
    says_where,
    united,
)
from harness.graders.latex.meaning.side_conditions import nearly_first, restates, restricted
from harness.graders.latex.meaning.systems import solutions
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Based,
    Brackets,
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
    is_expr,
    unitless,
    variables,
    walk,
)

_BELOW = frozenset({"<", "<="})
_ABOVE = frozenset({">", ">="})
_MIRROR = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_MARK = re.compile(r"[a-z]+ |\"")


def meaning(answer: Answer) -> Answer:
    """The answer in the canonical form in which answers are compared."""
    match answer:
        case Number():
            return answer
        case Based(digits, 10):
            return Number(Fraction(int(digits)))
        case Matrix(((only,),)) | Relation((only,), ()):
            return meaning(only)
        case Relation():
            return _relation(answer)
        case Collection():
            return _collection(answer)
        case Brackets(opening, closing, items):
            return _brackets(opening, closing, tuple(meaning(item) for item in items))
        case Quantity(value, unit):
            return _quantity(value, unit)
        case Qualified(value, condition):
            return Qualified(meaning(value), meaning(condition))
        case Symbol() | Apply():
            return _expression(answer)
        case _:
            return answer


def _expression(expr: Symbol | Apply) -> Answer:
    if isinstance(expr, Symbol):
        return canonical(intervals_of(expr) or []) if expr.name in RAYS else expr
    values = split_signs(expr)
    return values[0] if len(values) == 1 else Collection("list", tuple(values))


def split_signs(expr: Expr) -> list[Expr]:
    """The expression without ±: itself, or both of what it stands for."""
    if not isinstance(expr, Apply) or not any(
        isinstance(node, Apply) and node.op in ("pm", "mp") for node in walk(expr)
    ):
        return [expr]
    return [_signed(expr, 1), _signed(expr, -1)]


def _signed(expr: Expr, sign: int) -> Expr:
    """The expression with every ± replaced by `sign` and every ∓ by its opposite."""
    if not isinstance(expr, Apply):
        return expr
    args = tuple(_signed(arg, sign) for arg in expr.args)
    if expr.op not in ("pm", "mp"):
        return Apply(expr.op, args)
    plus = (sign > 0) == (expr.op == "pm")
    return Apply("add", (args[0], args[1] if plus else Apply("neg", (args[1],))))


def _quantity(value: Expr, unit: str) -> Answer:
    values = split_signs(value)
    if len(values) == 1:
        return Quantity(value, unit)
    return Collection("list", tuple(Quantity(each, unit) for each in values))


def _brackets(opening: str, closing: str, items: tuple[Answer, ...]) -> Answer:
    if opening == "(" and closing == ")" and items == (MINUS_INFINITY, INFINITY):
        return Symbol("mathbb R")
    if any(isinstance(item, Collection) and item.kind == "list" for item in items):
        both = [
            tuple(
                item.items[at] if isinstance(item, Collection) and len(item.items) == 2 else item
                for item in items
            )
            for at in (0, 1)
        ]
        return Collection("list", tuple(Brackets(opening, closing, each) for each in both))
    return Brackets(opening, closing, items)


def _collection(answer: Collection) -> Answer:
    described = _described(answer)
    if described is not None:
        return described
    items: list[Answer] = []
    for item in each_with_modulus(each_excluded(answer.items)):
        meant = meaning(item)
        spliced = isinstance(meant, Collection) and meant.kind == "list"
        items.extend(meant.items if spliced and isinstance(meant, Collection) else [meant])
    if len(items) == 1:
        return Collection("set", (EMPTY,)) if items == [EMPTY] else items[0]
    qualified = restricted(items) if answer.kind == "list" else None
    if qualified is not None:
        return qualified
    if answer.kind == "or" and len(items) == 2 and restates(items[0], items[1]):
        return Restated(items[0], items[1])
    if ELLIPSIS in items:
        return sequence(items)
    if answer.kind == "union":
        return united(items)
    if answer.kind not in ("list", "or"):
        return Collection(answer.kind, tuple(items))
    return _listed(answer, items)


def _listed(answer: Collection, items: list[Answer]) -> Answer:
    """What a list of several answers comes to: a set, solutions of a system, or a list."""
    either = answer.kind == "or"
    conditions = combined(items, either=either) if all(map(says_where, answer.items)) else None
    if conditions is not None:
        return conditions
    brackets = all(isinstance(item, Brackets) and len(item.items) == 2 for item in items)
    if either and brackets and any(map(is_interval, items)):
        return united(items)
    return solutions(items) or Collection("list", tuple(items))


def _described(answer: Collection) -> Answer | None:
    """`{x : x < 3}` is the interval; None for a set that lists its elements."""
    (first, *others) = answer.items
    if answer.kind != "set" or others or not isinstance(first, Relation):
        return None
    if first.operators != (":",):
        return None
    domain: Answer = REALS
    match first.sides:
        case Relation((Symbol() as name, inside), ("in",)), condition:
            domain = meaning(inside)
        case Symbol() as name, condition:
            pass
        case _:
            return None
    return described(name, domain, meaning(condition)) if is_name(name) else None


def _relation(answer: Relation) -> Answer:
    if "~" in answer.operators:
        return _approximated(answer)
    operators = set(answer.operators)
    if operators == {"="}:
        return _equation(answer)
    if operators <= _BELOW or operators <= _ABOVE:
        return _interval(answer)
    if operators == {"!="}:
        found = solved(answer.sides, answer.operators)
        if found is not None:
            return Named(found[0], canonical(found[1]))
    if operators <= {"minus", "cap"}:
        return combination(answer.operators[0], *(meaning(side) for side in answer.sides))
    match answer:
        case Relation((Symbol(name), Symbol() as argument, rule), (":", "->")) if is_expr(rule):
            return Named(Apply(f"call {name}", (argument,)), rule)  # f : x -> 2x
    if operators == {"=", ":"}:  # a : b = 2 : 3
        at = len(answer.operators) - answer.operators[::-1].index("=")
        stated = answer.sides[at:]
        return meaning(Relation(stated, answer.operators[at:]) if len(stated) > 1 else stated[0])
    return _told(answer) or Relation(
        tuple(meaning(side) for side in answer.sides), answer.operators
    )


def _told(answer: Relation) -> Answer | None:
    """What `x in S`, `x not in S` and `x = a (mod m)` say of a name; None for any other relation."""
    if len(answer.operators) != 1:
        return None
    first, second = answer.sides
    match answer.operators[0]:
        case "equiv":
            value = congruent(meaning(second))
            if _defines(first, value):
                return Named(first, value)
            return Relation((meaning(first), value), ("equiv",))
        case "in" if isinstance(first, Symbol | Brackets):
            value = meaning(second)
            return Named(first, value) if isinstance(first, Symbol) else value
        case "notin" if isinstance(first, Symbol):
            value = combination("minus", REALS, meaning(second))
            return None if isinstance(value, Relation) else Named(first, value)
    return None


def _defines(name: Answer, value: Answer) -> TypeGuard[Expr]:
    return isinstance(name, Symbol) and is_name(name) and is_residue(value)


def _approximated(answer: Relation) -> Answer:
    """`x = 1/3 ≈ 0.33` without its tail; where only ≈ gives a value, it counts as =."""
    at = answer.operators.index("~")
    before = answer.sides[at]
    if answer.operators == ("~",) and nearly_first(*answer.sides):
        return Restated(before, meaning(answer.sides[1]))
    if is_expr(before) and isinstance(before, Symbol) and variables(before):
        operators = tuple("=" if sign == "~" else sign for sign in answer.operators)
        return meaning(Relation(answer.sides, operators))
    return meaning(Relation(answer.sides[: at + 1], answer.operators[:at]))


def _equation(answer: Relation) -> Answer:
    if contradicts(answer.sides):
        return Relation(tuple(meaning(side) for side in answer.sides), answer.operators)
    first, last = answer.sides[0], meaning(answer.sides[-1])
    if isinstance(last, Quantity) and len(answer.sides) == 2:
        before = unitless(first)
        if is_expr(before) and not variables(before):
            return Restated(meaning(first), last)
    if not is_expr(first):
        return last
    if isinstance(first, Symbol) and _MARK.match(first.name):
        return last
    if is_name(first):
        return Named(first, last)
    return _expressions_equated(first, last)


def _expressions_equated(first: Expr, last: Answer) -> Answer:
    if not is_expr(last):
        return last
    constant = not variables(last)
    if is_name(last) and not variables(first):
        return Named(last, first)
    if constant and not variables(first):
        return last
    if constant and not any(isinstance(node, Number) for node in walk(first)):
        return Named(first, last)
    return Relation((first, last), ("=",))


def is_name(answer: Answer) -> bool:
    """Whether an expression is a bare variable or a function applied: what = may define."""
    if isinstance(answer, Symbol):
        return bool(variables(answer)) and answer != INFINITY
    if isinstance(answer, Apply):
        return answer.op.startswith(("call ", "prime"))
    return False


def _interval(answer: Relation) -> Answer:
    found = solved(answer.sides, answer.operators)
    if found is not None:
        return Named(found[0], canonical(found[1]))
    sides, operators = answer.sides, answer.operators
    if operators[0] in _ABOVE:
        sides = sides[::-1]
        operators = tuple(_MIRROR[sign] for sign in reversed(operators))
    names = [side for side in sides if isinstance(side, Symbol) and is_name(side)]
    bounds = [side for side in sides if side not in names]
    if len(names) != 1 or len(sides) > 3 or not all(_constant(bound) for bound in bounds):
        return Relation(tuple(meaning(side) for side in sides), operators)
    if len(sides) == 3:
        if sides[1] != names[0]:
            return Relation(sides, operators)
        low, high = sides[0], sides[2]
        opening, closing = ("[" if operators[0] == "<=" else "("), operators[1]
    elif sides[0] == names[0]:
        low, high, opening, closing = MINUS_INFINITY, sides[1], "(", operators[0]
    else:
        low, high, closing = sides[0], INFINITY, "<"
        opening = "[" if operators[0] == "<=" else "("
    return Named(names[0], Brackets(opening, "]" if closing == "<=" else ")", (low, high)))


def _constant(answer: Answer) -> bool:
    return is_expr(answer) and not (variables(answer) - {"oo"})
