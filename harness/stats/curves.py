"""pass@k and cons@k for every k up to n, with both errors and their intervals. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from harness.stats.intervals import (
    Interval,
    mean,
    problems_error,
    problems_interval,
    sampling_error,
    sampling_interval,
)
from harness.stats.metrics import cons_at, pass_at
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_DRAWS = 60_000  # orders of samples over all problems: a point of cons@k is good to 0.2 points
_LEAST, _MOST = 200, 2000  # orders of one problem's samples
_EXACT = 16  # samples per problem up to which cons@k is computed over all subsets


@dataclass(frozen=True, slots=True)
class Point:
    """One k of a curve; shares from 0 to 1. Errors are None where they cannot be estimated."""

    k: int
    value: float
    se_sampling: float | None
    se_problems: float | None
    interval_sampling: Interval | None
    interval_problems: Interval | None


def pass_curve(tallies: Sequence[Tally]) -> list[Point]:
    """pass@k for k = 1 .. the smallest n of a problem.

    The sampling variance is the metric's own unbiased one as long as n >= 2k. Beyond, it is the
    variance of the estimate under binomial draws at the rate (c + 1/2) / (n + 1), which is never 0.
    """
    points = []
    for k in range(1, min((t.n for t in tallies), default=0) + 1):
        known = {(t.n, t.correct): _at(pass_at(k), t) for t in tallies}
        found = [known[t.n, t.correct] for t in tallies]
        points.append(_point(k, tallies, [value for value, _ in found], [v for _, v in found]))
    return points


def cons_curve(tallies: Sequence[Tally]) -> list[Point]:
    """cons@k for k = 1 .. the smallest n of a problem.

    Exact over all subsets up to 16 samples per problem and where k is 1 or n; between, the mean over
    seeded random orders of the samples. The sampling variance is that of `metrics.cons_at`: k/n
    times the variance of one vote of k draws with replacement.
    """
    n = min((t.n for t in tallies), default=0)
    draws = min(_MOST, max(_LEAST, _DRAWS // max(len(tallies), 1)))
    voted = [_votes(t, n, draws) for t in tallies]
    points = []
    for k in range(1, n + 1):
        exact = n <= _EXACT or k in (1, n)
        values = [
            cons_at(k).value(t) if exact else found[0][k - 1]
            for t, found in zip(tallies, voted, strict=True)
        ]
        variances = [
            None if t.n < 2 else found[1][k - 1] * k / t.n
            for t, found in zip(tallies, voted, strict=True)
        ]
        points.append(_point(k, tallies, values, variances))
    return points


def _at(metric: pass_at, tally: Tally) -> tuple[float, float | None]:
    """One problem's value and its variance."""
    enough = tally.n >= 2 * metric.k
    variance = metric.variance(tally) if enough else _binomial_variance(metric, tally)
    return metric.value(tally), variance


def _point(
    k: int,
    tallies: Sequence[Tally],
    values: Sequence[float],
    variances: Sequence[float | None],
) -> Point:
    trials = [max(t.n // k, 1) for t in tallies]
    return Point(
        k=k,
        value=mean(values),
        se_sampling=sampling_error(variances),
        se_problems=problems_error(values),
        interval_sampling=sampling_interval(values, variances, trials),
        interval_problems=problems_interval(values),
    )


def _binomial_variance(metric: pass_at, tally: Tally) -> float | None:
    n = tally.n
    if n < 2:
        return None
    chances, values = _chances(n, tally.correct), _values(metric.k, n)
    return float(chances @ (values - chances @ values) ** 2)


@lru_cache(maxsize=1024)
def _chances(n: int, correct: int) -> NDArray[np.float64]:
    """Of 0 .. n right samples, under binomial draws at the rate (correct + 1/2) / (n + 1).

    By logarithms: from n = 1,030 on the binomial coefficients outgrow any float.
    """
    import numpy as np
    from scipy.special import gammaln

    rate = (correct + 0.5) / (n + 1)
    right = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(right + 1) - gammaln(n - right + 1)
    found: NDArray[np.float64] = np.exp(ways + right * np.log(rate) + (n - right) * np.log1p(-rate))
    return found


@lru_cache(maxsize=256)
def _values(k: int, n: int) -> NDArray[np.float64]:
    """pass@k of 0 .. n right samples among n, by logarithms."""
    import numpy as np
    from scipy.special import gammaln

    wrong = np.arange(n, k - 1, -1)  # fewer wrong than k: one of k is right
    missed = gammaln(wrong + 1) - gammaln(wrong - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    return np.concatenate([-np.expm1(missed), np.ones(k)])


def _votes(tally: Tally, n: int, draws: int) -> tuple[list[float], list[float]]:
    """Per k, the mean over random orders of one vote of k, and the variance of k draws' vote."""
    import numpy as np

    if not tally.votes:
        return [0.0] * n, [0.0] * n
    counts = [vote.count for vote in tally.votes]
    shares = np.array([vote.correct / vote.count for vote in tally.votes])
    classes = np.repeat(np.arange(len(counts) + 1), [*counts, tally.n - sum(counts)])
    random = np.random.default_rng(tally.seed)
    orders = random.permuted(np.tile(classes, (draws, 1)), axis=1)[:, :n]
    anew = random.choice(classes, size=(draws, n))
    means: list[float] = []
    variances: list[float] = []
    for drawn, found in ((orders, means), (anew, variances)):
        seen = np.zeros((draws, len(counts)))
        for k in range(n):
            seen += drawn[:, k, None] == np.arange(len(counts))
            top = seen.max(axis=1, keepdims=True)
            winners = (seen == top) & (top > 0)
            votes = (winners @ shares) / np.maximum(winners.sum(axis=1), 1)
            found.append(float(votes.mean() if found is means else votes.var(ddof=1)))
    return means, variances
