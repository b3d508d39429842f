"""pass@k and cons@k for every k up to n, with both errors and their intervals. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.metrics import cons_at, pass_at
from harness.types import Tally
from harness.uncertainty import (
    Interval,
    mean,
    problems_error,
    problems_interval,
    sampling_error,
    sampling_interval,
)

_DRAWS = 2000  # orders of a problem's samples: a point of cons@k is then good to about 0.2 points
_EXACT = 16  # samples a problem up to which cons@k is computed over all subsets


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
    for k in range(1, min(t.n for t in tallies) + 1):
        metric = pass_at(k)
        variances = [
            metric.variance(t) if t.n >= 2 * k else _binomial_variance(metric, t) for t in tallies
        ]
        values = [metric.value(t) for t in tallies]
        points.append(_point(k, values, variances, [max(t.n // k, 1) for t in tallies]))
    return points


def cons_curve(tallies: Sequence[Tally]) -> list[Point]:
    """cons@k for k = 1 .. the smallest n of a problem.

    Exact over all subsets up to 16 samples a problem and where k is 1 or n; between, the mean over
    seeded random orders of the samples. The sampling variance is that of `metrics.cons_at`: k/n
    times the variance of one vote of k draws with replacement.
    """
    n = min(t.n for t in tallies)
    if n < 1:
        return []
    voted = [_votes(t, n) for t in tallies]
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
        points.append(_point(k, values, variances, [max(t.n // k, 1) for t in tallies]))
    return points


def _point(
    k: int, values: Sequence[float], variances: Sequence[float | None], trials: Sequence[int]
) -> Point:
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
    rate = (tally.correct + 0.5) / (n + 1)
    chances = [math.comb(n, c) * rate**c * (1 - rate) ** (n - c) for c in range(n + 1)]
    values = [metric.value(Tally(n, c)) for c in range(n + 1)]
    centre = math.fsum(p * v for p, v in zip(chances, values, strict=True))
    return math.fsum(p * (v - centre) ** 2 for p, v in zip(chances, values, strict=True))


def _votes(tally: Tally, n: int) -> tuple[list[float], list[float]]:
    """Per k, the mean over random orders of one vote of k, and the variance of k draws' vote."""
    import numpy as np

    if not tally.votes:
        return [0.0] * n, [0.0] * n
    counts = [vote.count for vote in tally.votes]
    shares = np.array([vote.correct / vote.count for vote in tally.votes])
    classes = np.repeat(np.arange(len(counts) + 1), [*counts, tally.n - sum(counts)])
    random = np.random.default_rng(tally.seed)
    orders = random.permuted(np.tile(classes, (_DRAWS, 1)), axis=1)[:, :n]
    draws = random.choice(classes, size=(_DRAWS, n))
    means: list[float] = []
    variances: list[float] = []
    for drawn, found in ((orders, means), (draws, variances)):
        seen = np.zeros((_DRAWS, len(counts)))
        for k in range(n):
            seen += drawn[:, k, None] == np.arange(len(counts))
            top = seen.max(axis=1, keepdims=True)
            winners = (seen == top) & (top > 0)
            votes = (winners @ shares) / np.maximum(winners.sum(axis=1), 1)
            found.append(float(votes.mean() if found is means else votes.var(ddof=1)))
    return means, variances
