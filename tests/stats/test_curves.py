"""pass@k and cons@k for every k: against enumeration, and their errors against simulation."""

from __future__ import annotations

import math
import time
from itertools import combinations
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.curves import cons_curve, figure_ks, pass_curve
from harness.stats.intervals import sampling_error
from harness.stats.metrics import cons_at, pass_at
from harness.types import Tally, Vote

# Nine samples: four right, three of one wrong answer, one of another, one abstention.
MIXED = Tally(9, 4, (Vote(4, 4), Vote(3, 0), Vote(1, 0)))
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


def test_a_curve_of_cons_is_that_of_the_metric() -> None:
    many = [
        Tally(40, right, (Vote(right, right), Vote(30 - right, 0), Vote(6, 0)))
        for right in (8, 12, 16, 20)
    ]
    for point in cons_curve(many):
        exact = fmean(cons_at(point.k).value(t) for t in many)
        assert point.value == pytest.approx(exact, abs=1e-12)
        error = sampling_error([cons_at(point.k).variance(t) for t in many])
        assert point.se_sampling == pytest.approx(error, abs=1e-12)


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


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 60)), min_size=1, max_size=4))
def test_a_curve_of_pass_is_that_of_the_metric(problems: list[tuple[int, int]]) -> None:
    tallies = [Tally(n, min(c, n)) for n, c in problems]
    for point in pass_curve(tallies):
        metric = pass_at(point.k)
        assert point.value == pytest.approx(fmean(metric.value(t) for t in tallies), abs=1e-13)
        variances = [metric.variance(t) for t in tallies]
        if None not in variances:
            assert point.se_sampling == pytest.approx(
                sampling_error(variances), rel=1e-9, abs=1e-15
            )


def test_ten_thousand_samples_per_problem_have_a_curve_by_whole_numbers() -> None:
    n = 10_000
    tallies = [Tally(n, c) for c in (1, 40, 5_000, 9_999)]
    ks = [1, 2, 37, 5_000, 5_001, 9_999, n]
    points = pass_curve(tallies, ks)
    assert [point.k for point in points] == ks
    for point in points:
        exact = fmean(pass_at(point.k).value(t) for t in tallies)
        assert point.value == pytest.approx(exact, abs=1e-12)
        if 2 * point.k <= n:
            error = sampling_error([pass_at(point.k).variance(t) for t in tallies])
            assert point.se_sampling == pytest.approx(error, rel=1e-9)


def test_every_k_of_ten_thousand_samples_takes_seconds() -> None:
    start = time.process_time()
    assert len(pass_curve([Tally(10_000, 333 * i) for i in range(30)])) == 10_000
    assert time.process_time() - start < 5  # 0.5 s where the machine is free


def test_a_figure_has_few_points_and_all_powers_of_two() -> None:
    assert [figure_ks(n) for n in (0, 1, 5)] == [[], [1], [1, 2, 3, 4, 5]]
    assert figure_ks(64) == list(range(1, 65))
    ks = figure_ks(10_000)
    assert len(ks) < 150
    assert {2**i for i in range(14)} | {10_000} <= set(ks)
    assert ks == sorted(set(ks))
    assert ks[-1] == 10_000


def test_all_abstaining_scores_nothing() -> None:
    assert [point.value for point in cons_curve([Tally(3, 0)])] == [0.0, 0.0, 0.0]
