"""Intervals made by inverting the score test, against published intervals of plain shares."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from harness.stats.intervals import (
    chance_of_as_much,
    difference_bound,
    difference_interval,
    figure_interval,
    joined_interval,
    score_interval,
)
from harness.types import Tally


@pytest.mark.parametrize("right", [0, 1, 7, 20, 39, 40])
def test_equal_rates_make_clopper_and_pearsons_interval(right: int) -> None:
    """One sample per problem says nothing of their spread, so all count as one share."""
    found = score_interval([Tally(1, 1)] * right + [Tally(1, 0)] * (40 - right))
    exact = proportion_confint(right, 40, method="beta")
    assert found == pytest.approx(exact, abs=0.015)


def test_rates_that_differ_make_it_narrower() -> None:
    even = score_interval([Tally(8, 4)] * 30)
    spread = score_interval([Tally(8, 8)] * 15 + [Tally(8, 0)] * 15)
    assert spread.half_width < even.half_width / 3


@pytest.mark.parametrize(("before", "after"), [(30, 24), (50, 55), (12, 40)])
def test_a_difference_of_equal_rates_is_miettinen_and_nurminens(before: int, after: int) -> None:
    base = [Tally(1, 1)] * before + [Tally(1, 0)] * (60 - before)
    new = [Tally(1, 1)] * after + [Tally(1, 0)] * (60 - after)
    shuffled = [new[i] for i in np.random.default_rng(2).permutation(60)]
    low, high = confint_proportions_2indep(after, 60, before, 60, method="score", correction=True)
    found = difference_interval(base, shuffled)
    assert found.low == pytest.approx(low, abs=0.03)
    assert found.high == pytest.approx(high, abs=0.03)


def test_all_right_on_both_sides_has_a_width_and_holds_nothing_else() -> None:
    found = difference_interval([Tally(4, 4)] * 30, [Tally(4, 4)] * 30)
    assert found.low == pytest.approx(-found.high, abs=1e-4)
    assert 0.01 < found.half_width < 0.06
    more = difference_interval([Tally(64, 64)] * 30, [Tally(64, 64)] * 30)
    assert more.half_width < found.half_width / 5


def test_a_drop_of_the_margin_is_tested_with_the_variance_that_it_implies() -> None:
    """All of one round right says little against a rate of 0.95; all of four rounds do."""
    base = [Tally(16, 16)] * 30
    assert chance_of_as_much(base, [Tally(1, 1)] * 30, -0.05) > 0.15
    assert chance_of_as_much(base, [Tally(4, 4)] * 30, -0.05) < 0.01


def test_the_bound_is_where_the_test_says_five_percent() -> None:
    base, new = [Tally(16, 12)] * 10 + [Tally(16, 3)] * 10, [Tally(8, 6)] * 10 + [Tally(8, 1)] * 10
    bound = difference_bound(base, new)
    assert chance_of_as_much(base, new, bound) == pytest.approx(0.05, abs=1e-3)
    assert difference_interval(base, new).low < bound


def test_a_figure_at_k_of_many_is_nearly_known() -> None:
    tallies = [Tally(8, 8)] * 20 + [Tally(8, 4)] * 10
    known, single = (figure_interval(tallies, 0.8, k) for k in (10_000, 1))
    alone = score_interval(tallies)
    assert known.half_width == pytest.approx(alone.half_width, rel=0.1)
    assert single.half_width > 2 * known.half_width
    assert known.low < 25 / 30 - 0.8 < known.high


def test_an_interval_of_a_difference_is_made_of_both_sides() -> None:
    own, other = score_interval([Tally(4, 3)] * 30), score_interval([Tally(4, 2)] * 30)
    found = joined_interval(0.75, own, 0.5, other)
    assert found.low < 0.25 < found.high
    assert found.half_width == pytest.approx(np.hypot(own.half_width, other.half_width), rel=0.05)
