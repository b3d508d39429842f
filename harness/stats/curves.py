"""pass@k and cons@k over k, with both errors and their intervals, in closed form. Pure."""

from __future__ import annotations

import math
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
from harness.stats.majority import expected_majority
from harness.stats.metrics import cons_variances
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EVERY = 64  # a figure's k up to which there is a point for each
_STEPS = 8  # points per doubling beyond
_ENOUGH = 64  # right samples with which the chance that k > n/2 are all wrong is below 2^-64
_SMALL = 1e-30  # a variance below it is none: the value cannot hold its root


@dataclass(frozen=True, slots=True)
class Point:
    """One k of a curve; shares from 0 to 1. Errors are None where they cannot be estimated."""

    k: int
    value: float
    se_sampling: float | None
    se_problems: float | None
    interval_sampling: Interval | None
    interval_problems: Interval | None


def figure_ks(n: int) -> list[int]:
    """Every k up to 64, then eight per doubling up to n: 124 for n = 10,000."""
    steps = (round(2 ** (i / _STEPS)) for i in range(_STEPS * n.bit_length()))
    return sorted({*range(1, min(n, _EVERY) + 1), *(k for k in steps if k <= n), n} - {0})


def pass_curve(tallies: Sequence[Tally], ks: Sequence[int] | None = None) -> list[Point]:
    """pass@k for k = 1 .. the smallest n of a problem.

    The sampling variance is the metric's own unbiased one as long as n >= 2k. Beyond, it is the
    variance of the estimate under binomial draws at the rate (c + 1/2) / (n + 1), which is 0 only
    below 1e-30.

    Args:
        tallies: of the problems.
        ks: only these, rising.
    """
    ks = _usable(tallies, ks)
    known = {key: _pass_at(*key, tuple(ks)) for key in {(t.n, t.correct) for t in tallies}}
    found = [known[t.n, t.correct] for t in tallies]
    return _points(ks, tallies, [values for values, _ in found], [v for _, v in found])


def cons_curve(tallies: Sequence[Tally], ks: Sequence[int] | None = None) -> list[Point]:
    """cons@k for k = 1 .. the smallest n of a problem, exact over all subsets.

    The sampling variance is that of `metrics.cons_at`: by jackknife as long as n >= 2k, and a bound
    beyond, where the band widens.

    Args:
        tallies: of the problems.
        ks: only these, rising.
    """
    ks = _usable(tallies, ks)
    values = [expected_majority(t.votes, t.n, ks) for t in tallies]
    return _points(ks, tallies, values, [cons_variances(t, ks) for t in tallies])


def _usable(tallies: Sequence[Tally], ks: Sequence[int] | None) -> Sequence[int]:
    most = min((t.n for t in tallies), default=0)
    return range(1, most + 1) if ks is None else [k for k in ks if k <= most]


def _points(
    ks: Sequence[int],
    tallies: Sequence[Tally],
    values: Sequence[Sequence[float]],
    variances: Sequence[Sequence[float] | None],
) -> list[Point]:
    """A point per k from each problem's values and variances by k."""
    unknown = [None] * len(ks)
    by_k = zip(*values, strict=True), zip(*(row or unknown for row in variances), strict=True)
    return [
        _point(k, [max(t.n // k, 1) for t in tallies], row, spread)
        for k, row, spread in zip(ks, *by_k, strict=True)
    ]


def _point(
    k: int, trials: Sequence[int], values: Sequence[float], variances: Sequence[float | None]
) -> Point:
    return Point(
        k=k,
        value=mean(values),
        se_sampling=sampling_error(variances),
        se_problems=problems_error(values),
        interval_sampling=sampling_interval(values, variances, trials),
        interval_problems=problems_interval(values),
    )


def _pass_at(n: int, correct: int, ks: Sequence[int]) -> tuple[list[float], list[float] | None]:
    """One problem's values by k, and their variances; None for a single sample.

    With q = C(n-c, k) / C(n, k), the share of subsets that are all wrong, as a product of
    1 - c / (n-i) over i < k, the unbiased variance q^2 - C(n-c, 2k) / C(n, 2k) is q^2 (1 - r) where
    r is a product of the same kind. Sums of logarithms keep both exact to 12 digits.
    """
    import numpy as np

    at = np.array(ks, dtype=int)
    wrong = n - correct
    i = np.arange(min(wrong + 1, n))  # of the product; the last factor may be 0
    with np.errstate(divide="ignore"):
        logs = np.full(n + 1, -np.inf)
        logs[0] = 0.0
        logs[1 : len(i) + 1] = np.cumsum(np.log1p(-correct / (n - i)))
        values = np.abs(np.expm1(logs[at]))
        if n < 2:
            return values.tolist(), None
        half = at[2 * at <= n]
        ratio = np.full(n // 2 + 1, -np.inf)
        k = np.arange(1, min(n, wrong + 1) // 2 + 1)
        ratio[1 : len(k) + 1] = np.cumsum(
            np.log1p(-correct * k / ((n - 2 * k + 1) * (wrong - k + 1)))
            + np.log1p(-correct * (k - 1) / ((n - 2 * k + 2) * (wrong - k + 1)))
        )
    unbiased = np.exp(2 * logs[half]) * np.abs(np.expm1(ratio[half]))
    beyond = _binomial_variances(n, correct, tuple(at[len(half) :].tolist()))
    variances = [found if found > _SMALL else 0.0 for found in (*unbiased.tolist(), *beyond)]
    return values.tolist(), variances


def _binomial_variances(n: int, correct: int, ks: tuple[int, ...]) -> list[float]:
    """Per k > n/2 the variance of pass@k when each of n samples is right at a rate near correct / n."""
    import numpy as np

    if not ks:
        return []
    missed = _missed(n, ks)
    rate = (correct + 0.5) / (n + 1)
    right = np.arange(len(missed) - 1)
    steps = np.log((n - right) / (right + 1)) + math.log(rate) - math.log1p(-rate)
    chances = np.exp(n * math.log1p(-rate) + np.concatenate([[0.0], np.cumsum(steps)]))
    found: list[float] = (chances @ missed**2 - (chances @ missed) ** 2).tolist()
    return found


@lru_cache(maxsize=4)
def _missed(n: int, ks: tuple[int, ...]) -> NDArray[np.float64]:
    """By right samples among n, and by k, the share of subsets of k that hold none of them."""
    import numpy as np

    right = np.arange(min(n, _ENOUGH), dtype=float)[:, None]
    left = np.maximum(n - np.array(ks) - right, 0) / (n - right)
    found: NDArray[np.float64] = np.cumprod(np.vstack([np.ones(len(ks)), left]), axis=0)
    return found
