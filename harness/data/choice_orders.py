"""In which orders the choices of a task were shown, in words, and where the right one stood. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.protocol import Protocol
from harness.stats.positions import PositionEffect
from harness.stats.verdict_table import VerdictTable
from harness.types import LETTERS, Problem, Sample, Verdict


def order_words(protocol: Protocol) -> str | None:
    """How the choices were ordered, with the seed; None for a task without choices."""
    drawn = {
        "per-problem": "one order of choices per problem",
        "per-sample": "an order of choices per sample",
    }
    if protocol.choice_order is None:
        return None
    if protocol.choice_order == "published":
        return "choices in the order in which they were published"
    return f"{drawn[protocol.choice_order]}, choice seed {protocol.choice_seed}"


def scope_words(protocol: Protocol) -> str | None:
    """What a verdict on such orders holds for; None for a task without choices."""
    if protocol.choice_order is None:
        return None
    if protocol.choice_order == "per-sample":
        return "averages over orders of choices"
    return "holds for this one order of choices"


def orders_compared(old: Protocol, new: Protocol) -> str | None:
    """Which orders a verdict on two runs holds for; None for a task without choices.

    Args:
        old: the base's.
        new: the other run's.
    """
    words, scope = order_words(new), scope_words(new)
    before = order_words(old)
    if words is None or before is None:
        return None
    if before == words:
        return f"{words}: the verdict {scope}"
    if old.choice_order == new.choice_order == "per-sample":
        return f"{before} against {words}: the verdict {scope}"
    return f"{before} against {words}: a change may come of the orders alone"


def right_positions(
    problems: Mapping[str, Problem], samples: Iterable[Sample], verdicts: VerdictTable
) -> Iterator[tuple[str, int, bool]]:
    """Of each graded sample, its problem, the position of the right choice, and whether it is right.

    Args:
        problems: by id, with their choices.
        samples: with the orders that were shown; none is as the choices are written.
        verdicts: on these samples.
    """
    for sample in samples:
        problem = problems.get(sample.problem_id)
        verdict = verdicts.get(sample.key)
        if (
            problem is None
            or problem.answer not in problem.choices
            or verdict in (None, Verdict.ERROR)
        ):
            continue
        order = sample.choice_order or range(len(problem.choices))
        place = list(order).index(problem.choices.index(problem.answer))
        yield sample.problem_id, place, verdict is Verdict.CORRECT


def effect_words(effects: Sequence[PositionEffect]) -> str | None:
    """The effects of positions in points, with their errors; None where there are none."""
    if not effects:
        return None
    found = ", ".join(
        f"{LETTERS[effect.position]} {100 * effect.difference:+.1f} ±{100 * effect.error:.1f}"
        for effect in effects
    )
    return f"right choice shown as {found} points against the other places of the same problem"


def problems_in_other_orders(old: Iterable[Sample], new: Iterable[Sample]) -> int:
    """How many problems were shown in orders by the new run that the base did not show."""

    def shown(samples: Iterable[Sample]) -> dict[str, set[tuple[int, ...] | None]]:
        found: dict[str, set[tuple[int, ...] | None]] = {}
        for sample in samples:
            found.setdefault(sample.problem_id, set()).add(_order(sample))
        return found

    before, after = shown(old), shown(new)
    return sum(before[id] != after[id] for id in before.keys() & after.keys())


def _order(sample: Sample) -> tuple[int, ...] | None:
    """The order shown; None where it is the written one."""
    order = sample.choice_order
    return None if order is None or order == tuple(range(len(order))) else order
