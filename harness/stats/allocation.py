"""How many samples each problem gets. Pure.

A problem that a model always or never solves tells little about a difference, however often it is
drawn. For a mean over problems the variance sum of v_i / n_i is smallest, at a given total, where
n_i is proportional to the standard deviation of one sample, sqrt(v_i) (Neyman 1934). v_i = p(1-p) is
taken from runs before, as its expectation over each problem's posterior, so that 16 of 16 is not
taken for a rate of 1.

An allocation is fixed before the first sample and never looks at the run's own samples, so that each
problem's mean stays unbiased, and the mean over problems with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from harness.stats.rates import posterior_variances
from harness.types import Tally

KEPT = 0.8
"""Share of its level that a test keeps where the base itself decided how many samples a problem gets.

Given how the samples fell, the base's counts and the run's numbers of samples are then not
independent: simulated, 6.5 % of unchanged runs fall below 5 % where the base has no more samples than
the run, and 4.5 % where it has four times as many."""

_LARGE = 4  # times the samples, from which a base's own part in an allocation does not show

FLOOR = 2
"""The least number of samples of a problem: below it the variance of its rate is unknown."""


def uniform(ids: Iterable[str], k: int) -> dict[str, int]:
    """K samples of every problem."""
    return dict.fromkeys(ids, k)


def neyman(history: Mapping[str, Tally], total: int, *, floor: int = FLOOR) -> dict[str, int]:
    """Samples per problem in proportion to sqrt(E[p(1-p)]), at least `floor` each.

    Args:
        history: what is known of each problem, over all runs before.
        total: samples over all problems; the result sums to exactly this.
        floor: the least of a problem.

    Raises:
        ValueError: the total leaves less than `floor` for each problem, or a problem has no samples.
    """
    if total < floor * len(history):
        raise ValueError(f"{total} samples are fewer than {floor} for each of {len(history)}")
    if any(not tally.n for tally in history.values()):
        raise ValueError("a problem without samples says nothing about its rate")
    deviations = {id: math.sqrt(v) for id, v in posterior_variances(history).items()}
    found = dict.fromkeys(history, floor)
    free = set(history)
    # A problem whose share is below the floor keeps the floor, and the others share what is left.
    while True:
        left = total - floor * (len(history) - len(free))
        weight = math.fsum(deviations[id] for id in free)
        low = {id for id in free if left * deviations[id] < floor * weight}
        if not low or low == free:
            break
        free -= low
    shares = {id: left * deviations[id] / weight for id in free}
    found |= {id: math.floor(share) for id, share in shares.items()}
    rest = total - sum(found.values())
    for id in sorted(free, key=lambda id: (math.floor(shares[id]) - shares[id], id))[:rest]:
        found[id] += 1
    return found


def share_of_level(allocation: Mapping[str, int] | None, base: Iterable[int]) -> float:
    """Share of its level that a test keeps under an allocation: 1 where all problems get as many.

    Args:
        allocation: samples per problem; None where all get as many.
        base: those of the base, of each problem.
    """
    if not allocation or len(set(allocation.values())) == 1:
        return 1.0
    return 1.0 if sum(base) >= _LARGE * sum(allocation.values()) else KEPT


def counts_at(allocation: Mapping[str, int], share: float) -> dict[str, int]:
    """Samples of each problem up to an interim analysis.

    Args:
        allocation: of the whole run.
        share: of the samples, above 0 and up to 1.

    Returns:
        At least one, and never more than the problem's own.
    """
    return {id: max(1, math.ceil(round(share * n, 9))) for id, n in allocation.items()}
