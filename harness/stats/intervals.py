"""Standard errors and intervals of a mean over problems, each a mean over its samples. Pure.

Two questions, two errors, never added to one another:

- *sampling*: would this model score the same on these very problems again? The problems are
  fixed and only the draws vary.
- *problems*: would it hold on other problems like these? The problems are a sample themselves.
  This one already contains the sampling part (law of total variance; Miller, "Adding error bars
  to evals", arXiv 2411.00640, section 2).

Intervals are score intervals (Wilson 1927) at the effective number of trials, the number at which
a plain proportion would have the error found (as Korn and Graubard 1998 do for survey shares), and
with Student's quantile in place of the normal one. They stay inside 0 and 1, lean away from the
ends, and have a width where every sample is right. benchmarks/gate.py measures their coverage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from harness.types import Tally


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


def sampling_interval(
    values: Sequence[float],
    variances: Sequence[float | None],
    trials: Sequence[int],
    *,
    confidence: float = 0.95,
) -> Interval | None:
    """Where the mean of these very problems lies, over repeated sampling.

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


def satterthwaite(variances: Sequence[float], trials: Sequence[int]) -> float:
    """Degrees of freedom of a sum of estimated variances (Satterthwaite 1946); infinite where all are 0.

    Args:
        variances: the estimates.
        trials: how many trials each was estimated from.
    """
    spread = math.fsum(v * v / max(n - 1, 1) for v, n in zip(variances, trials, strict=True))
    return math.fsum(variances) ** 2 / spread if spread > 0 else math.inf


def student(confidence: float, freedom: float) -> float:
    """The two-sided quantile of Student's t; the normal one for infinite degrees of freedom.

    Args:
        confidence: of the interval, such as 0.95.
        freedom: degrees of freedom.
    """
    from scipy import special  # scipy.stats takes a second to import, and every run needs this

    tail = 1 - (1 - confidence) / 2
    return float(
        special.ndtri(tail) if math.isinf(freedom) else special.stdtrit(max(freedom, 1.0), tail)
    )


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
