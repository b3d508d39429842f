"""Power and the smallest detectable drop against simulation and the textbook's formula."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.paired_test import stratified
from harness.stats.power import detectable_drop, k_needed, power_at, problems_needed
from harness.stats.rates import Beta, assumed_rates, lowered, posterior_rates, sampling_variance
from harness.types import Tally


def drawn(a: float, b: float, m: int, k: int, seed: int) -> list[Tally]:
    rng = np.random.default_rng(seed)
    return [Tally(k, c) for c in rng.binomial(k, rng.beta(a, b, size=m)).tolist()]


def test_power_is_the_textbooks_where_samples_are_many() -> None:
    rates = np.full((400, 1), 0.5)
    error = math.sqrt(2 * 0.25 / 64 / 400)
    drop = detectable_drop(rates, 64, 64)
    assert drop == pytest.approx((stats.norm.ppf(0.95) + stats.norm.ppf(0.8)) * error, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize(("a", "b", "m", "k"), [(0.5, 0.3, 30, 8), (4.0, 0.3, 60, 4)])
def test_the_promised_drop_is_seen_with_the_promised_power(
    a: float, b: float, m: int, k: int
) -> None:
    """Simulated with the exact test; within 3 points and two simulation errors."""
    rng = np.random.default_rng(4)
    nights, seen = 500, 0
    for _ in range(nights):
        rates = rng.beta(a, b, size=m)
        base = [Tally(k, c) for c in rng.binomial(k, rates).tolist()]
        drop = min(detectable_drop(posterior_rates(base), k, k), 0.95 * rates.mean())
        worse = lowered(rates[:, None], drop)[:, 0]
        seen += stratified(base, [Tally(k, c) for c in rng.binomial(k, worse).tolist()])[0] <= 0.05
    assert abs(seen / nights - 0.8) < 0.03 + 2 * math.sqrt(0.8 * 0.2 / nights)


def test_k_and_problems_that_would_do_do_and_one_less_does_not() -> None:
    rates = posterior_rates(drawn(0.5, 0.3, 40, 16, seed=5))
    k = k_needed(rates, 0.03)
    assert k is not None
    assert power_at(rates, k, k, 0.03) >= 0.8 > power_at(rates, k - 1, k - 1, 0.03)
    m = problems_needed(rates, 4, 4, 0.05)
    assert m is not None
    more = np.repeat(rates, math.ceil(m / 40), axis=0)[:m]
    assert power_at(more, 4, 4, 0.05) == pytest.approx(0.8, abs=0.05)
    assert k_needed(np.full((2, 1), 0.5), 0.001) is None


def test_the_number_of_problems_that_would_do_does_from_a_hopeless_start() -> None:
    rates = posterior_rates([Tally(1, 1)] * 3 + [Tally(1, 0)] * 2)
    m = problems_needed(rates, 1, 1, 0.05)
    assert m is not None
    assert power_at(np.resize(rates, (m, rates.shape[1])), 1, 1, 0.05) >= 0.8


def test_a_fall_that_cannot_be_is_a_fall_to_nothing() -> None:
    rates = posterior_rates([Tally(1, 0)] * 29 + [Tally(1, 1)])
    assert power_at(rates, 1, 1, 0.5) == pytest.approx(power_at(rates, 1, 1, rates.mean()))
    assert power_at(rates, 1, 1, 0.5) < 0.2


def test_five_problems_with_one_sample_see_next_to_nothing() -> None:
    rates = posterior_rates([Tally(1, 1)] * 3 + [Tally(1, 0)] * 2)
    assert power_at(rates, 1, 1, 0.05) < 0.02
    assert power_at(rates[:3], 1, 1, 0.05) == 0.0  # three signs alike have a mid-p of 1/16


def test_power_with_one_sample_a_problem_is_that_of_simulated_sign_tests() -> None:
    rng = np.random.default_rng(6)
    rates = rng.beta(1.0, 1.0, size=(60, 1))
    after = lowered(rates, 0.15)
    nights = 3000
    before = rng.random((nights, 60)) < rates[:, 0]
    now = rng.random((nights, 60)) < after[:, 0]
    falls, rises = (before & ~now).sum(axis=1), (now & ~before).sum(axis=1)
    p_values = stats.binom.cdf(rises, falls + rises, 0.5)
    p_values -= stats.binom.pmf(rises, falls + rises, 0.5) / 2
    assert power_at(rates, 1, 1, 0.15) == pytest.approx((p_values <= 0.05).mean(), abs=0.03)


def test_more_samples_and_a_laxer_level_see_smaller_drops() -> None:
    rates = assumed_rates(Beta.spread(0.6, 0.5), 30)
    drops = [detectable_drop(rates, k, k) for k in (1, 2, 4, 8, 16, 32, 64)]
    assert drops == sorted(drops, reverse=True)
    assert detectable_drop(rates, 16, 16, alpha=0.1) < drops[4]
    assert rates.mean() == pytest.approx(0.6, abs=0.01)
    assert sampling_variance(rates) == pytest.approx(0.6 * 0.4 * 0.5 / 30, rel=0.05)
