"""What a comparison can detect: its power against a drop, and the smallest drop it detects. Pure.

A drop is modelled as one shift of all problems' log-odds, and the rates behind a run are posteriors,
see `harness.stats.rates`. docs/statistics.md has the power measured at the drop that is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.stats.rates import lowered, sampling_variance

if TYPE_CHECKING:
    from harness.stats.rates import Rates

ALPHA = 0.05
"""Significance level of the gate's one-sided test."""
POWER = 0.8
"""Probability of detecting a drop from which a comparison counts as able to detect it."""

MOST = 4096
"""The largest number of samples per problem that is recommended."""
_MOST_PROBLEMS = 100_000  # the largest number of problems that is recommended


def power_at(rates: Rates, k_base: int, k_new: int, drop: float, *, alpha: float = ALPHA) -> float:
    """Probability that the gate's test detects a drop.

    The test is the one over samples (`paired_test.stratified`), by normal approximation; with one
    sample on both sides, where its lattice is coarse, exactly.

    Args:
        rates: the base's rates, shape (problems, grid).
        k_base: samples per problem of the base.
        k_new: samples per problem of the new run.
        drop: of the mean, as a share; at most the mean itself.
        alpha: significance level, one-sided.
    """
    from scipy import special

    drop = min(drop, float(rates.mean()) * (1 - 1e-6))
    after = lowered(rates, drop)
    m = len(rates)
    actual = sampling_variance(rates) / k_base + sampling_variance(after) / k_new
    if k_base == k_new == 1:
        up, down = float(((1 - rates) * after).mean()), float((rates * (1 - after)).mean())
        return _power_of_signs(m, up, down, alpha)
    under_null = _null_variance(rates, after, k_base, k_new)
    critical = float(special.ndtri(1 - alpha)) * math.sqrt(under_null)
    return float(special.ndtr((drop - critical) / math.sqrt(actual)))


def single_look(drift: float, alpha: float = ALPHA) -> float:
    """Power of one test whose statistic is `drift` standard errors from 0."""
    from scipy import special

    return float(special.ndtr(drift + special.ndtri(alpha)))


def _power_of_signs(m: int, up: float, down: float, alpha: float) -> float:
    """Power of the sign test with mid-p: of m problems a share `up` rises and a share `down` falls."""
    import numpy as np
    from scipy import stats

    changed = np.arange(m + 1)
    chances = stats.binom.pmf(changed, m, up + down)
    # Rises up to which the test sees a drop: its mid-p is then at most alpha.
    allowed = stats.binom.ppf(2 * alpha, changed, 0.5)
    for _ in range(2):
        middle = stats.binom.cdf(allowed - 1, changed, 0.5) + stats.binom.cdf(allowed, changed, 0.5)
        allowed -= middle / 2 > alpha
    return float(chances @ stats.binom.cdf(allowed, changed, up / (up + down)))


def detectable_drop(
    rates: Rates, k_base: int, k_new: int, *, alpha: float = ALPHA, power: float = POWER
) -> float:
    """The smallest drop of the mean that is detected with this power; the mean itself if none is.

    Args:
        rates: the base's rates, shape (problems, grid).
        k_base: samples per problem of the base.
        k_new: samples per problem of the new run.
        alpha: significance level, one-sided.
        power: the probability of detection.

    Returns:
        A share from 0 to 1.
    """
    return smallest_drop(
        rates, lambda drop: power_at(rates, k_base, k_new, drop, alpha=alpha), power
    )


def k_needed(
    rates: Rates, drop: float, *, k_base: int | None = None, alpha: float = ALPHA
) -> int | None:
    """Samples per problem that detect a drop with power 0.8; None if 4,096 do not.

    Args:
        rates: the base's rates, shape (problems, grid).
        drop: of the mean, as a share.
        k_base: samples per problem of the base; as many as the new run's by default.
        alpha: significance level, one-sided.
    """

    def sees(k: int) -> bool:
        return power_at(rates, k_base or k, k, drop, alpha=alpha) >= POWER

    k = 1
    while not sees(k):
        k *= 2
        if k > MOST:
            return None
    low = k // 2  # 0 where one is enough
    while k - low > 1:
        middle = (low + k) // 2
        low, k = (low, middle) if sees(middle) else (middle, k)
    return k


def problems_needed(
    rates: Rates, k_base: int, k_new: int, drop: float, *, alpha: float = ALPHA
) -> int | None:
    """Problems like these that detect a drop with power 0.8 at these k; None beyond 100,000.

    Args:
        rates: the base's rates, shape (problems, grid).
        k_base: samples per problem of the base.
        k_new: samples per problem of the new run.
        drop: of the mean, as a share.
        alpha: significance level, one-sided.
    """
    import numpy as np

    def sees(m: int) -> bool:
        more = np.resize(rates, (m, rates.shape[1]))
        return power_at(more, k_base, k_new, drop, alpha=alpha) >= POWER

    m = len(rates)
    while not sees(m):
        m *= 2
        if m > _MOST_PROBLEMS:
            return None
    low = m // 2
    while m - low > max(1, m // 100):  # good to a percent: it is an order of magnitude
        middle = (low + m) // 2
        low, m = (low, middle) if sees(middle) else (middle, m)
    return m


def smallest_drop(rates: Rates, power_of: Callable[[float], float], power: float) -> float:
    """The smallest drop of the mean at which `power_of` reaches `power`; the mean if none does."""
    most = float(rates.mean())
    if power_of(most * (1 - 1e-6)) < power:
        return most
    return _root(lambda drop: power - power_of(drop), 0.0, most * (1 - 1e-6))


def _null_variance(rates: Rates, after: Rates, k_base: int, k_new: int) -> float:
    """Expected variance of the mean difference when the pooled samples fall at random."""
    total = k_base + k_new
    within = (k_base * sampling_variance(rates) + k_new * sampling_variance(after)) / total
    apart = float(((rates - after) ** 2).mean()) / len(rates)
    between = k_base * k_new * apart / (total * (total - 1))
    return (1 / k_base + 1 / k_new) * (within + between)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls from above 0 to below crosses it; the nearer end if it does not."""
    from scipy.optimize import brentq

    if function(low) <= 0:
        return low
    if function(high) >= 0:
        return high
    return float(brentq(function, low, high, xtol=1e-7, rtol=1e-9))
