"""The sequential gate: its boundaries against simulated Brownian paths, its promises against nights."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats.power import detectable_drop as fixed_drop
from harness.stats.power import lowered, posterior_rates
from harness.stats.sequential import (
    Design,
    InterimAnalysis,
    analyse,
    boundary,
    detectable_drop,
    expected_share,
    operating_characteristics,
    score_interval,
)
from harness.types import Tally


def first_decision(design: Design, base: dict[str, Tally], draws: np.ndarray) -> InterimAnalysis:
    right = np.zeros(draws.shape[1], dtype=int)
    for number, drawn in enumerate(draws, 1):
        right += drawn
        new = {str(i): Tally(number, c) for i, c in enumerate(right.tolist())}
        found = analyse(design, base, new, number)
        if found.decision is not None:
            return found
    raise AssertionError("the last round decides")


def run_of(right: list[int], k: int) -> dict[str, Tally]:
    return {str(i): Tally(k, c) for i, c in enumerate(right)}


@pytest.mark.parametrize("k", [4, 16])
def test_the_boundary_is_crossed_as_often_as_it_says(k: int) -> None:
    """Brownian paths seen at the times of the analyses, 100,000 of them."""
    design = Design(k, k)
    times = np.array(design.times)
    rng = np.random.default_rng(1)
    steps = rng.normal(size=(100_000, k)) * np.sqrt(np.diff(times, prepend=0.0))
    crossed = (steps.cumsum(axis=1) >= boundary(design.times, 0.05)).any(axis=1).mean()
    assert crossed == pytest.approx(0.05, abs=0.003)


def test_expected_rounds_and_power_are_those_of_simulated_paths() -> None:
    design = Design(8, 8, margin=0.05)
    variance = 0.05**2 / 2.5**2 / (2 / 8)  # a drop of 0.05 is 2.5 errors at the cap
    times = np.array(design.times)
    rng = np.random.default_rng(2)
    steps = rng.normal(size=(60_000, 8)) * np.sqrt(np.diff(times, prepend=0.0))
    for drop in (0.0, 0.05, 0.1):
        paths = steps.cumsum(axis=1) + drop / 0.05 * 2.5 * times
        up = paths >= boundary(design.times, 0.05)
        down = 2.5 * times - paths >= design.excluded
        stopped = (up | down).argmax(axis=1)
        never = ~(up | down).any(axis=1)
        rounds = np.where(never, 8, stopped + 1)
        alarms = ~never & up[np.arange(len(up)), stopped]
        power, expected = operating_characteristics(design, variance, drop)
        assert power == pytest.approx(alarms.mean(), abs=0.01)
        assert expected == pytest.approx(rounds.mean(), rel=0.01)


def test_the_base_is_used_in_every_analysis() -> None:
    times = Design(16, 16).times
    assert times[-1] == 1
    assert times[5] == pytest.approx(2 * (6 / 16) / (1 + 6 / 16))


@pytest.mark.slow
def test_analyses_after_every_round_raise_no_more_false_alarms_and_save_rounds() -> None:
    rng = np.random.default_rng(3)
    k, m, nights = 8, 30, 400
    alarms, seen, rounds, late, covered = 0, 0, [], [], 0
    for _ in range(nights):
        rates = rng.beta(0.6, 0.4, size=m)
        base = run_of(rng.binomial(k, rates).tolist(), k)
        drop = min(fixed_drop(posterior_rates(list(base.values())), k, k), 0.45 * rates.mean())
        design = Design.against(base, k, margin=drop)
        same = first_decision(design, base, rng.random((k, m)) < rates)
        alarms += same.decision == "regression"
        rounds.append(same.round / k)
        covered += same.interval.low <= rates.mean() <= same.interval.high
        for times, counts in ((1, None), (2, late)):
            worse = lowered(rates[:, None], times * drop)[:, 0]
            found = first_decision(design, base, rng.random((k, m)) < worse)
            if counts is None:
                seen += found.decision == "regression"
            else:
                counts.append(found.round / k)
    assert alarms / nights <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / nights)
    assert seen / nights >= 0.77 - 2 * math.sqrt(0.8 * 0.2 / nights)
    assert np.mean(rounds) <= 0.6
    assert np.mean(late) <= 0.4
    assert covered / nights >= 0.95 - 2 * math.sqrt(0.05 * 0.95 / nights)


def test_the_sequential_promise_is_near_the_fixed_one() -> None:
    rates = posterior_rates([Tally(16, c) for c in (0, 2, 5, 9, 12, 15, 16, 16) * 5])
    fixed, early = fixed_drop(rates, 16, 16), detectable_drop(rates, 16)
    assert early == pytest.approx(fixed, rel=0.1)
    assert expected_share(Design(16, 16, margin=early), rates) < 0.6
    assert expected_share(Design(16, 16, margin=early), rates, 2 * early) < 0.4


def test_a_margin_that_k_rounds_cannot_see_ends_underpowered() -> None:
    base = run_of([2, 3, 1, 4, 2], 4)
    design = Design.against(base, 4, margin=0.01)
    assert not design.able
    found = analyse(design, base, run_of([2, 3, 1, 4, 2], 4), 4)
    assert found.decision == "underpowered"


def test_a_clear_drop_is_a_regression_before_the_cap() -> None:
    base = run_of([16] * 20 + [8] * 20, 16)
    new = run_of([1] * 20 + [0] * 20, 4)
    found = analyse(Design.against(base, 16), base, new, 4)
    assert found.decision == "regression"
    assert found.p_drop < 0.05


def test_the_score_interval_is_wider_than_that_of_one_analysis_and_narrows_with_rounds() -> None:
    widths = [
        score_interval(
            [Tally(r, round(r * s)) for s in (0.0, 0.25, 0.5, 1.0) * 10], r, 32
        ).half_width
        for r in (4, 8, 16, 32)
    ]
    assert widths == sorted(widths, reverse=True)
    plain = 1.96 * math.sqrt(0.25 * (0.1875 + 0.25) / 40 / 32)
    assert plain < widths[-1] < 2.5 * plain
