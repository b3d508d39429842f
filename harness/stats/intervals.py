"""How sure a score, a difference, a published figure and a curve's point are. Pure.

Two questions, two errors, never added to one another:

- *sampling*: would this model score the same on these very problems again? The problems are
  fixed and only the draws vary.
- *problems*: would it hold on other problems like these? The problems are a sample themselves.
  This one already contains the sampling part (law of total variance; Miller, "Adding error bars
  to evals", arXiv 2411.00640, section 2).

The rule for pass@1: an interval holds every value that a test does not refuse, and each value is
tested with the variance that the value itself implies (a score test: Wilson 1927 for one share,
Miettinen and Nurminen 1985 for a difference). The rates behind the shares are posteriors under a
distribution fitted to all problems (`harness.stats.rates`), moved to the tested value by one shift of
log-odds; the tail is a saddlepoint approximation (`harness.stats.tails`), which is near the exact one
where one problem decides; half a step of the lattice is added for continuity, and Student's quantile
takes the place of the normal one. So a run that is all right has an interval with a width, a
difference of two such runs too, and with one sample per problem, which says nothing of how rates
spread, they are taken to be equal: no rates vary more (Jensen).

Other metrics (pass@k, votes) have an estimated variance and no likelihood of their own: theirs are
Wilson's intervals at the effective number of trials, the number at which a plain share would have the
error found (Korn and Graubard 1998), and their differences are put together from the two intervals
(Zou and Donner 2008). docs/statistics.md has the measured coverage of each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.stats.score_test import OneRun, TwoRuns
from harness.stats.student import satterthwaite, student
from harness.types import Tally

_LEAST_CHANGE = 0.2  # the least that the largest difference over problems is taken to be
_ROUNDING = 0.0005  # what printing 28.9 leaves open, to either side


class Interval(NamedTuple):
    """From `low` to `high`, both included."""

    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half the distance between the ends."""
        return (self.high - self.low) / 2


def mean(values: Sequence[float]) -> float:
    """The plain mean.

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("the mean of no values")
    return math.fsum(values) / len(values)


def sampling_error(variances: Sequence[float | None]) -> float | None:
    """Standard error of the mean over m fixed problems: sqrt(sum of variances) / m.

    Args:
        variances: per problem, the variance of its value over repeated sampling; None where it
            has a single sample, and then there is no sampling error to report.
    """
    known = [variance for variance in variances if variance is not None]
    if not known or len(known) < len(variances):
        return None
    return math.sqrt(math.fsum(known)) / len(known)


def problems_error(values: Sequence[float]) -> float | None:
    """Standard error over problems: sqrt(var(values) / m), with m - 1 in var; None for one problem.

    Args:
        values: per problem, its value.
    """
    return math.sqrt(variance_of_mean(values)) if len(values) > 1 else None


def variance_of_mean(values: Sequence[float]) -> float:
    """Unbiased variance of the mean of two or more independent values: var(values) / m."""
    m, centre = len(values), mean(values)
    return math.fsum((value - centre) ** 2 for value in values) / (m - 1) / m


def rate(tally: Tally) -> float:
    """Share of a problem's graded samples that are correct, from 0 to 1."""
    return tally.correct / tally.n


def rate_variances(tallies: Sequence[Tally]) -> list[float | None]:
    """Unbiased variance of each problem's rate p over n samples: p(1-p)/(n-1); None where n is 1."""
    return [rate(t) * (1 - rate(t)) / (t.n - 1) if t.n > 1 else None for t in tallies]


def score_interval(tallies: Sequence[Tally], *, tail: float = 0.025) -> Interval:
    """Where pass@1 on these very problems lies, over repeated sampling.

    Args:
        tallies: one per problem, each with a sample.
        tail: probability left out on either side; 0.025 makes a 95 % interval.
    """
    return Interval(*OneRun.of(tallies).ends(tail))


def difference_interval(
    base: Sequence[Tally], new: Sequence[Tally], *, tail: float = 0.025
) -> Interval:
    """Where new - base on these very problems lies, over repeated sampling of both.

    Args:
        base: each problem's samples in the base.
        new: those in the new run, in the same order of problems.
        tail: probability left out on either side; 0.025 makes a 95 % interval.
    """
    return Interval(*TwoRuns.of(base, new).ends(tail))


def difference_bound(base: Sequence[Tally], new: Sequence[Tally], *, tail: float = 0.05) -> float:
    """The lower end of a one-sided interval of new - base, by the sampling error.

    A drop of the margin is excluded where it lies above -margin.

    Args:
        base: each problem's samples in the base.
        new: those in the new run, in the same order of problems.
        tail: probability left out below; 0.05 makes a bound at 95 %.
    """
    return TwoRuns.of(base, new).low(tail)


def chance_of_as_much(
    base: Sequence[Tally], new: Sequence[Tally], difference: float, *, continuity: float = 0.5
) -> float:
    """One-sided p-value of a true difference: how often new - base would come out as high as seen.

    A drop of the margin is excluded at 5 % where this, at -margin, is 0.05 at most.

    Args:
        base: each problem's samples in the base.
        new: those in the new run, in the same order of problems.
        difference: the true one that is tested, as a share.
        continuity: steps of the lattice that are added, which keeps the level where few samples make
            them wide; with none the test is a mid-p one.
    """
    return TwoRuns.of(base, new, continuity=continuity).above(difference)


def figure_interval(tallies: Sequence[Tally], figure: float, k: int) -> Interval:
    """Where pass@1 less a published figure lies, with 95 % confidence.

    A source prints no error. The figure is taken to be the mean of k samples of the same problems,
    whose rates are those of the run moved to the tested values, rounded to a tenth of a point.

    Args:
        tallies: the run's, one per problem.
        figure: as published, a share.
        k: the figure's samples per problem.
    """
    return Interval(*TwoRuns.with_figure(tallies, (figure, k), slack=_ROUNDING).ends(0.025))


