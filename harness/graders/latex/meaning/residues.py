"""Residue classes: `3 (mod 7)` is every number that leaves the rest 3."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from harness.graders.latex.syntax import Answer, Apply, Expr, Number, Relation, is_expr, variables
from harness.graders.latex.values.equality import Sameness, every, same_expr
from harness.graders.latex.values.evaluate import DIGITS, evaluated

_INTEGERS = frozenset("klmnt")
"""Letters that run through the integers in `7k+3`."""


def is_residue(answer: Answer) -> bool:
    """Whether an answer is a residue class."""
    return isinstance(answer, Apply) and answer.op == "residue"


def are_residues(one: Answer, other: Answer) -> bool:
    """Whether one answer is a residue class, or both are written with a modulus."""
    both = as_residue(one) is not None and as_residue(other) is not None
    return both or is_residue(one) or is_residue(other)


def as_residue(answer: Answer) -> Apply | None:
    """The residue class that an answer states, with `3 mod 7` taken as one."""
    if isinstance(answer, Apply) and answer.op in ("residue", "mod"):
        return Apply("residue", answer.args)
    return None


def congruent(side: Answer) -> Answer:
    """The right side of a congruence: `3 mod 7` and `3 (7)` are residue classes there."""
    if not isinstance(side, Apply):
        return side
    if side.op == "neg":
        inside = congruent(side.args[0])
        if isinstance(inside, Apply) and inside.op == "residue":
            return Apply("residue", (Apply("neg", (inside.args[0],)), inside.args[1]))
    if side.op == "mul" and len(side.args) == 2 and isinstance(side.args[1], Number):
        return Apply("residue", side.args)
    return as_residue(side) or side


def each_with_modulus(items: Sequence[Answer]) -> tuple[Answer, ...]:
    """`1, 3 (mod 4)` with the modulus behind each."""
    last = items[-1]
    if not (isinstance(last, Apply) and last.op == "residue"):
        return tuple(items)
    return tuple(_with_modulus(item, last.args[1]) for item in items)


def _with_modulus(item: Answer, modulus: Expr) -> Answer:
    if isinstance(item, Relation) and item.operators == ("equiv",):
        return Relation((item.sides[0], _with_modulus(item.sides[1], modulus)), item.operators)
    if is_expr(item) and not is_residue(item) and not variables(item):
        return Apply("residue", (item, modulus))
    return item


def _progression(expr: Expr) -> Apply | None:
    """`7k+3` as the residue class 3 (mod 7)."""
    names = variables(expr)
    if len(names) != 1 or not names <= _INTEGERS:
        return None
    (name,) = names
    at = [evaluated(expr, ((name, Fraction(k)),), DIGITS).value for k in (0, 1, 2, 5)]
    first, second = at[:2]
    if not (isinstance(first, Fraction) and isinstance(second, Fraction)):
        return None
    step = second - first
    linear = at[2] == first + 2 * step and at[3] == first + 5 * step
    if not linear or step == 0 or step.denominator > 1 or first.denominator > 1:
        return None
    return Apply("residue", (Number(first), Number(abs(step))))


def same_residues(one: Expr, other: Expr, *, exact: bool) -> Sameness:
    """Whether two answers, one of them a residue class, are the same class."""
    first, second = as_residue(one), as_residue(other)
    if not exact:
        first, second = first or _progression(one), second or _progression(other)
    if first is None or second is None:
        return False
    (value, modulus), (other_value, other_modulus) = first.args, second.args
    same_modulus = same_expr(modulus, other_modulus, exact=exact)
    known = [evaluated(expr, 0, DIGITS).value for expr in (value, other_value, modulus)]
    constant = not any(variables(expr) for expr in (value, other_value, modulus))
    if constant and all(isinstance(each, Fraction) and each.denominator == 1 for each in known):
        rests = known[2] != 0 and (known[0] - known[1]) % known[2] == 0
        return every((same_modulus, rests))
    return every((same_modulus, same_expr(value, other_value, exact=exact)))
