"""The test over nights against brute force: its statistic, its level, what it names."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.change_point import MOST_NIGHTS, fall

SIGMA = 0.008


def simulated(means: np.ndarray, random: np.random.Generator) -> np.ndarray:
    return 0.6 + means + random.normal(0, SIGMA, len(means))


def by_least_squares(scores: np.ndarray, variances: np.ndarray) -> float:
    """The largest signed root of the likelihood ratio, each change fitted by weighted least squares."""
    n, best = len(scores), -np.inf
    for length in {n, *(size for size in (4, 8, 16, 32) if size < n)}:
        y, root = scores[n - length :], variances[n - length :] ** -0.5
        for first in range(1, length):
            for drift in (False, True):
                nights = np.arange(length)
                change = np.maximum(0, nights - first + 1) if drift else nights >= first
                both = np.column_stack([np.ones(length), change]) * root[:, None]
                fitted, *_ = np.linalg.lstsq(both, y * root, rcond=None)
                rest = ((y * root - both @ fitted) ** 2).sum()
                centre = (y * root**2).sum() / (root**2).sum()
                ratio = (((y - centre) * root) ** 2).sum() - rest
                best = max(best, -np.sign(fitted[1]) * np.sqrt(max(ratio, 0)))
    return best


def test_p_is_the_share_of_unchanged_nights_with_as_large_a_likelihood_ratio() -> None:
    random = np.random.default_rng(1)
    variances = SIGMA**2 * np.array([1, 1, 4, 1, 2, 1, 1.0])
    chance = [by_least_squares(random.normal(0, variances**0.5), variances) for _ in range(1500)]
    for shift in (0.0, 0.01, 0.02, 0.03):
        scores = simulated(np.where(np.arange(7) >= 4, -shift, 0), random)
        seen = by_least_squares(scores, variances)
        expected = np.mean(np.array(chance) >= seen)
        error = 3.5 * np.sqrt(max(expected * (1 - expected), 1e-3) / 1500)
        assert fall(list(scores), list(variances)).p == pytest.approx(expected, abs=error)


@pytest.mark.parametrize("n", [3, 12, 40])
def test_the_level_is_what_was_stated_whatever_the_number_of_nights(n: int) -> None:
    random = np.random.default_rng(n)
    variances = SIGMA**2 * random.choice([0.5, 1.0, 3.0], n)
    runs = 4000
    drawn = random.normal(0.6, variances**0.5, (runs, n))
    p = np.array([fall(list(scores), list(variances)).p for scores in drawn])
    for level in (0.05, 1 / 60):
        assert (p <= level).mean() == pytest.approx(level, abs=4 * (level / runs) ** 0.5)


def test_scores_that_rise_as_in_training_give_fewer_alarms() -> None:
    random = np.random.default_rng(5)
    for means in (
        0.003 * np.arange(30),
        0.02 * (np.arange(30) > 11),
        0.01 * np.sqrt(np.arange(30)),
    ):
        alarms = sum(fall(list(simulated(means, random)), [SIGMA**2] * 30).p <= 0.05
                     for _ in range(400))  # fmt: skip
        assert alarms <= 20 + 3 * 20**0.5


def test_a_step_is_named_with_its_night_and_its_size() -> None:
    random = np.random.default_rng(7)
    found = [fall(list(simulated(np.where(np.arange(20) >= 12, -0.03, 0), random)), [SIGMA**2] * 20)
             for _ in range(300)]  # fmt: skip
    assert np.mean([test.p <= 1 / 60 for test in found]) > 0.99
    assert np.median([test.first for test in found]) == 12
    assert np.mean([abs(test.first - 12) <= 1 for test in found]) > 0.85
    assert np.mean([test.size for test in found]) == pytest.approx(0.03, abs=0.003)
    covered = np.mean([test.interval.low <= 0.03 <= test.interval.high for test in found])
    assert covered >= 0.93
    assert np.mean([test.recovered for test in found]) < 0.06


def test_a_drift_is_found_though_no_two_nights_differ() -> None:
    random = np.random.default_rng(8)
    tests = [fall(list(simulated(-0.0025 * np.arange(16), random)), [SIGMA**2] * 16)
             for _ in range(200)]  # fmt: skip
    assert np.mean([test.p <= 1 / 60 for test in tests]) > 0.95
    assert np.mean([test.interval.low <= 0.0375 <= test.interval.high for test in tests]) >= 0.9


def test_a_fall_after_a_rise_is_not_hidden_by_the_low_nights_before() -> None:
    random = np.random.default_rng(9)
    nights = np.arange(40)
    means = 0.06 * (nights >= 20) - 0.03 * (nights >= 37)
    found = [fall(list(simulated(means, random)), [SIGMA**2] * 40) for _ in range(100)]
    assert np.mean([test.p <= 1 / 60 for test in found]) > 0.95
    assert np.median([test.first for test in found]) == 37


def test_a_dip_that_is_over_is_no_alarm() -> None:
    random = np.random.default_rng(10)
    nights = np.arange(30)
    over = [fall(list(simulated(np.where((nights >= 12) & (nights < 26), -0.03, 0), random)),
                 [SIGMA**2] * 30) for _ in range(100)]  # fmt: skip
    assert np.mean([test.p <= 1 / 60 for test in over]) > 0.95
    assert np.mean([test.recovered for test in over]) > 0.95


def test_the_same_nights_give_the_same_p_and_a_common_factor_changes_nothing() -> None:
    scores = list(simulated(np.zeros(9), np.random.default_rng(11)))
    first = fall(scores, [SIGMA**2] * 9)
    assert fall(scores, [SIGMA**2] * 9) == first
    wider = fall([10 * score for score in scores], [100 * SIGMA**2] * 9)
    assert (wider.p, wider.first, wider.shape) == (first.p, first.first, first.shape)
    assert fall([0.9] * 8 + [0.1], [1e-6] * 9).p < 1e-10, "not limited by the number of draws"


@pytest.mark.parametrize(
    ("scores", "variances", "words"),
    [([0.5], [1.0], "from 2 to"), ([0.5] * 300, [1.0] * 300, f"to {MOST_NIGHTS}"),
     ([0.5, 0.5], [1.0, 0.0], "above 0")],
)  # fmt: skip
def test_what_cannot_be_tested_is_an_error(
    scores: list[float], variances: list[float], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        fall(scores, variances)
