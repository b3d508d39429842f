"""Nights: the budget of false alarms, what one night is worth, where a test begins."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.allocation import neyman
from harness.stats.nights import Levels, Night, begin_after, choice, over_nights, p_drop, variances
from harness.types import Tally


def night(run: str, score: float, variance: float = 1e-3, n: float = 10) -> Night:
    return Night(run=run, score=score, variance=variance, n=n)


def test_the_whole_job_keeps_the_rate() -> None:
    assert Levels.of(1) == Levels(1 / 60, 1 / 60)
    assert Levels.of(0.3).over_nights == pytest.approx(0.005)
    rising = Levels.of(1, fail_on_rise=True)
    assert 2 * rising.night + rising.over_nights == pytest.approx(1 / 30)


@pytest.mark.parametrize("k", [2, 4, 16])
@pytest.mark.parametrize("rate", [0.5, 0.9, 0.97])
def test_the_variance_of_a_night_is_that_of_its_score(k: int, rate: float) -> None:
    random = np.random.default_rng(k)
    rates = random.beta(5 * rate, 5 * (1 - rate), 60)
    true = float((rates * (1 - rates)).sum()) / 60**2 / k
    drawn = [Night.of("", [Tally(n=k, correct=int(c)) for c in random.binomial(k, rates)])
             for _ in range(60)]  # fmt: skip
    assert np.mean(variances(drawn)) == pytest.approx(true, rel=0.15)


def test_nights_of_allocated_samples_have_the_variance_of_their_own_numbers() -> None:
    random = np.random.default_rng(3)
    rates = random.beta(1.6, 0.11, 300)
    base = {str(i): Tally(16, int(c)) for i, c in enumerate(random.binomial(16, rates))}
    n = np.array(list(neyman(base, 4 * 300).values()))
    true = float((rates * (1 - rates) / n).sum()) / 300**2
    drawn = [Night.of("", [Tally(int(k), int(c)) for k, c in
                           zip(n, random.binomial(n, rates), strict=True)]) for _ in range(30)]  # fmt: skip
    assert np.mean(variances(drawn)) == pytest.approx(true, rel=0.3)
    assert np.mean([night.variance / night.n for night in drawn]) > 2 * true, (
        "not by one night alone"
    )


def test_the_variance_is_above_0_however_many_nights_are_all_right() -> None:
    alike = [Night.of(str(i), [Tally(n=4, correct=4)] * 30) for i in range(20)]
    assert alike[0].unbiased == 0
    assert 0 < variances(alike)[0] < variances(alike[:2])[0]


def test_one_sample_per_problem_counts_as_uncertain_as_it_can_be() -> None:
    tallies = [Tally(n=1, correct=int(i < 18)) for i in range(30)]
    assert Night.of("", tallies).variance == pytest.approx(0.6 * 0.4 / 30)


def test_all_right_is_no_certainty() -> None:
    found = Night.of("", [Tally(n=4, correct=4)] * 30)
    assert found.score == 1
    assert found.variance > 0


def test_a_night_with_fewer_samples_counts_less() -> None:
    few, many = variances([night("a", 0.5, n=2), night("b", 0.5, variance=3e-3, n=8)])
    assert (few, many) == (pytest.approx(1e-3), pytest.approx(2.5e-4))


def test_tasks_share_one_level_and_two_nights_are_no_series() -> None:
    falling = [night(f"n{i}", 0.6 - 0.013 * (i > 5)) for i in range(10)]
    flat = [night(f"n{i}", 0.6) for i in range(10)]
    alone = over_nights({"a": falling}, 0.01)["a"]
    tested = over_nights(
        {"a": falling, "b": flat, "c": flat, "d": flat[:2]}, 0.01, {"b": ["a word"]}
    )
    assert tested["a"].p == pytest.approx(3 * alone.p)
    assert alone.first == "n6" and alone.shape == "step" and alone.since == "n0"
    assert set(tested) == {"a", "b", "c"}
    assert tested["b"].left_out == ("a word",)


def test_a_series_longer_than_can_be_tested_says_so() -> None:
    found = over_nights({"a": [night(str(i), 0.5) for i in range(300)]}, 0.01)["a"]
    assert (found.nights, found.since) == (256, "44")
    assert "only the last 256 of 300 nights" in found.left_out[0]


def test_a_run_that_was_no_choice_has_no_luck() -> None:
    nights = [night(str(i), 0.6 + 0.001 * i) for i in range(5)]
    assert p_drop(nights[:1], "0", nights[4]) == 0
    assert p_drop(nights, "elsewhere", nights[4]) == 0
    best = choice(nights, "4")
    assert best is not None and best.best and best.n == 5
    assert p_drop(nights, "4", night("new", 0.602)) == pytest.approx(0.5, abs=0.01)


def test_accepting_an_alarm_begins_anew_and_moving_the_baseline_does_not() -> None:
    alarms = [False, False, True, False, True, True, True, False]
    assert begin_after(alarms, 3, begin=0) == 0
    assert begin_after(alarms, 6, begin=0) == 4
    assert begin_after(alarms, 4, begin=0) == 4
    assert begin_after(alarms, 6, begin=5) == 5
    assert begin_after(alarms, 2, begin=0) == 2
