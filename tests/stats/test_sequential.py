"""The sequential gate: its design's promises, and the analyses of runs that stop."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats.allocation import counts_at, neyman, uniform
from harness.stats.design import Design
from harness.stats.power import detectable_drop
from harness.stats.rates import lowered, posterior_rates
from harness.stats.sequential import analyse
from harness.stats.stopping import InterimAnalysis
from harness.types import Tally


def run_of(right: list[int], k: int) -> dict[str, Tally]:
    return {str(i): Tally(k, c) for i, c in enumerate(right)}


def first_decision(
    design: Design, base: dict[str, Tally], rates: np.ndarray, rng: np.random.Generator
) -> InterimAnalysis:
    """Draw stage by stage until an analysis decides."""
    drawn, right = [0] * len(rates), [0] * len(rates)
    for stage, share in enumerate(design.shares, 1):
        for i, n in enumerate(counts_at(design.allocation, share).values()):
            right[i] += int(rng.binomial(n - drawn[i], rates[i]))
            drawn[i] = n
        new = {str(i): Tally(n, c) for i, (n, c) in enumerate(zip(drawn, right, strict=True))}
        found = analyse(design, base, new, stage)
        if found.decision is not None:
            return found
    raise AssertionError("the last analysis decides")


@pytest.mark.slow
@pytest.mark.parametrize("history", [False, True])
def test_a_stop_raises_no_more_false_alarms_and_keeps_the_power(history: bool) -> None:
    rng = np.random.default_rng(3)
    k, m, nights = 16, 30, 300
    alarms, seen, shares, covered, bounded = 0, 0, [], 0, 0
    for _ in range(nights):
        rates = rng.beta(0.6, 0.4, size=m)
        base = run_of(rng.binomial(4 * k, rates).tolist(), 4 * k)
        allocation = neyman(base, k * m) if history else uniform(list(base), k)
        design = Design.against(base, allocation, margin=0.08)
        same = first_decision(design, base, rates, rng)
        alarms += same.decision == "regression"
        shares.append(design.drawn[same.stage - 1])
        covered += same.interval.low <= rates.mean() <= same.interval.high
        bounded += same.low <= 0.0
        worse = lowered(rates[:, None], min(design.detect, 0.9 * rates.mean()))[:, 0]
        seen += first_decision(design, base, worse, rng).decision == "regression"
    assert alarms / nights <= 0.055 + 2 * math.sqrt(0.05 * 0.95 / nights)
    assert seen / nights >= 0.77 - 2 * math.sqrt(0.8 * 0.2 / nights)
    assert np.mean(shares) <= 0.45
    assert covered / nights >= 0.93
    assert bounded / nights >= 0.945 - 2 * math.sqrt(0.05 * 0.95 / nights)


def test_a_larger_base_and_history_save_samples() -> None:
    rates = [0, 1, 3, 8, 12, 15, 16, 16, 16, 16] * 6
    small, large = run_of(rates, 16), run_of([4 * c for c in rates], 64)
    even = uniform(list(small), 16)
    against_small = Design.against(small, even, margin=0.1).expected_share()
    against_large = Design.against(large, even, margin=0.1).expected_share()
    with_history = Design.against(large, neyman(large, 16 * 60), margin=0.1).expected_share()
    assert with_history < 0.85 * against_large < 0.85 * 0.8 * against_small


def test_the_design_keeps_the_power_of_a_fixed_number_of_samples() -> None:
    rates = posterior_rates([Tally(16, c) for c in (0, 2, 5, 9, 12, 15, 16, 16) * 5])
    for margin in (0.02, 0.05, 0.1):
        design = Design.planned(rates, 16, 16, margin=margin)
        assert design.detect == pytest.approx(detectable_drop(rates, 16, 16))
        assert design.power(design.detect) >= 0.78
        assert math.fsum(design.ends(margin).below) <= 0.052
        assert math.fsum(design.ends(0.0).above) <= 0.051
        assert design.expected_share(2 * design.detect) < 0.6


def test_shares_that_draw_the_same_samples_are_one_analysis() -> None:
    base = run_of([2, 3, 1, 4, 2, 0], 4)
    design = Design.against(base, uniform(list(base), 2), shares=(0.1, 0.2, 0.5, 0.6, 1.0))
    assert design.drawn == (0.5, 1.0)
    single = Design.against(base, uniform(list(base), 1))
    assert single.shares == (1.0,)


def test_what_neither_shows_ends_underpowered() -> None:
    base = run_of([2, 3, 1, 4, 2], 4)
    design = Design.against(base, uniform(list(base), 4), margin=0.01)
    found = analyse(design, base, base, len(design.shares))
    assert found.decision == "underpowered"


def test_a_clear_drop_is_a_regression_at_the_first_analysis() -> None:
    base = run_of([16] * 20 + [8] * 20, 16)
    design = Design.against(base, uniform(list(base), 16))
    first = counts_at(design.allocation, design.shares[0])
    found = analyse(design, base, {id: Tally(n, 0) for id, n in first.items()}, 1)
    assert found.decision == "regression"
    assert found.p_drop < 0.01


def test_a_saturated_run_does_not_pass_after_a_few_samples() -> None:
    """All right once says little against a rate of 0.95, at which 21 % of runs are so."""
    base = run_of([16] * 30, 16)
    design = Design.against(base, uniform(list(base), 16), margin=0.05, shares=(0.0625, 0.5, 1.0))
    assert analyse(design, base, run_of([1] * 30, 1), 1).decision is None
    assert analyse(design, base, run_of([8] * 30, 8), 2).decision == "no regression"


def test_a_p_value_at_the_boundary_is_alpha() -> None:
    base = run_of([8] * 30, 16)
    design = Design.against(base, uniform(list(base), 16), shares=(0.5, 1.0))
    falls = [analyse(design, base, run_of([4] * (30 - n) + [3] * n, 8), 1) for n in range(31)]
    for found in falls:
        assert (found.p_drop <= design.alpha * 1.002) == (found.decision == "regression")
