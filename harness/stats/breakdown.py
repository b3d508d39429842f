"""pass@1 by month, platform, difficulty, subject; and its range where tests are missing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

from harness.stats.clusters import clustered_error, clustered_interval, clusters_of
from harness.stats.intervals import Interval, mean, sampling_error, score_interval
from harness.stats.metrics import pass_at
from harness.stats.scores import BreakdownRow, OpenRange
from harness.types import Problem, Tally

_PASS = pass_at(1)
PROPERTIES: Mapping[str, Callable[[Problem], object]] = {
    "month": lambda problem: problem.provenance.month,
    "platform": lambda problem: problem.provenance.platform,
    "difficulty": lambda problem: problem.meta.get("difficulty"),
    "subject": lambda problem: problem.meta.get("subject"),
    "level": lambda problem: problem.meta.get("level"),
}


def breakdown(
    problems: Mapping[str, Problem], found: Mapping[str, Tally]
) -> tuple[BreakdownRow, ...]:
    """pass@1 of every group of problems, one row each, in the order of the groups' names.

    Args:
        problems: of the task.
        found: what came of each, see `harness.stats.metrics.tallies`.

    Returns:
        Rows; a property that not every problem has, or that all share, makes none.
    """
    tallies = _in_order(problems, found)
    clusters = clusters_of(problems.values())
    rows: list[BreakdownRow] = []
    for by, read in PROPERTIES.items():
        groups: dict[str, dict[str, Tally]] = {}
        named = {id: read(problems[id]) for id in tallies}
        if None in named.values():
            continue
        for id, tally in tallies.items():
            groups.setdefault(str(named[id]), {})[id] = tally
        if len(groups) > 1:
            rows += [_row(by, name, groups[name], clusters) for name in _ordered(groups)]
    return tuple(rows)


def open_range(problems: Mapping[str, Problem], found: Mapping[str, Tally]) -> OpenRange | None:
    """Between what pass@1 lies where the tests at hand do not decide every problem.

    None where every problem's tests are all there.
    """
    tallies = _in_order(problems, found)
    undecided = [id for id in tallies if not problems[id].judging.decisive]
    if not undecided:
        return None
    high = _values(tallies.values())
    worst = tallies | {id: Tally(tallies[id].n, 0) for id in undecided}
    low = _values(worst.values())
    clusters = clusters_of(problems.values())
    groups = [clusters[id] for id in tallies]
    ends = clustered_interval(low, groups), clustered_interval(high, groups)
    return OpenRange(
        n_open=len(undecided),
        low=mean(low),
        low_se_problems=clustered_error(low, groups),
        high=mean(high),
        high_se_problems=clustered_error(high, groups),
        interval=Interval(ends[0].low, ends[1].high) if ends[0] and ends[1] else None,
    )


def _in_order(problems: Mapping[str, Problem], found: Mapping[str, Tally]) -> dict[str, Tally]:
    """Those of these problems, in the problems' order."""
    return {id: found[id] for id in problems if id in found}


def _row(
    by: str, group: str, tallies: Mapping[str, Tally], clusters: Mapping[str, Hashable]
) -> BreakdownRow:
    values, groups = _values(tallies.values()), [clusters[id] for id in tallies]
    return BreakdownRow(
        by=by,
        group=group,
        n_problems=len(values),
        value=mean(values),
        se_sampling=sampling_error([_PASS.variance(found) for found in tallies.values()]),
        se_problems=clustered_error(values, groups),
        interval_sampling=score_interval(list(tallies.values())),
        interval_problems=clustered_interval(values, groups),
    )


def _values(tallies: Iterable[Tally]) -> list[float]:
    return [_PASS.value(found) for found in tallies]


def _ordered(names: Iterable[str]) -> list[str]:
    known = {"easy": "0", "medium": "1", "hard": "2"}
    return sorted(names, key=lambda name: known.get(name, name))
