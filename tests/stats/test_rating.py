"""Ratings and their intervals, against closed forms and contests drawn with Elo's odds exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulations import rating as benchmark
from harness.stats.rating import Placing, joint_rating, mean_rating, percentile
from harness.stats.rating_curve import curve, expected_place, place_variance

RATINGS = (900.0, 1200.0, 1200.0, 1500.0, 1900.0)
FIELD = tuple(np.random.default_rng(3).normal(1400, 350, 60).round().tolist())


def test_the_expected_place_is_the_sum_of_elo_odds() -> None:
    due = 1 + sum(1 / (1 + 10 ** ((1400 - rating) / 400)) for rating in RATINGS)
    assert expected_place(1400, RATINGS) == pytest.approx(due)
    assert expected_place(1500, [1500.0] * 10) == pytest.approx(6)


@given(st.floats(500, 3000))
@settings(max_examples=30, deadline=None)
def test_one_or_two_contests_give_the_rating_that_makes_the_places_expected(rating: float) -> None:
    placings = [
        Placing(field, expected_place(rating, field)) for field in (RATINGS, (2000.0,) * 30)
    ]
    joint = joint_rating(placings)
    assert joint.rating == pytest.approx(rating, abs=0.1)
    assert joint.low is not None
    assert joint.high is not None
    assert joint.low < joint.rating < joint.high
    inside = [p for p in placings if 1.5 <= p.place <= len(p.ratings) + 0.5]
    assert mean_rating(placings).clamped == len(placings) - len(inside)
    if inside:
        assert mean_rating(inside).rating == pytest.approx(rating, abs=0.1)


@pytest.mark.parametrize("rating", [900, 1400, 1900])
@pytest.mark.parametrize("participations", [1, 8])
def test_the_variance_of_a_place_is_that_of_its_pairs(rating: float, participations: int) -> None:
    """By the probability that two participants both finish before one, or each before one of two."""
    odds = [10 ** ((r - rating) / 400) for r in RATINGS]
    single = sum(
        u / (1 + u) ** 2 if i == j else 1 / (1 + u + v) - 1 / ((1 + u) * (1 + v))
        for i, u in enumerate(odds)
        for j, v in enumerate(odds)
    )
    shared = sum(u / (2 + u) - (u / (1 + u)) ** 2 for u in odds)
    due = shared + (single - shared) / participations
    assert place_variance(rating, RATINGS, participations) == pytest.approx(due, rel=1e-3)


@pytest.mark.parametrize(("participations", "near"), [(1, 0.06), (4, 0.12)])
def test_the_rating_of_a_place_has_the_moments_of_drawn_ones(
    participations: int, near: float
) -> None:
    random, found = np.random.default_rng(5), curve(FIELD, participations)
    for rating in (1000, 1400, 1800):
        drawn = [
            found.rating_at(benchmark.place(FIELD, rating, participations, random))
            for _ in range(4000)
        ]
        at = found.over(np.array([float(rating)]))
        error = np.std(drawn) / len(drawn) ** 0.5
        assert abs(np.mean(drawn) - at.expectation[0]) < 3 * error + 3
        assert np.std(drawn) == pytest.approx(at.variance[0] ** 0.5, rel=near)


@pytest.mark.parametrize("participations", [1, 8])
def test_the_interval_of_two_contests_is_where_the_places_are_1_96_deviations_off(
    participations: int,
) -> None:
    joint = joint_rating([Placing(RATINGS, place, participations) for place in (2.5, 3.5)])
    assert joint.contest_effect is None
    for limit, side in ((joint.low, 1), (joint.high, -1)):
        assert limit is not None
        off = 2 * expected_place(limit, RATINGS) - 6
        deviation = math.sqrt(2 * place_variance(limit, RATINGS, participations))
        assert off / deviation == pytest.approx(side * 1.959964, abs=2e-3)


def test_the_interval_of_several_contests_is_students_for_their_ratings() -> None:
    """In the limit of many participations, where the ratings of the contests have no bias left."""
    from scipy import stats

    strengths = (1100.0, 1350.0, 1500.0, 1720.0)
    placings = [Placing(FIELD, expected_place(r, FIELD), 1_000_000) for r in strengths]
    joint = joint_rating(placings)
    low, high = stats.t.interval(0.95, 3, np.mean(strengths), stats.sem(strengths))
    assert joint.rating == pytest.approx(np.mean(strengths), abs=3)
    assert joint.low == pytest.approx(low, abs=6)
    assert joint.high == pytest.approx(high, abs=6)
    assert joint.contest_effect == pytest.approx(np.std(strengths, ddof=1), rel=0.05)


def test_contests_that_agree_show_no_contest_effect() -> None:
    placings = [Placing(FIELD, expected_place(r, FIELD)) for r in (1400, 1410, 1420)]
    assert joint_rating(placings).contest_effect == 0


def test_first_everywhere_has_no_upper_bound_and_last_everywhere_no_lower() -> None:
    first, last = (joint_rating([Placing(RATINGS, at)] * 3) for at in (1.0, 6.0))
    assert (first.rating, first.high, first.contest_effect) == (None, None, None)
    assert first.low is not None
    assert first.low > 1200
    assert (last.rating, last.low, last.contest_effect) == (None, None, None)
    assert last.high is not None
    assert last.high < 1500


def test_a_first_place_in_nearly_every_participation_has_a_rating_and_bounds() -> None:
    joint = joint_rating([Placing(RATINGS, 1.2, 10)] * 4)
    assert joint.contest_effect is None
    assert joint.rating is not None
    assert joint.low is not None
    assert joint.high is not None
    assert 1900 < joint.low < joint.rating < joint.high


def test_a_first_or_last_place_is_moved_half_a_place_inwards_and_counted() -> None:
    found = mean_rating([Placing(RATINGS, at) for at in (1.0, 3.0, 6.0)])
    assert found.clamped == 2
    assert [round(expected_place(r, RATINGS), 3) for r in found.ratings] == [1.5, 3.0, 5.5]
    assert found.rating == pytest.approx(sum(found.ratings) / 3)


def test_nothing_is_computed_from_nothing() -> None:
    for compute in (joint_rating, mean_rating):
        with pytest.raises(ValueError, match="needs a contest"):
            compute([])
        with pytest.raises(ValueError, match="rated participant"):
            compute([Placing((), 1.0)])
    with pytest.raises(ValueError, match="empty"):
        percentile(1500, [])


def test_the_percentile_is_the_share_rated_lower() -> None:
    population = [800, 1000, 1000, 1200]
    assert [percentile(rating, population) for rating in (700, 1000, 1100, 1300)] == [
        0,
        25,
        75,
        100,
    ]


@pytest.mark.parametrize(
    ("rating", "contests", "participations", "effect"),
    [(900, 3, 1, 300), (1400, 10, 8, 150), (1900, 20, 64, 300), (1900, 5, 8, 0), (900, 10, 0, 150)],
)
def test_the_interval_covers_and_the_rating_is_unbiased(
    rating: float, contests: int, participations: int, effect: float
) -> None:
    fields = benchmark.alike() if participations else benchmark.mixed()
    cell = benchmark.simulate(
        rating, fields[:contests], participations=participations, effect=effect, runs=500, seed=1
    )
    assert 0.93 <= cell.covered <= 0.98
    bias, error, _ = cell.bias()
    assert abs(bias) < 15 + 2 * error
    if contests > 3:
        assert cell.effect() == pytest.approx(effect, abs=75)


@pytest.mark.parametrize("contests", [1, 2])
def test_few_contests_are_covered_where_there_is_no_contest_effect(contests: int) -> None:
    fields = benchmark.alike()[:contests]
    wide = benchmark.simulate(1900, fields, participations=1, effect=0, runs=500, seed=1)
    narrow = benchmark.simulate(1900, fields, participations=8, effect=0, runs=500, seed=1)
    assert 0.93 <= wide.covered <= 0.98
    assert 0.93 <= narrow.covered <= 0.98
    assert 2.3 < wide.width / narrow.width < 3.2
