"""The rates behind a run's shares: what each problem's true rate may be, given its samples. Pure.

A share of 4 of 4 is no rate of 1. Each problem has a posterior under a Beta distribution of rates
that is fitted to all of them (an empirical Bayes estimate: Casella 1985), and counts as several
equally likely rates, the quantiles of that posterior.

A change of a model is one shift of all problems' log-odds. It moves the problems that are solved
sometimes and leaves those that are always or never solved nearly where they were.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rates = NDArray[np.float64]
    """(problems, grid): equally likely rates of each problem."""

SPREAD = 0.55
"""Intraclass correlation of rates where it cannot be estimated: no samples, or one per problem."""

LEAST_SPREAD = 0.01
"""The least that is assumed: all rates nearly equal, which of all spreads varies most (Jensen)."""

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


def fit_rates(tallies: Sequence[Tally], *, unknown: float = SPREAD) -> Beta:
    """The distribution of rates behind a run's problems, by the method of moments.

    A mean of 0 or 1 is moved inwards by half a sample.

    Args:
        tallies: one per problem, each with a sample.
        unknown: the intraclass correlation where one sample per problem says nothing about it;
            by default 0.55, as on AIME-like sets.
    """
    shares = [t.correct / t.n for t in tallies]
    total = sum(t.n for t in tallies)
    found = math.fsum(shares) / len(shares)
    centre = min(max(found, 0.5 / (total + 1)), 1 - 0.5 / (total + 1))
    n = samples_per_problem(tallies)
    if n <= 1 or len(tallies) < 2:
        return Beta.spread(centre, unknown)
    variance = math.fsum((share - centre) ** 2 for share in shares) / (len(shares) - 1)
    correlation = (n * variance / (centre * (1 - centre)) - 1) / (n - 1)
    return Beta.spread(centre, min(max(correlation, LEAST_SPREAD), 0.99))


def posterior_rates(tallies: Sequence[Tally], *, unknown: float = SPREAD) -> Rates:
    """Each problem's possible rates given its samples: quantiles of its Beta posterior.

    Args:
        tallies: one per problem, each with a sample.
        unknown: as for `fit_rates`.

    Returns:
        Shape (problems, 9), from 0 to 1; the columns are equally likely.
    """
    import numpy as np
    from scipy import special

    prior = fit_rates(tallies, unknown=unknown)
    right = np.array([t.correct for t in tallies], dtype=float)
    n = np.array([t.n for t in tallies], dtype=float)
    kinds, place = np.unique(np.stack([right, n]), axis=1, return_inverse=True)
    right, wrong = kinds[0][:, None], (kinds[1] - kinds[0])[:, None]
    quantiles = (np.arange(_GRID) + 0.5) / _GRID
    found = special.betaincinv(prior.a + right, prior.b + wrong, quantiles)
    return np.asarray(found[place.reshape(-1)])


def posterior_variances(history: Mapping[str, Tally]) -> dict[str, float]:
    """E[p(1-p)] of each problem, the variance of one more sample, over its posterior."""
    prior = fit_rates(list(history.values()))
    found = {}
    for id, t in history.items():
        a, b = prior.a + t.correct, prior.b + t.n - t.correct
        found[id] = a * b / ((a + b) * (a + b + 1))
    return found


def posterior_variance(tallies: Sequence[Tally]) -> float:
    """Variance of the mean of one more sample per problem: E[p(1-p)] of each posterior, over m²."""
    found = posterior_variances({str(i): t for i, t in enumerate(tallies)})
    return math.fsum(found.values()) / len(tallies) ** 2


def assumed_rates(prior: Beta, n_problems: int) -> Rates:
    """Rates of problems of which only the distribution is known.

    Returns:
        Shape (problems, 9), from 0 to 1: quantiles of the distribution, in ascending order.
    """
    import numpy as np
    from scipy import special

    quantiles = (np.arange(n_problems * _GRID) + 0.5) / (n_problems * _GRID)
    return np.asarray(special.betaincinv(*prior, quantiles)).reshape(n_problems, _GRID)


def log_odds(rates: Rates) -> Rates:
    """log(p / (1 - p)), finite at rates of 0 and 1."""
    import numpy as np
    from scipy.special import logit

    return np.asarray(logit(np.clip(rates, 1e-12, 1 - 1e-12)))


def shifted(odds: Rates, target: float, times: NDArray[np.float64] | None = None) -> Rates:
    """Log-odds moved by one shift, so that the mean of their rates is `target`.

    Args:
        odds: log-odds, shape (problems, grid).
        target: between 0 and 1; the ends are moved inwards by 1e-9.
        times: how often each row counts, shape (problems,); once by default.
    """
    import numpy as np
    from scipy.special import expit

    weights = np.ones(len(odds)) if times is None else times
    weights = weights / (weights.sum() * odds.shape[1])

    target = min(max(target, 1e-9), 1 - 1e-9)
    low, high, shift = -60.0, 60.0, 0.0
    for _ in range(100):  # Newton's steps, halving where one leaves what is still possible
        rates = expit(odds + shift)
        excess = float((weights @ rates).sum()) - target
        if abs(excess) < 1e-10:
            break
        low, high = (low, shift) if excess > 0 else (shift, high)
        slope = float((weights @ (rates * (1 - rates))).sum())
        step = shift - excess / slope if slope > 1e-12 else math.inf
        shift = step if low < step < high else (low + high) / 2
    return odds + shift


def lowered(rates: Rates, drop: float) -> Rates:
    """The rates after a drop of their mean, as one shift of all log-odds.

    Args:
        rates: shape (problems, grid).
        drop: of the mean, as a share; a negative one is a rise.

    Raises:
        ValueError: the mean cannot change so far.
    """
    import numpy as np
    from scipy.special import expit

    if drop == 0:
        return rates
    target = float(rates.mean()) - drop
    if not 0 < target < 1:
        raise ValueError(f"a mean of {rates.mean():.3f} cannot fall by {drop:.3f}")
    return np.asarray(expit(shifted(log_odds(rates), target)))


def sampling_variance(rates: Rates) -> float:
    """Variance of the mean of one sample per problem: the mean of p(1-p), over m."""
    return float((rates * (1 - rates)).mean()) / len(rates)
