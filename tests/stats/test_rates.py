"""The rates behind shares: the fitted distribution, posteriors, and drops of the mean."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.stats.rates import (
    LEAST_SPREAD,
    fit_rates,
    log_odds,
    lowered,
    posterior_rates,
    posterior_variance,
    shifted,
)
from harness.types import Tally


def drawn(a: float, b: float, m: int, k: int, seed: int) -> list[Tally]:
    rng = np.random.default_rng(seed)
    return [Tally(k, c) for c in rng.binomial(k, rng.beta(a, b, size=m)).tolist()]


def test_the_fit_finds_the_distribution_that_rates_were_drawn_from() -> None:
    found = fit_rates(drawn(2.0, 1.0, 4000, 8, seed=1))
    assert found == pytest.approx((2.0, 1.0), rel=0.12)


def test_posterior_means_are_betas_and_lie_between_share_and_mean() -> None:
    tallies = drawn(2.0, 1.0, 200, 8, seed=2)
    prior = fit_rates(tallies)
    means = posterior_rates(tallies).mean(axis=1)
    exact = [stats.beta.mean(prior.a + t.correct, prior.b + t.n - t.correct) for t in tallies]
    assert means == pytest.approx(exact, abs=0.01)


def test_the_variance_of_one_more_sample_is_unbiased() -> None:
    rng = np.random.default_rng(3)
    rates = rng.beta(0.5, 0.4, size=60)
    truth = float((rates * (1 - rates)).mean()) / 60
    found = [
        posterior_variance([Tally(4, c) for c in rng.binomial(4, rates).tolist()])
        for _ in range(200)
    ]
    assert np.mean(found) == pytest.approx(truth, rel=0.06)
    assert posterior_variance([Tally(4, 4)] * 30) > 0


def test_a_drop_moves_the_mean_by_itself_and_certain_problems_least() -> None:
    rates = np.array([[0.999], [0.5], [0.001]])
    after = lowered(rates, 0.1)
    assert rates.mean() - after.mean() == pytest.approx(0.1, abs=1e-6)
    assert (rates - after).argmax() == 1
    assert lowered(rates, 0.0) is rates
    with pytest.raises(ValueError, match="cannot fall"):
        lowered(rates, 0.6)


@pytest.mark.parametrize("target", [1e-6, 0.2, 0.5, 0.97, 1 - 1e-6])
def test_log_odds_are_shifted_to_any_mean(target: float) -> None:
    odds = log_odds(np.array([[0.0, 0.01], [0.5, 0.9], [0.999, 1.0]]))
    found = shifted(odds, target)
    assert (1 / (1 + np.exp(-found))).mean() == pytest.approx(target, abs=1e-8)
    assert np.ptp(found - odds) == pytest.approx(0.0, abs=1e-9)


def test_a_run_that_is_all_right_may_still_be_wrong_sometimes() -> None:
    rates = posterior_rates([Tally(4, 4)] * 30)
    assert 0 < (1 - rates).mean() < 0.01


def test_one_sample_per_problem_leaves_the_spread_to_the_caller() -> None:
    tallies = [Tally(1, 1)] * 20 + [Tally(1, 0)] * 10
    wide, narrow = posterior_rates(tallies), posterior_rates(tallies, unknown=LEAST_SPREAD)
    assert (wide * (1 - wide)).mean() < (narrow * (1 - narrow)).mean()
    assert narrow.std() < 0.1
