"""How lucky is a baseline that was chosen among several runs? Pure.

The best of ten equally good runs lies 1.5 standard errors above what it would score again, and every
night that is held against it is told to have fallen. The estimate that does not depend on why a
run was chosen is the empirical Bayes one: its score, shrunk towards the mean of the runs it was
chosen from by the share of their spread that sampling explains (James and Stein 1961; Efron and
Morris 1975). Where the runs truly differ, as on the way up in training, it shrinks little.

benchmarks/simulations/nights.py measures the false alarms that are left.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from harness.stats.change_point import weighted_mean

FEW = 3
"""From this many candidates on, the best of them counts as chosen for its score."""

_CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class Choice:
    """A run among those that it was chosen from.

    Args:
        score: its own, as a share.
        n: the runs that it was chosen from, itself included.
        mean: their mean by precision, the pooled score.
        se_mean: its standard error, by sampling.
        best: whether no other scored higher.
        shrunk: the empirical Bayes estimate of what it would score again.
        variance: of that estimate.
        luck: how far the best of n equally good runs lies above their mean on average, as a share.
    """

    score: float
    n: int
    mean: float
    se_mean: float
    best: bool
    shrunk: float
    variance: float
    luck: float

    @property
    def for_its_score(self) -> bool:
        """Whether the choice looks like one by the score: the best of three or more."""
        return self.best and self.n >= FEW


def choice(chosen: int, scores: Sequence[float], variances: Sequence[float]) -> Choice:
    """What is known about one run among the runs that it was chosen from.

    Args:
        chosen: index of the run.
        scores: of all of them, as shares.
        variances: of each over repeated sampling, above 0.
    """
    n, score, own = len(scores), scores[chosen], variances[chosen]
    centre, error = weighted_mean(scores, variances)
    between = _between(scores, variances)
    shared, shared_error = weighted_mean(scores, [v + between for v in variances])
    kept = between / (between + own)  # share of a deviation that is no sampling error
    return Choice(
        score=score,
        n=n,
        mean=centre,
        se_mean=error,
        best=score >= max(scores),
        shrunk=shared + kept * (score - shared),
        variance=kept * own + (1 - kept) * shared_error**2,
        luck=expected_best(n) * math.sqrt(own),
    )


def p_drop(base: Choice, score: float, variance: float) -> float:
    """One-sided p-value of a new score against the base less its luck.

    Args:
        base: the baseline among its candidates.
        score: of the new run, as a share.
        variance: of that score over repeated sampling.
    """
    from scipy import stats

    error = math.sqrt(variance + base.variance)
    return float(stats.norm.cdf((score - base.shrunk) / error))


@lru_cache(maxsize=256)
def expected_best(n: int) -> float:
    """The mean of the largest of n standard normal values: 0.85 of 3, 1.54 of 10."""
    from scipy import integrate, stats

    if n < 2:
        return 0.0
    found, _ = integrate.quad(
        lambda x: n * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** (n - 1), -8, 8
    )
    return float(found)


def _between(scores: Sequence[float], variances: Sequence[float]) -> float:
    """A lower 90 % bound of the variance of the runs' true means, 0 at least.

    The moment estimate is above 0 for every second set of equal runs, and then leaves half again as
    many false alarms as stated; with the bound they are within 1.1 of it.
    """
    from scipy import stats

    if len(scores) < 2:
        return 0.0
    centre, _ = weighted_mean(scores, variances)
    precisions = [1 / v for v in variances]
    total = math.fsum(precisions)
    spread = math.fsum(w * (s - centre) ** 2 for w, s in zip(precisions, scores, strict=True))
    freedom = len(scores) - 1
    excess = freedom * (spread / float(stats.chi2.ppf(_CONFIDENCE, freedom)) - 1)
    return max(0.0, excess / (total - math.fsum(w * w for w in precisions) / total))
