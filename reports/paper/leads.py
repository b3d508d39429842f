"""Which value of a column is really the best: the interval of its lead over the next one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.reports.baselines.measured import Measured
from harness.reports.format import signed_points
from harness.stats.intervals import Interval


@dataclass(frozen=True, slots=True)
class Rival:
    """A value that competes: a run's score, or a published figure of at least k samples per problem."""

    model: str
    value: float
    run: Measured | None = None
    k: int = 1


def leader(column: Sequence[Rival | None]) -> tuple[int | None, str, str]:
    """The place of the best value; or None, why none is really the best, and the figures.

    Args:
        column: what competes, in the order of the lines; None where nothing does.
    """
    rivals = [(rival, place) for place, rival in enumerate(column) if rival is not None]
    ranked = sorted(rivals, key=lambda pair: -pair[0].value)
    if len(ranked) < 2:
        return None, "nothing to compare with", ""
    (first, place), (second, _) = ranked[:2]
    lead = _lead(first, second, [rival for rival, _ in rivals])
    if lead is None:
        return None, "no run says how much samples vary there", ""
    if lead.low <= 0 <= lead.high:
        values = " against ".join(f"{100 * rival.value:.1f}" for rival in (first, second))
        ends = ", ".join(map(signed_points, lead))
        return None, "the lead may be chance", f"{values}, a lead of [{ends}]"
    return place, "", ""


def _lead(first: Rival, second: Rival, column: Sequence[Rival]) -> Interval | None:
    """Where first - second lies; None where nothing says how much samples vary."""
    if first.run and second.run:
        return first.run.less_run(second.run)
    if first.run:
        return first.run.less_figure(second.value, second.k)
    if second.run:
        found = second.run.less_figure(first.value, first.k)
        return None if found is None else Interval(-found.high, -found.low)
    lender = _lender(first, second, column)
    if lender is None:
        return None
    return lender.between_figures((first.value, first.k), (second.value, second.k))


def _lender(first: Rival, second: Rival, column: Sequence[Rival]) -> Measured | None:
    """The run whose rates two published figures are taken to have.

    It is one of either's own model, else the one in which samples vary most. Runs that compete lend
    and no others, because another protocol has other rates; and of these only runs with problems that
    have right and wrong samples, because others do not say how samples of another model vary.
    """
    lending = [r for r in column if r.run and r.run.varied and r.run.comparable]
    own = [r for r in lending if r.model in {first.model, second.model}]
    runs = [r.run for r in own or lending if r.run]
    return max(runs, key=lambda run: run.draw, default=None)
