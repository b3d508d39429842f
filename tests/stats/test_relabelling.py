"""Tests by relabelling within problems, against every relabelling there is."""

from __future__ import annotations

from itertools import combinations, product
from math import comb, fsum

import numpy as np
import pytest

from harness.stats.relabelling import (
    Alikeness,
    Values,
    arrangements,
    detectable_shift,
    distance,
    mean_shift,
)


def relabelled(values: Values) -> list[float]:
    """The difference of means under every way that the values could have fallen to the runs."""
    pooled = [*values.base, *values.new]
    found = []
    for chosen in combinations(range(len(pooled)), len(values.new)):
        new = [pooled[i] for i in chosen]
        base = [value for i, value in enumerate(pooled) if i not in chosen]
        found.append(np.mean(new) - np.mean(base))
    return found


def exact(problems: list[Values]) -> float:
    """The two-sided p-value over every relabelling."""
    seen = fsum(np.mean(p.new) - np.mean(p.base) for p in problems)
    totals = [sum(found) for found in product(*map(relabelled, problems))]
    below = sum(total <= seen + 1e-9 for total in totals)
    above = sum(total >= seen - 1e-9 for total in totals)
    return min(1.0, 2 * min(below, above) / len(totals))


@pytest.mark.parametrize(
    "problems",
    [
        [Values([1.0, 5.0], [9.0, 30.0]), Values([2.0], [3.0, 4.0, 9.0])],
        [Values([1.0], [2.0]), Values([4.0], [7.0]), Values([1.0], [0.5]), Values([3.0], [9.0])],
        [Values([0.0, 0.0, 0.0], [0.0, 1.0, 1.0]), Values([5.0], [5.0])],
    ],
)
def test_a_difference_of_means_has_the_p_value_of_all_relabellings(problems: list[Values]) -> None:
    found = mean_shift(problems)
    assert found is not None
    assert found.p == pytest.approx(exact(problems), abs=0.012)
    assert found.value == pytest.approx(
        fsum(np.mean(p.new) - np.mean(p.base) for p in problems) / len(problems)
    )


def test_the_error_is_the_spread_over_all_relabellings() -> None:
    problems = [Values([1.0, 5.0], [9.0, 30.0]), Values([2.0], [3.0, 4.0, 9.0])]
    totals = [sum(found) / 2 for found in product(*map(relabelled, problems))]
    found = mean_shift(problems)
    assert found is not None
    # The variance of samples of a finite set is (N - 1)/N of the one that is estimated here.
    assert found.error == pytest.approx(np.std(totals), rel=1e-9)
    assert detectable_shift(found, alpha=0.05, power=0.8) == pytest.approx(
        2.8016 * found.error, 1e-4
    )


def test_values_that_are_all_alike_are_no_test() -> None:
    assert mean_shift([Values([2.0, 2.0], [2.0]), Values([3.0], [3.0])]) is None


def kernel(*kinds: int) -> np.ndarray:
    return np.array([[float(a == b) for b in kinds] for a in kinds])


def test_a_distance_has_the_p_value_of_all_relabellings() -> None:
    kinds, n_base = [1, 1, 1, 2, 2, 1, 3], 3
    found = distance([Alikeness(kernel(*kinds), n_base)], alpha=0.05, power=0.8)
    assert found is not None

    def squared(base: tuple[int, ...]) -> float:
        new = [i for i in range(len(kinds)) if i not in base]
        shares = [
            sum(kinds[i] == kind for i in new) / len(new)
            - sum(kinds[i] == kind for i in base) / n_base
            for kind in (1, 2, 3)
        ]
        return fsum(share**2 for share in shares)

    every = [squared(base) for base in combinations(range(len(kinds)), n_base)]
    assert len(every) == comb(7, 3)
    assert found.p == pytest.approx(
        sum(d >= every[0] - 1e-9 for d in every) / len(every), abs=0.012
    )
    assert (found.base, found.new) == pytest.approx((1.0, 1 / 6))
    assert found.between == pytest.approx(1 / 4)


def test_one_sample_of_each_run_has_no_distance() -> None:
    assert distance([Alikeness(kernel(1, 2), 1)] * 9, alpha=0.05, power=0.8) is None
    assert distance([Alikeness(kernel(1, 1, 1), 1)] * 9, alpha=0.05, power=0.8) is None
    assert distance([Alikeness(kernel(1, 2, 1), 1)] * 9, alpha=0.05, power=0.8) is not None


def test_other_answers_at_the_same_rate_are_a_distance() -> None:
    problems = [Alikeness(kernel(*[0] * 12, *[1] * 4, *[0] * 12, *[2] * 4), 16)] * 10
    found = distance(problems, alpha=0.01, power=0.8)
    assert found is not None
    assert found.p < 0.002
    assert found.detectable is not None
    assert 0.05 < found.detectable < 0.5


def test_p_values_are_uniform_where_nothing_differs() -> None:
    random = np.random.default_rng(3)
    shifts, distances = [], []
    for _ in range(200):
        lengths = np.exp(random.standard_t(3, (8, 7)))
        shift = mean_shift([Values(list(row[:3]), list(row[3:])) for row in lengths], draws=499)
        kinds = random.integers(0, 4, (8, 7))
        away = distance(
            [Alikeness(kernel(*row), 3) for row in kinds], alpha=0.05, power=0.8, draws=499
        )
        assert shift is not None
        assert away is not None
        shifts.append(shift.p)
        distances.append(away.p)
    for found in (shifts, distances):
        assert np.mean(np.array(found) <= 0.05) < 0.1
        assert 0.4 < np.mean(np.array(found) <= 0.5) < 0.6


def test_few_samples_have_few_arrangements() -> None:
    assert np.exp(arrangements([(1, 1)] * 5)) == pytest.approx(32)
    assert np.exp(arrangements([(2, 3), (1, 1)])) == pytest.approx(20)
