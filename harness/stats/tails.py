"""Tail probabilities of a mean of independent draws, right far out and at rates near 0 and 1. Pure.

The sum over problems of a share of n draws has a known cumulant generating function, and the
saddlepoint approximation of Lugannani and Rice (1980) gives its tail from it: to a few percent of the
probability itself where a normal approximation is off by multiples, because the sum is skewed (rates
near 0 or 1) or one problem decides. Sums on a lattice are treated as continuous ones, which gives
the mid-p tail: the probability of more, and half that of as much.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.stats.rates import log_odds, shifted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.stats.rates import Rates

_NEAR = 1e-3  # standard deviations from the mean within which the tail is the normal one


@dataclass(frozen=True, slots=True)
class Draws:
    """Samples to be drawn from problems whose rates are known as equally likely ones.

    Problems of one kind, with the same rates and number of samples, are one row.

    Args:
        odds: log-odds of the rates, shape (kinds, grid).
        n: samples per problem, shape (kinds,); a fraction stands for a mean over runs.
        times: how many problems are of each kind, shape (kinds,).
    """

    odds: Rates
    n: NDArray[np.float64]
    times: NDArray[np.float64]

    @classmethod
    def of(
        cls, rates: Rates, n: NDArray[np.float64], times: NDArray[np.float64] | None = None
    ) -> Draws:
        """From rates between 0 and 1; each row is one problem by default."""
        import numpy as np

        return cls(log_odds(rates), n, np.ones(len(n)) if times is None else times)

    def moved(self, target: float) -> Draws:
        """With all log-odds shifted so that the mean rate is `target`."""
        return Draws(shifted(self.odds, target, self.times), self.n, self.times)

    @property
    def problems(self) -> float:
        """How many there are."""
        return float(self.times.sum())

    @property
    def step(self) -> float:
        """The share that one sample is of a problem, a mean weighted by what each adds to the variance."""
        weights = self.times * self.variances
        return float(weights @ (1 / self.n)) / float(weights.sum())

    @property
    def variances(self) -> NDArray[np.float64]:
        """Sampling variance of a problem's share, by kind."""
        from scipy.special import expit

        rates = expit(self.odds)
        found: NDArray[np.float64] = (rates * (1 - rates)).mean(axis=1) / self.n
        return found


def upper_tail(total: float, plus: Draws, minus: Draws | None = None) -> float:
    """Mid-p probability that the shares of `plus`, less those of `minus`, sum to `total` or more.

    Args:
        total: a sum over problems of shares from 0 to 1.
        plus: the draws whose shares are added.
        minus: the draws whose shares are subtracted.
    """
    sides = [(plus, 1)] + ([] if minus is None else [(minus, -1)])
    most = plus.problems
    least = 0.0 if minus is None else -minus.problems
    if total >= most - 1e-9:
        return 0.5 * math.exp(_log_extreme(sides, 1)) if total <= most + 1e-9 else 0.0
    if total <= least + 1e-9:
        return 1 - 0.5 * math.exp(_log_extreme(sides, -1)) if total >= least - 1e-9 else 1.0
    return _lugannani_rice(sides, total)


def _lugannani_rice(sides: list[tuple[Draws, int]], total: float) -> float:
    _, centre, variance = _cumulants(sides, 0.0)
    if variance < 1e-18:
        return 0.5 + 0.5 * math.copysign(1.0, centre - total)
    deviation = math.sqrt(variance)
    z = (total - centre) / deviation
    normal = 0.5 * math.erfc(z / math.sqrt(2))
    if abs(z) < _NEAR:
        return normal
    point, value, curvature = _saddlepoint(sides, total, z / deviation)
    squared = 2 * (point * total - value)
    if squared <= 1e-10 or curvature <= 0:
        return normal
    w, u = math.copysign(math.sqrt(squared), point), point * math.sqrt(curvature)
    density = math.exp(-squared / 2) / math.sqrt(2 * math.pi)
    found = 0.5 * math.erfc(w / math.sqrt(2)) + density * (1 / u - 1 / w)
    return min(1.0, max(0.0, found))


def _saddlepoint(
    sides: list[tuple[Draws, int]], total: float, start: float
) -> tuple[float, float, float]:
    """Where the first derivative of the generating function is `total`; its value and curvature there."""
    low, high = (0.0, math.inf) if start > 0 else (-math.inf, 0.0)
    point = start
    value = curvature = 0.0
    for _ in range(100):
        value, slope, curvature = _cumulants(sides, point)
        excess = slope - total
        if abs(excess) < 1e-9:
            break
        low, high = (low, point) if excess > 0 else (point, high)
        step = point - excess / curvature if curvature > 1e-14 else math.nan
        if not low < step < high:
            step = (low + high) / 2 if math.isfinite(low + high) else 2 * point
        point = step
    return point, value, curvature


def _cumulants(sides: list[tuple[Draws, int]], point: float) -> tuple[float, float, float]:
    """The cumulant generating function of the sum and its first two derivatives.

    A problem's is the mean over its equally likely rates, so that its cumulants are the expected ones:
    the rate is fixed and only not known, and must not add its own variance.
    """
    import numpy as np
    from scipy.special import expit

    value = slope = curvature = 0.0
    for draws, sign in sides:
        weights = draws.times / draws.odds.shape[1]
        tilted = draws.odds + sign * point / draws.n[:, None]
        rates = expit(tilted)
        logs = np.logaddexp(0, tilted) - np.logaddexp(0, draws.odds)
        value += float((weights * draws.n) @ logs.sum(axis=1))
        slope += sign * float(weights @ rates.sum(axis=1))
        curvature += float((weights / draws.n) @ (rates * (1 - rates)).sum(axis=1))
    return value, slope, curvature


def _log_extreme(sides: list[tuple[Draws, int]], direction: int) -> float:
    """Logarithm of the probability of the largest sum (direction 1) or of the smallest (-1)."""
    import numpy as np

    return -sum(
        float(
            (draws.times * draws.n) @ np.logaddexp(0, -direction * sign * draws.odds).mean(axis=1)
        )
        for draws, sign in sides
    )
