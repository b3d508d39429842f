"""What a comparison can detect: its power against a drop, and the smallest drop it detects. Pure.

A drop is modelled as one shift of all problems' log-odds, which moves the problems that a model
solves sometimes and leaves those that it always or never solves nearly unchanged.
The rates behind a run are not its shares: each problem has a posterior under a Beta distribution
of rates that is fitted to all of them (an empirical Bayes estimate: Casella 1985), so that 4 of 4
is not taken for a rate of 1.

benchmarks/gate.py measures the power at the drop that is computed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.stats.intervals import mean, rate
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rates = NDArray[np.float64]
    """(problems, grid): equally likely rates of each problem."""

ALPHA = 0.05
"""Significance level of the gate's one-sided test."""
POWER = 0.8
"""Probability of detecting a drop from which a comparison counts as able to detect it."""

SPREAD = 0.55
"""Intraclass correlation of rates where it cannot be estimated: no samples, or one per problem."""

MOST = 4096
"""The largest number of samples per problem that is recommended."""
_MOST_PROBLEMS = 100_000  # the largest number of problems that is recommended

_GRID = 9  # quantiles that represent one problem's posterior


class Beta(NamedTuple):
    """A Beta distribution of per-problem rates."""

    a: float
    b: float

    @classmethod
    def spread(cls, rate: float, correlation: float) -> Beta:
        """The one with this mean and intraclass correlation 1 / (a + b + 1), both between 0 and 1."""
        weight = 1 / correlation - 1
        return cls(rate * weight, (1 - rate) * weight)


def samples_per_problem(tallies: Sequence[Tally]) -> float:
    """The harmonic mean of n over problems, on which the variance of their mean rate depends."""
    return len(tallies) / math.fsum(1 / t.n for t in tallies)


def fit_rates(tallies: Sequence[Tally]) -> Beta:
    """The distribution of rates behind a run's problems, by the method of moments.

    A mean of 0 or 1 is moved inwards by half a sample. One sample per problem says nothing about the
    spread between problems: the intraclass correlation is then taken to be 0.55, as on AIME-like sets.
    """
    shares = [rate(t) for t in tallies]
    total = sum(t.n for t in tallies)
    centre = min(max(mean(shares), 0.5 / (total + 1)), 1 - 0.5 / (total + 1))
    n = samples_per_problem(tallies)
    if n <= 1 or len(tallies) < 2:
        return Beta.spread(centre, SPREAD)
    variance = math.fsum((share - centre) ** 2 for share in shares) / (len(shares) - 1)
    correlation = (n * variance / (centre * (1 - centre)) - 1) / (n - 1)
    return Beta.spread(centre, min(max(correlation, 0.01), 0.99))


def posterior_rates(tallies: Sequence[Tally]) -> Rates:
    """Each problem's possible rates given its samples: quantiles of its Beta posterior.

    Returns:
        Shape (problems, 9), from 0 to 1; the columns are equally likely.
    """
    import numpy as np
    from scipy import stats

    prior = fit_rates(tallies)
    right = np.array([t.correct for t in tallies], dtype=float)[:, None]
    wrong = np.array([t.n - t.correct for t in tallies], dtype=float)[:, None]
    quantiles = (np.arange(_GRID) + 0.5) / _GRID
    return np.asarray(stats.beta.ppf(quantiles, prior.a + right, prior.b + wrong))


def posterior_variance(tallies: Sequence[Tally]) -> float:
    """Variance of the mean of one more sample per problem: E[p(1-p)] of each posterior, over m²."""
    prior = fit_rates(tallies)
    found = 0.0
    for t in tallies:
        a, b = prior.a + t.correct, prior.b + t.n - t.correct
        found += a * b / ((a + b) * (a + b + 1))
    return found / len(tallies) ** 2


