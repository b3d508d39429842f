"""pass@1 by month, platform, difficulty, subject; and its range where tests are missing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.stats.intervals import mean, problems_error, sampling_error
from harness.stats.metrics import pass_at
from harness.types import Problem, Tally

_BY: Mapping[str, Callable[[Problem], Any]] = {
    "month": lambda problem: problem.month,
    **{
        name: lambda problem, name=name: problem.meta.get(name)  # type: ignore[misc]
        for name in ("platform", "difficulty", "subject", "level")
    },
}


def breakdown(problems: Mapping[str, Problem], found: Mapping[str, Tally]) -> list[dict[str, Any]]:
    """pass@1 of every group of problems, one row each, in the order of the groups' names.

    Args:
        problems: of the task.
        found: what came of each, see `harness.stats.metrics.tallies`.

    Returns:
        Rows {by, group, n_problems, value, se_sampling, se_problems}; a property that not every
        problem has, or that all share, makes no rows.
    """
    tallies = _in_order(problems, found)
    rows = []
    for by, read in _BY.items():
        groups: dict[str, list[Tally]] = {}
        named = {id: read(problems[id]) for id in tallies}
        if None in named.values():
            continue
        for id, tally in tallies.items():
            groups.setdefault(str(named[id]), []).append(tally)
        if len(groups) > 1:
            rows += [
                {"by": by, "group": name, **_summary(groups[name])} for name in _ordered(groups)
            ]
    return rows


def open_range(
    problems: Mapping[str, Problem], found: Mapping[str, Tally]
) -> dict[str, int | float | None] | None:
    """Between what pass@1 lies where the tests at hand do not decide every problem.

    `low` counts each sample of such a problem as wrong, `high` believes the tests at hand, which
    refuse wrong programs and may accept too many. None where every problem's tests are all there.

    Returns:
        {n_open, low, low_se_problems, high, high_se_problems}.
    """
    tallies = _in_order(problems, found)
    undecided = [id for id in tallies if problems[id].meta.get("decisive") is False]
    if not undecided:
        return None
    high = _summary(list(tallies.values()))
    worst = tallies | {id: Tally(tallies[id].n, 0) for id in undecided}
    low = _summary(list(worst.values()))
    return {
        "n_open": len(undecided),
        "low": low["value"],
        "low_se_problems": low["se_problems"],
        "high": high["value"],
        "high_se_problems": high["se_problems"],
    }


def _in_order(problems: Mapping[str, Problem], found: Mapping[str, Tally]) -> dict[str, Tally]:
    """Those of these problems, in the problems' order."""
    return {id: found[id] for id in problems if id in found}


def _summary(tallies: Sequence[Tally]) -> dict[str, Any]:
    metric = pass_at(1)
    values = [metric.value(found) for found in tallies]
    return {
        "n_problems": len(values),
        "value": mean(values),
        "se_sampling": sampling_error([metric.variance(found) for found in tallies]),
        "se_problems": problems_error(values),
    }


def _ordered(names: Iterable[str]) -> list[str]:
    known = {"easy": "0", "medium": "1", "hard": "2"}
    return sorted(names, key=lambda name: known.get(name, name))