def figure_test(
    tallies: Sequence[Tally], figure: tuple[float, int], other: tuple[float, int] | int
) -> TwoRuns:
    """The test of other - figure, each a value and its samples per problem.

    Args:
        tallies: of a run, one per problem; both have its rates, moved to the tested values.
        figure: as published, a share, and its k.
        other: another figure; or the n of a run with the same shares as this one.
    """
    if isinstance(other, int):
        alike = mean([rate(t) for t in tallies]), other
        return TwoRuns.with_figure(tallies, figure, alike, slack=_ROUNDING)
    return TwoRuns.with_figure(tallies, figure, other, slack=2 * _ROUNDING)


def figure_of_votes(
    value: float, own: Interval, figure: float, times: float, *, printed: bool = True
) -> Interval:
    """Where a published figure of another metric than pass@1 lies, with the confidence of `own`.

    It is Wilson's interval at the effective trials that a known interval of such a metric has.

    Args:
        value: the run's.
        own: its interval.
        figure: a share.
        times: the figure's samples over the run's.
        printed: whether the figure is rounded to a tenth of a point.
    """
    square, spread = own.half_width**2, value * (1 - value)
    slack, room = _ROUNDING if printed else 0.0, 0.25 - square
    if room < 1e-9:
        return Interval(0.0, 1.0)
    # Wilson's half-width, solved for the square of the quantile over the trials
    linear = spread - 2 * square
    unit = (math.sqrt(linear**2 + 4 * room * square) - linear) / (2 * room)
    found = _wilson(figure, 0.0, times / unit, 1.0) if unit > 1e-12 else (figure, figure)
    return Interval(max(0.0, found[0] - slack), min(1.0, found[1] + slack))


def joined_interval(value: float, own: Interval, other: float, others: Interval) -> Interval:
    """The interval of value - other, made of the intervals of both (Zou and Donner 2008).

    Args:
        value: an estimate.
        own: its interval.
        other: an independent estimate.
        others: its interval.
    """
    difference = value - other
    low = math.hypot(value - own.low, others.high - other)
    high = math.hypot(own.high - value, other - others.low)
    return Interval(difference - low, difference + high)


def sampling_interval(
    values: Sequence[float],
    variances: Sequence[float | None],
    trials: Sequence[int],
    *,
    confidence: float = 0.95,
) -> Interval | None:
    """Where the mean of another metric than pass@1 lies, over repeated sampling.

    The quantile is Student's with the degrees of freedom of a sum of estimated variances
    (Satterthwaite 1946). Where no problem's samples differ, the error found is 0 and says nothing:
    all trials then count as one proportion, which is wider than the truth and never narrower.

    Args:
        values: per problem, from 0 to 1.
        variances: as for `sampling_error`.
        trials: per problem, the independent trials behind its value: n samples for pass@1.
        confidence: that the interval is to hold with.

    Returns:
        None where there is no sampling error.
    """
    error = sampling_error(variances)
    if error is None:
        return None
    freedom = satterthwaite([v or 0.0 for v in variances], trials)
    return _wilson(mean(values), error, sum(trials), student(confidence, freedom))


def problems_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval | None:
    """Where the mean lies over other problems like these; None for one problem.

    Half a problem at 0 and half a problem at 1 are counted in. Without them 30 problems with rates
    crowded near an end are covered 77 to 90 % of the time (plain t) or 79 to 93 % (Wilson), since
    the few problems that carry the mean may be missing from the sample; with them 93 to 97 %.
    """
    m = len(values)
    if m < 2:
        return None
    centre = (math.fsum(values) + 0.5) / (m + 1)
    squares = math.fsum(value * value for value in values) + 0.5 - (m + 1) * centre * centre
    error = math.sqrt(max(squares, 0.0) / m / (m + 1))
    found = _wilson(centre, error, m, student(confidence, m - 1))
    value = mean(values)
    return Interval(min(found.low, value), max(found.high, value))


def problems_difference(
    changes: Sequence[float], *, confidence: float = 0.95, factor: float = 1.0
) -> Interval | None:
    """Student's interval, with half a problem more at the largest difference seen.

    That is taken to be 20 points at least, and 100 where none is seen: the few problems that moved
    may be missing from the sample. Without it 30 problems of which few differ are covered 69 to
    93 % of the time; with it 93 to 98 %, and up to 100 % where hardly any problem can move or one
    sample per problem leaves only whole differences.

    Args:
        changes: per problem, new minus base.
        confidence: that the interval is to hold with.
        factor: how many times wider clusters make it, see `harness.stats.clusters`.
    """
    m = len(changes)
    if m < 2:
        return None
    centre = mean(changes)
    seen = max(map(abs, changes))
    largest = max(seen, _LEAST_CHANGE) if seen else 1.0
    squares = math.fsum((change - centre) ** 2 for change in changes) + largest**2 / 2
    half = factor * student(confidence, m - 1) * math.sqrt(squares / (m - 1) / m)
    return Interval(max(-1.0, centre - half), min(1.0, centre + half))


def _wilson(value: float, error: float, most: float, quantile: float) -> Interval:
    """Wilson's score interval at the effective number of trials, `most` where the error is 0."""
    spread = value * (1 - value)
    trials = spread / error**2 if error > 0 and spread > 0 else most
    square = quantile**2
    centre = (value + square / (2 * trials)) / (1 + square / trials)
    half = quantile / (1 + square / trials) * math.sqrt(
        spread / trials + square / (4 * trials**2)
    )  # fmt: skip
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return Interval(min(low, value), max(high, value))
