"""Samples per problem in proportion to what they tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.allocation import counts_at, neyman, share_of_level, uniform
from harness.stats.paired_test import stratified
from harness.stats.rates import posterior_variances
from harness.types import Tally

HISTORY = {str(i): Tally(16, right) for i, right in enumerate([0, 16, 16, 8, 15, 16, 1, 16, 12])}


def test_it_is_neymans_optimum() -> None:
    """No other way to share out the samples has a smaller variance: tried at random."""
    found = neyman(HISTORY, 9 * 40)
    variances = posterior_variances(HISTORY)

    def variance(counts: dict[str, int]) -> float:
        return math.fsum(variances[id] / n for id, n in counts.items())

    rng = np.random.default_rng(1)
    for _ in range(500):
        up, down = rng.choice(list(found), 2, replace=False)
        other = {**found, up: found[up] + 1, down: found[down] - 1}
        if other[down] >= 2:
            assert variance(other) >= variance(found) * (1 - 1e-4)
    assert variance(found) < 0.9 * variance(uniform(list(HISTORY), 40))


@given(
    st.lists(st.tuples(st.integers(1, 64), st.floats(0, 1)), min_size=1, max_size=40),
    st.integers(2, 30),
)
def test_it_sums_to_the_total_and_leaves_nobody_out(runs: list[tuple[int, float]], k: int) -> None:
    history = {str(i): Tally(n, round(n * share)) for i, (n, share) in enumerate(runs)}
    found = neyman(history, k * len(history))
    assert sum(found.values()) == k * len(history)
    assert min(found.values()) >= 2
    assert found.keys() == history.keys()


def test_the_mean_over_problems_stays_unbiased() -> None:
    rng = np.random.default_rng(2)
    rates = rng.beta(0.5, 0.5, 20)
    total = 0.0
    for _ in range(2000):
        base = {str(i): Tally(8, int(c)) for i, c in enumerate(rng.binomial(8, rates))}
        counts = list(neyman(base, 80).values())
        total += float((rng.binomial(counts, rates) / counts).mean())
    assert total / 2000 == pytest.approx(rates.mean(), abs=0.004)


@pytest.mark.slow
def test_a_base_that_allocated_the_samples_raises_no_more_alarms() -> None:
    rng = np.random.default_rng(4)
    alarms, nights = 0, 1500
    for _ in range(nights):
        rates = rng.beta(0.5, 0.45, 30)
        base = {str(i): Tally(16, int(c)) for i, c in enumerate(rng.binomial(16, rates))}
        counts = neyman(base, 480)
        drawn = rng.binomial(list(counts.values()), rates).tolist()
        new = [Tally(n, c) for n, c in zip(counts.values(), drawn, strict=True)]
        alarms += (
            stratified(list(base.values()), new)[0] / share_of_level(counts, [16] * 30) <= 0.05
        )
    assert alarms / nights <= 0.055 + 2 * math.sqrt(0.05 * 0.95 / nights)


def test_an_even_allocation_and_a_large_base_keep_the_level() -> None:
    assert share_of_level(uniform(["a", "b"], 4), [4, 4]) == share_of_level(None, [4, 4]) == 1
    assert share_of_level({"a": 4, "b": 5}, [18, 18]) == 1
    assert share_of_level({"a": 4, "b": 5}, [5, 5]) < 1


def test_too_few_samples_and_unknown_problems_are_errors() -> None:
    with pytest.raises(ValueError, match="fewer than 2"):
        neyman(HISTORY, 17)
    with pytest.raises(ValueError, match="without samples"):
        neyman({**HISTORY, "new": Tally(0, 0)}, 100)


def test_a_share_of_the_samples_is_whole_ones_and_at_least_one() -> None:
    allocation = {"a": 2, "b": 10, "c": 64}
    assert counts_at(allocation, 0.1) == {"a": 1, "b": 1, "c": 7}
    assert counts_at(allocation, 1.0) == allocation
