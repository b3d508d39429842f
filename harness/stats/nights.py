"""Nights as one process: a budget of false alarms, a test of each night and one over all of them. Pure.

A job that runs every night is judged by how often it cries wolf in a month. The stated rate of
false alarms is that of the whole job, over all tasks and both tests: half of a night's share goes to the
test of the night against the accepted run, half to the test over nights (`change_point`). Either is
divided over the tasks by Holm's correction.

A night is one observation of each task: its score, with a sampling variance that is pooled over the
nights. Estimated from one night alone it depends on that night's score: near 1 a lower score
would have the larger variance, and so less weight.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.stats import change_point, selection
from harness.stats.intervals import Interval, mean, rate, rate_variances, sampling_error
from harness.stats.multiplicity import holm
from harness.stats.rates import posterior_variances
from harness.types import Tally

NIGHTS_PER_MONTH = 30
_PRIOR = 2  # nights that the posterior variance counts as
FEWEST = 3
"""From this many nights on there is a test over them: two are what the night's own test compares."""


@dataclass(frozen=True, slots=True)
class Levels:
    """Significance levels of one night's two tests, each over all of its tasks together."""

    night: float
    over_nights: float

    @classmethod
    def of(cls, false_alarms_per_month: float, *, fail_on_rise: bool = False) -> Levels:
        """The levels that keep this rate, with one evaluated checkpoint a night.

        Args:
            false_alarms_per_month: nights of 30 that may fail where nothing changed.
            fail_on_rise: whether a rise fails too, which is one more test of each night.
        """
        half = false_alarms_per_month / NIGHTS_PER_MONTH / 2
        return cls(half / 2 if fail_on_rise else half, half)


@dataclass(frozen=True, slots=True, kw_only=True)
class Night:
    """One night's observation of a task.

    Args:
        run: its name.
        score: the mean over problems, as a share.
        variance: of the mean of one more sample per problem, `rates.posterior_variance`.
        n: samples per problem that would give the score's variance if all problems had as many;
            where their numbers are allocated by variance, more than their mean.
        unbiased: the same variance as the samples alone estimate it, 0 where all agree; None where
            some problem has a single one.
    """

    run: str
    score: float
    variance: float
    n: float
    unbiased: float | None = None

    @classmethod
    def of(cls, run: str, tallies: Sequence[Tally]) -> Night:
        """From each problem's graded samples; problems without any are left out.

        One sample per problem says nothing about the spread between problems: the variance is then
        the largest that the score allows, that of equal problems.
        """
        graded = {str(i): tally for i, tally in enumerate(tallies) if tally.n}
        score, m = mean([rate(tally) for tally in graded.values()]), len(graded)
        found = posterior_variances(graded)
        one = math.fsum(found.values())
        n = one / math.fsum(found[id] / tally.n for id, tally in graded.items())
        variance = one / m**2
        if n < 2:
            variance = max(variance, score * (1 - score) / m)
        error = sampling_error(rate_variances(list(graded.values())))
        unbiased = None if error is None else error**2 * n
        return cls(run=run, score=score, variance=variance, n=n, unbiased=unbiased)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverNights:
    """The test over nights of one task, as of one night.

    Args:
        p: probability of as clear a fall where no mean fell, Holm-adjusted over the tasks.
        level: at or below which it is an alarm.
        nights: how many were tested, this one included.
        since: the run of the first of them.
        first: the run of the night with which the fall most probably began.
        shape: a step, or a drift from that night on.
        size: how far this night's mean lies below the one before `first`, as a share.
        interval: of the size, 95 %.
        recovered: whether the last nights lie above that again.
        left_out: what was not tested and why, and what else a reader must know.
    """

    p: float
    level: float
    nights: int
    since: str
    first: str
    shape: change_point.Shape
    size: float
    interval: Interval
    recovered: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def alarm(self) -> bool:
        """Whether the scores have fallen, and not risen again."""
        return self.p <= self.level and not self.recovered


def variances(nights: Sequence[Night]) -> list[float]:
    """The sampling variance of each night's score, from the mean variance of one sample.

    The unbiased estimates of many nights are the better ones, above all where samples are
    allocated; of few they may all be 0. The mean of the posterior ones counts as two nights more.
    """
    prior = math.fsum(night.variance for night in nights) / len(nights)
    known = [night.unbiased for night in nights if night.unbiased is not None]
    one = (math.fsum(known) + _PRIOR * prior) / (len(known) + _PRIOR)
    return [one / night.n for night in nights]


def fall(nights: Sequence[Night]) -> change_point.Fall:
    """Test for a fall over two or more nights, oldest first; see `change_point.fall`."""
    return change_point.fall([night.score for night in nights], variances(nights))


def over_nights(
    tasks: Mapping[str, Sequence[Night]],
    level: float,
    left_out: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, OverNights]:
    """The test over nights of every task that has three or more, at one level for all of them.

    Args:
        tasks: their nights, oldest first; of more than `change_point.MOST_NIGHTS` the last count.
        level: probability of any alarm where nothing changed.
        left_out: by task, what the result says about nights that were not tested.
    """
    most = change_point.MOST_NIGHTS
    tested = {task: nights[-most:] for task, nights in tasks.items() if len(nights) >= FEWEST}
    falls = {task: fall(nights) for task, nights in tested.items()}
    adjusted = holm([found.p for found in falls.values()])
    results = {}
    for (task, found), p in zip(falls.items(), adjusted, strict=True):
        nights, notes = tested[task], tuple((left_out or {}).get(task, ()))
        if len(tasks[task]) > most:
            notes += (f"only the last {most} of {len(tasks[task])} nights are tested",)
        results[task] = OverNights(
            p=p, level=level, nights=len(nights), since=nights[0].run,
            first=nights[found.first].run, shape=found.shape, size=found.size,
            interval=found.interval, recovered=found.recovered, left_out=notes,
        )  # fmt: skip
    return results


def choice(candidates: Sequence[Night], chosen: str) -> selection.Choice | None:
    """The luck of a run that was chosen among several; None where there was no other."""
    names = [night.run for night in candidates]
    if len(candidates) < 2 or chosen not in names:
        return None
    scores = [night.score for night in candidates]
    return selection.choice(names.index(chosen), scores, variances(candidates))


def p_drop(candidates: Sequence[Night], chosen: str, night: Night) -> float:
    """One-sided p-value of a night against the chosen run less its luck; 0 where there was no choice.

    It goes beside the exact test's, and the larger one of both counts.
    """
    luck = choice(candidates, chosen)
    if luck is None:
        return 0.0
    return selection.p_drop(luck, night.score, variances([*candidates, night])[-1])


def begin_after(alarms: Sequence[bool], accepted: int, begin: int) -> int:
    """Where the test over nights begins once a run is accepted.

    To accept a run whose own night gave an alarm is to accept the change: the test begins anew
    with the first night of that alarm. To accept any other moves the baseline alone: the nights
    before remain evidence, so that a drift is not hidden by following it.

    Args:
        alarms: of each night, whether it failed.
        accepted: index of the run.
        begin: index where the test began until now.
    """
    if not alarms[accepted]:
        return begin
    first = accepted
    while first > begin and alarms[first - 1]:
        first -= 1
    return first
