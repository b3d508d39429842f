"""The luck of a baseline: how large it is, and what is left of it after the correction."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.selection import choice, expected_best, p_drop

SIGMA = 0.01


@pytest.mark.parametrize(
    ("n", "expected"), [(1, 0.0), (2, 0.56419), (3, 0.84628), (5, 1.16296), (10, 1.53875)]
)
def test_the_best_of_n_lies_as_high_as_tables_of_order_statistics_say(
    n: int, expected: float
) -> None:
    assert expected_best(n) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("m", [2, 3, 5, 10, 30])
def test_the_best_of_several_equal_runs_alarms_as_often_as_stated(m: int) -> None:
    random = np.random.default_rng(m)
    level, runs = 1 / 60, 4000
    alarms = plain = 0
    for _ in range(runs):
        scores = 0.6 + random.normal(0, SIGMA, m)
        new = 0.6 + random.normal(0, SIGMA)
        best = choice(int(scores.argmax()), list(scores), [SIGMA**2] * m)
        alarms += p_drop(best, new, SIGMA**2) <= level
        plain += scores.max() - new > 2.128 * SIGMA * 2**0.5
    assert alarms / runs <= 1.2 * level + 2 * (level / runs) ** 0.5
    assert plain > 1.5 * alarms or m == 2, "without the correction it is another matter"


def test_runs_that_truly_differ_keep_their_scores() -> None:
    scores = [0.50, 0.54, 0.58, 0.62, 0.66, 0.70]
    last = choice(5, scores, [SIGMA**2] * 6)
    assert last.best and last.for_its_score
    assert last.shrunk == pytest.approx(0.70, abs=0.005)
    assert p_drop(last, 0.66, SIGMA**2) < 0.01, "a drop of 4 points is still one"
    assert last.mean == pytest.approx(0.60)


def test_runs_that_differ_as_draws_do_shrink_to_their_mean_by_precision() -> None:
    scores, variances = [0.61, 0.60, 0.59], [1e-4, 1e-4, 4e-4]
    best = choice(0, scores, variances)
    mean = (0.61 + 0.60 + 0.59 / 4) / 2.25
    assert best.shrunk == best.mean == pytest.approx(mean)
    assert best.variance == pytest.approx(best.se_mean**2) == pytest.approx(1e-4 / 2.25)
    assert best.luck == pytest.approx(0.0085, abs=1e-4)
    assert not choice(1, scores, variances).best
    assert not choice(0, scores[:2], variances[:2]).for_its_score, "of two it may be by chance"
