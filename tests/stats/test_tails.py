"""Saddlepoint tails against exact sums."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.tails import Draws, upper_tail


def exact(n: list[int], rates: list[float]) -> np.ndarray:
    """Distribution of the number of right samples."""
    found = np.ones(1)
    for size, rate in zip(n, rates, strict=True):
        found = np.convolve(found, stats.binom.pmf(np.arange(size + 1), size, rate))
    return found


@pytest.mark.parametrize("rates", [[0.5] * 10, [0.98] * 30, [0.02] * 30, [0.1, 0.5, 0.99] * 10])
@pytest.mark.parametrize("n", [2, 4, 16])
def test_it_is_the_mid_p_tail_of_an_exact_sum(rates: list[float], n: int) -> None:
    draws = Draws.of(np.array(rates)[:, None], np.full(len(rates), float(n)))
    chances = exact([n] * len(rates), rates)
    tail = np.cumsum(chances[::-1])[::-1] - chances / 2
    # Where fewer than two wrong or right samples are expected the lattice is all there is.
    for right in np.flatnonzero((tail > 1e-6) & (tail < 1 - 1e-6)).tolist():
        found = upper_tail(right / n, draws)
        assert found == pytest.approx(tail[right], rel=0.12, abs=0.004)


def test_differences_with_unequal_numbers_of_samples() -> None:
    rng = np.random.default_rng(1)
    rates = rng.beta(1, 0.3, size=(25, 1))
    base, new = rng.integers(1, 5, 25), rng.integers(8, 65, 25)
    drawn = (rng.binomial(new, rates[:, 0], (400_000, 25)) / new).sum(axis=1)
    drawn -= (rng.binomial(base, rates[:, 0], (400_000, 25)) / base).sum(axis=1)
    sides = [Draws.of(rates, n.astype(float)) for n in (new, base)]
    for total in (-3.0, -1.5, 0.0, 1.5, 3.0):
        assert upper_tail(total, *sides) == pytest.approx((drawn >= total).mean(), abs=0.012)


def test_the_ends_of_the_range_are_exact() -> None:
    draws = Draws.of(np.array([[0.9], [0.8]]), np.array([3.0, 2.0]))
    all_right = 0.9**3 * 0.8**2
    assert upper_tail(2.0, draws) == pytest.approx(all_right / 2)
    assert upper_tail(0.0, draws) == pytest.approx(1 - 0.1**3 * 0.2**2 / 2)
    assert upper_tail(2.1, draws) == 0.0
    assert upper_tail(-0.1, draws) == 1.0
