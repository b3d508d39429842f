"""Relations and ratios that say the same with other factors: 2x < 2 and x < 1, 6 : 4 and 3 : 2."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from harness.graders.latex.syntax import Apply, Expr, Relation, Unreadable, is_expr, variables
from harness.graders.latex.values.equality import Sameness, every, same_expr
from harness.graders.latex.values.evaluate import POINTS, Evaluator
from harness.graders.latex.values.operations import Undefined, Value
from harness.graders.latex.values.probes import places


def same_ratios(one: Sequence[Expr], other: Sequence[Expr]) -> Sameness:
    """Whether the entries of two ratios are in proportion."""
    pairs = combinations(zip(one, other, strict=True), 2)
    return every(
        same_expr(Apply("mul", (a, d)), Apply("mul", (b, c)), exact=True)
        for (a, b), (c, d) in pairs
    )


def _difference(relation: Relation) -> Expr:
    """Left - right, turned so that "less than zero" is what an inequality says."""
    left, right = relation.sides
    if relation.operators[0] in (">", ">="):
        left, right = right, left
    return Apply("add", (left, Apply("neg", (right,))))  # type: ignore[arg-type]


def proportional(one: Relation, other: Relation, *, signed: bool) -> Sameness:
    """Whether the differences of both sides have one ratio everywhere (positive if `signed`)."""
    first, second = _difference(one), _difference(other)
    if not variables(first) and not variables(second):
        pairs = zip(one.sides, other.sides, strict=True)
        return every(is_expr(a) and is_expr(b) and same_expr(a, b, exact=True) for a, b in pairs)
    ratio: Value = None
    for number, point in enumerate(places(first, second)):
        ev = Evaluator(point)
        try:
            above, below = ev.real(ev.value(first)), ev.real(ev.value(second))
            if abs(below) < 1e-25 or abs(above) < 1e-25:
                if number >= POINTS and abs(below) < 1e-25 and abs(above) < 1e-25:
                    continue
                return None if ev.opaque else False
            now = above / below
        except (Undefined, Unreadable, ZeroDivisionError):
            if number >= POINTS:
                continue
            return None
        if ratio is not None and abs(now - ratio) > abs(ratio) * ev.ctx.mpf("1e-40"):
            return None if ev.opaque else False
        if signed and not (ev.ctx.im(now) == 0 and ev.ctx.re(now) > 0):
            return False
        ratio = now
    return True
