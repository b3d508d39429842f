"""pass@k and cons@k for every k: against enumeration, and their errors against simulation."""

from __future__ import annotations

import math
from itertools import combinations
from statistics import fmean

import numpy as np
import pytest

from harness.stats.curves import cons_curve, pass_curve
from harness.stats.metrics import cons_at, pass_at
from harness.types import Tally, Vote

# Nine samples: four right, three of one wrong answer, one of another, one abstention.
MIXED = Tally(9, 4, (Vote(4, 4), Vote(3, 0), Vote(1, 0)), seed=1)
ANSWERS = ["right"] * 4 + ["a"] * 3 + ["b"] + [None]


def test_pass_at_every_k_is_the_share_of_subsets_with_a_right_sample() -> None:
    for point in pass_curve([MIXED]):
        by_hand = fmean("right" in subset for subset in combinations(ANSWERS, point.k))
        assert point.value == pytest.approx(by_hand)


def test_cons_at_every_k_pays_ties_their_expected_value_over_all_subsets() -> None:
    def majority(answers: tuple[str | None, ...]) -> float:
        votes = {a: answers.count(a) for a in answers if a is not None}
        winners = [a for a, count in votes.items() if count == max(votes.values())]
        return winners.count("right") / len(winners) if winners else 0.0

    for point in cons_curve([MIXED]):
        by_hand = fmean(majority(subset) for subset in combinations(ANSWERS, point.k))
        assert point.value == pytest.approx(by_hand)


def test_resampled_cons_is_near_the_exact_one() -> None:
    many = [
        Tally(40, right, (Vote(right, right), Vote(30 - right, 0), Vote(6, 0)), seed=right)
        for right in (8, 12, 16, 20)
    ]
    for point in cons_curve(many):
        exact = fmean(cons_at(point.k).value(t) for t in many)
        assert point.value == pytest.approx(exact, abs=0.02)


def test_every_k_up_to_the_smallest_n_has_an_interval_around_its_value() -> None:
    for curve in (pass_curve([MIXED, Tally(6, 6, (Vote(6, 6),))]), cons_curve([MIXED, MIXED])):
        assert [point.k for point in curve] == list(range(1, len(curve) + 1))
        for point in curve:
            for interval in (point.interval_sampling, point.interval_problems):
                assert interval is not None
                assert interval.low <= point.value <= interval.high
    assert len(pass_curve([MIXED, Tally(6, 6)])) == 6


def test_one_sample_a_problem_has_no_sampling_error() -> None:
    (point,) = pass_curve([Tally(1, 1, (Vote(1, 1),)), Tally(1, 0, (Vote(1, 0),))])
    assert point.se_sampling is None
    assert point.interval_sampling is None
    assert point.interval_problems is not None


def test_the_error_of_pass_at_k_beyond_half_of_n_is_that_of_a_simulation() -> None:
    rng = np.random.default_rng(5)
    rates, n, k = rng.uniform(0.05, 0.6, size=12), 12, 8
    draws = rng.binomial(n, rates, size=(250, 12))
    values, errors = [], []
    for row in draws.tolist():
        point = pass_curve([Tally(n, c) for c in row])[k - 1]
        values.append(point.value)
        errors.append(point.se_sampling or 0.0)
    assert fmean(errors) == pytest.approx(float(np.std(values)), rel=0.25)


def test_errors_by_logarithms_are_those_by_whole_numbers() -> None:
    n, correct = 40, 13
    rate = (correct + 0.5) / (n + 1)
    chances = [math.comb(n, c) * rate**c * (1 - rate) ** (n - c) for c in range(n + 1)]
    for point in pass_curve([Tally(n, correct)])[n // 2 :]:
        values = [pass_at(point.k).value(Tally(n, c)) for c in range(n + 1)]
        centre = sum(p * v for p, v in zip(chances, values, strict=True))
        variance = sum(p * (v - centre) ** 2 for p, v in zip(chances, values, strict=True))
        assert point.se_sampling == pytest.approx(variance**0.5, rel=1e-6, abs=1e-12)


def test_more_than_a_thousand_samples_have_a_curve() -> None:
    points = pass_curve([Tally(1200, 400), Tally(1200, 3)])
    assert len(points) == 1200
    assert points[-1].value == 1
    assert all(0 <= point.value <= 1 and point.se_sampling is not None for point in points)


def test_all_abstaining_scores_nothing() -> None:
    assert [point.value for point in cons_curve([Tally(3, 0)])] == [0.0, 0.0, 0.0]
