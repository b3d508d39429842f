"""What a site marks as a change in sixty nights: where nothing changed, and where six nights are bad.

A history is drawn from fixed true rates, one run a night, and goes through the site's own code. The
newest night is judged as by a gate and is counted apart.

    python -m benchmarks.simulations --only site
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from harness.reports.changes import Difference, GateTests
from harness.reports.facts import RunFacts, TaskFacts
from harness.reports.history import Entry, History, histories
from harness.stats.intervals import rate, rate_variances, sampling_error
from harness.stats.paired_test import stratified

NIGHTS, BAD, SHIFT = 60, 6, 1.0
"""Nights of a history; those of them that are bad; how much less their log-odds are."""

POPULATIONS: Mapping[str, tuple[int, int, tuple[float, float]]] = {
    "AIME-mid, 30 x 16": (30, 16, (0.9, 0.6)),
    "saturated, 30 x 4": (30, 4, (40.0, 0.8)),
    "one sample, 100 x 1": (100, 1, (1.2, 0.8)),
}
"""Problems, samples per problem, and the Beta distribution of the rates."""

HEAD = [
    "population", "accepted", "marked, nothing changed", "histories with a mark",
    "newest night marked", "1.96 errors: marked", "six bad nights: found", "marks that are false",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one history: pairs marked and those that differ by 1.96 errors, rightly and wrongly."""

    marked: int
    wald: int
    newest: bool
    false: int
    found: float


class PValues(GateTests):
    """The site's tests without the intervals, which mark nothing and take most of the time."""

    def difference(self, base: TaskFacts, new: TaskFacts) -> Difference | None:
        """See `GateTests`."""
        before, after = base.tallies, new.tallies
        changes = [rate(after[id]) - rate(tally) for id, tally in before.items()]
        p_values = stratified(list(before.values()), list(after.values()))
        return Difference(fmean(changes), None, None, *p_values)


def table(runs: int, seed: int) -> list[list[str]]:
    """A head, and one row per population and choice of the accepted run.

    Args:
        runs: histories of each kind.
        seed: of all draws.
    """
    random = np.random.default_rng(seed)
    rows = [list(HEAD)]
    for name, (m, k, beta) in POPULATIONS.items():
        for accepted in ("first", "best of ten"):
            quiet = [_history(m, k, beta, accepted, 0, random) for _ in range(runs)]
            bad = [_history(m, k, beta, accepted, BAD, random) for _ in range(max(1, runs // 4))]
            any_mark = fmean(found.marked > 0 for found in quiet)
            rows.append([
                name,
                accepted,
                f"{fmean(found.marked for found in quiet):.2f}",
                f"{any_mark:.1%} ± {math.sqrt(any_mark * (1 - any_mark) / runs):.1%}",
                f"{fmean(found.newest for found in quiet):.1%}",
                f"{fmean(found.wald for found in quiet):.1f}",
                f"{fmean(found.found for found in bad):.0%}",
                f"{fmean(found.false / max(found.marked, 1) for found in bad):.1%}",
            ])  # fmt: skip
    return rows


def _history(
    m: int, k: int, beta: tuple[float, float], accepted: str, bad: int, random: np.random.Generator
) -> Counts:
    """One history of fresh problems; `bad` nights of it, spread evenly, have lower rates."""
    rates = random.beta(*beta, m).clip(1e-6, 1 - 1e-6)
    lowered = 1 / (1 + np.exp(-(np.log(rates / (1 - rates)) - SHIFT)))
    changed = {round((i + 1) * NIGHTS / (bad + 1)) for i in range(bad)}
    runs = []
    for night in range(NIGHTS):
        right = random.binomial(k, lowered if night in changed else rates)
        facts = TaskFacts("task", "same", "complete", m * k, m * k, metric="pass@1",
                          value=float(right.mean() / k), k=k,
                          right=" ".join(f"{c}/{k}" for c in right))  # fmt: skip
        runs.append(RunFacts(f"{night:02}", "model", f"{night:02}", (facts,)))
    first_ten = sorted(runs[:10], key=lambda run: -run.tasks[0].value)
    base = first_ten[0] if accepted == "best of ten" else runs[0]
    (found,) = histories(runs, {"task": base.path}, [], PValues())
    return _counts(found, changed)


def _counts(history: History, changed: set[int]) -> Counts:
    newest = history.latest.gated if history.latest else None
    marked = false = wald = 0
    found = set()
    for entry, difference in history.tested:
        base = _base(history, entry, difference is entry.change)
        wald += abs(difference.value) > 1.96 * _error(base.facts, entry.facts)
        if difference is newest:
            continue
        night, before = int(entry.run.path), int(base.run.path)
        marked += difference.real
        true = (night in changed) != (before in changed)
        false += difference.real and not true
        if difference.real and night in changed and difference.way == "below":
            found.add(night)
    return Counts(marked, wald, bool(newest and newest.real), false,
                  len(found) / len(changed) if changed else 0.0)  # fmt: skip


def _base(history: History, entry: Entry, is_change: bool) -> Entry:
    if is_change and entry.previous is not None:
        return next(e for e in history.entries if e.run is entry.previous)
    assert history.accepted is not None
    return history.accepted


def _error(base: TaskFacts, new: TaskFacts) -> float:
    """The root of both squared sampling errors; with one sample per problem, those over problems."""
    squares = 0.0
    for side in (base, new):
        tallies = list(side.tallies.values())
        if min(t.n for t in tallies) > 1:
            squares += (sampling_error(rate_variances(tallies)) or 0.0) ** 2
    if squares:
        return math.sqrt(squares)
    if min(t.n for t in base.tallies.values()) > 1:
        return 0.0
    changes = [rate(new.tallies[id]) - rate(t) for id, t in base.tallies.items()]
    return float(np.std(changes, ddof=1) / math.sqrt(len(changes)))