def assumed_rates(prior: Beta, n_problems: int) -> Rates:
    """Rates of problems of which only the distribution is known.

    Returns:
        Shape (problems, 9), from 0 to 1: quantiles of the distribution, in ascending order.
    """
    import numpy as np
    from scipy import stats

    quantiles = (np.arange(n_problems * _GRID) + 0.5) / (n_problems * _GRID)
    return np.asarray(stats.beta.ppf(quantiles, *prior)).reshape(n_problems, _GRID)


def lowered(rates: Rates, drop: float) -> Rates:
    """The rates after a drop of their mean, as one shift of all log-odds.

    Args:
        rates: shape (problems, grid).
        drop: of the mean, as a share.

    Raises:
        ValueError: the mean cannot fall so far.
    """
    import numpy as np
    from scipy.special import expit, logit

    if drop == 0:
        return rates
    target = float(rates.mean()) - drop
    if not 0 < target < 1:
        raise ValueError(f"a mean of {rates.mean():.3f} cannot fall by {drop:.3f}")
    odds = logit(np.clip(rates, 1e-9, 1 - 1e-9))
    shift = _root(lambda s: float(expit(odds - s).mean()) - target, -30.0, 30.0)
    return np.asarray(expit(odds - shift))


def sampling_variance(rates: Rates) -> float:
    """Variance of the mean of one sample per problem: the mean of p(1-p), over m."""
    return float((rates * (1 - rates)).mean()) / len(rates)


def power_at(rates: Rates, k_base: int, k_new: int, drop: float, *, alpha: float = ALPHA) -> float:
    """Probability that the gate's test detects a drop.

    The test is the one over samples (`paired_test.stratified`), or over problems where either k is
    1: by normal approximation, less half a step of its lattice, since an exact test stays below its
    level by about that. With one sample on both sides the power is computed exactly.

    Args:
        rates: the base's rates, shape (problems, grid).
        k_base: samples per problem of the base.
        k_new: samples per problem of the new run.
        drop: of the mean, as a share; at most the mean itself.
        alpha: significance level, one-sided.
    """
    from scipy import stats

    drop = min(drop, float(rates.mean()) * (1 - 1e-6))
    after = lowered(rates, drop)
    m = len(rates)
    actual = sampling_variance(rates) / k_base + sampling_variance(after) / k_new
    if k_base == k_new == 1:
        up, down = float(((1 - rates) * after).mean()), float((rates * (1 - after)).mean())
        return _power_of_signs(m, up, down, alpha)
    if min(k_base, k_new) == 1:
        actual += float((rates - after).mean(axis=1).var(ddof=1)) / m
        under_null, step = actual, 2.0 / m
    else:
        under_null = _null_variance(rates, after, k_base, k_new)
        step = (1 / k_base + 1 / k_new) / m
    critical = float(stats.norm.ppf(1 - alpha)) * math.sqrt(under_null) + step / 2
    return float(stats.norm.cdf((drop - critical) / math.sqrt(actual)))


def _power_of_signs(m: int, up: float, down: float, alpha: float) -> float:
    """Power of the exact sign test: of m problems a share `up` rises and a share `down` falls."""
    import numpy as np
    from scipy import stats

    changed = np.arange(m + 1)
    chances = stats.binom.pmf(changed, m, up + down)
    allowed = stats.binom.ppf(alpha, changed, 0.5)  # rises up to which the test may see a drop
    allowed -= stats.binom.cdf(allowed, changed, 0.5) > alpha
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
    """Samples per problem, from 2 on, that detect a drop with power 0.8; None if 4,096 do not.

    One sample per problem is another test, which may detect a drop that two do not.

    Args:
        rates: the base's rates, shape (problems, grid).
        drop: of the mean, as a share.
        k_base: samples per problem of the base; as many as the new run's by default.
        alpha: significance level, one-sided.
    """

    def sees(k: int) -> bool:
        return power_at(rates, k_base or k, k, drop, alpha=alpha) >= POWER

    k = 2
    while not sees(k):
        k *= 2
        if k > MOST:
            return None
    low = k // 2
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
