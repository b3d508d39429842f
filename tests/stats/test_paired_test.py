"""The paired comparison against enumeration, scipy and statsmodels."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.contingency_tables import StratifiedTable, mcnemar
from statsmodels.stats.multitest import multipletests

from harness.stats.paired_test import compare, holm, sign_flip, stratified
from harness.types import Tally

COUNTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


def run_of(right: list[int], k: int) -> dict[str, Tally]:
    return {str(i): Tally(k, c) for i, c in enumerate(right)}


def test_one_problem_is_fishers_exact_test() -> None:
    for before, after in product(range(7), range(7)):
        drop, rise = stratified([Tally(6, before)], [Tally(6, after)])
        table = [[after, 6 - after], [before, 6 - before]]
        assert drop == pytest.approx(stats.fisher_exact(table, alternative="less").pvalue)
        assert rise == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)


def test_many_problems_agree_with_the_mantel_haenszel_test() -> None:
    rng = np.random.default_rng(7)
    rates = rng.beta(2, 2, size=120)
    before, after = rng.binomial(16, rates), rng.binomial(16, rates * 0.96)
    exact, _ = stratified(*([Tally(16, c) for c in side.tolist()] for side in (before, after)))
    tables = [np.array([[a, 16 - a], [b, 16 - b]]) for a, b in zip(after, before, strict=True)]
    asymptotic = StratifiedTable(tables).test_null_odds(correction=True).pvalue / 2
    assert exact == pytest.approx(asymptotic, rel=0.03)


def test_ragged_samples_agree_with_even_ones_where_both_can_be_computed() -> None:
    """Permutations stand in for the exact distribution when one sample is missing somewhere."""
    rng = np.random.default_rng(8)
    rates = rng.beta(2, 2, size=60)
    before, after = rng.binomial(8, rates).tolist(), rng.binomial(8, rates * 0.93).tolist()
    old, new = ([Tally(8, c) for c in side] for side in (before, after))
    exact = stratified(old, new)
    ragged = stratified([*old, Tally(8, 8)], [*new, Tally(7, 7)])
    assert ragged == pytest.approx(exact, abs=0.02)


@given(COUNTS)
def test_sign_flip_is_the_share_of_all_sign_patterns(pairs: list[tuple[int, int]]) -> None:
    changes = [(after - before) / 4 for before, after in pairs]
    sums = [
        sum(sign * change for sign, change in zip(signs, changes, strict=True))
        for signs in product((-1, 1), repeat=len(changes))
    ]
    drop, rise = sign_flip(changes)
    assert drop == pytest.approx(np.mean([s <= sum(changes) + 1e-9 for s in sums]))
    assert rise == pytest.approx(np.mean([s >= sum(changes) - 1e-9 for s in sums]))


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=30))
def test_with_one_sample_a_problem_it_is_mcnemars_exact_test(
    pairs: list[tuple[bool, bool]],
) -> None:
    base, new = (run_of([int(pair[side]) for pair in pairs], 1) for side in (0, 1))
    found = compare(base, new)
    table = [[sum(p == (a, b) for p in pairs) for b in (True, False)] for a in (True, False)]
    assert found.test == "sign-flip"
    assert found.se_sampling is None
    if table[0][1] + table[1][0]:
        assert found.p_sign_flip == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert min(found.p_drop, found.p_rise) == pytest.approx(
            stats.binomtest(min(table[0][1], table[1][0]), table[0][1] + table[1][0]).pvalue / 2
            if table[0][1] != table[1][0]
            else found.p_drop
        )


def test_sign_flip_by_draws_is_near_the_exact_one() -> None:
    rng = np.random.default_rng(9)
    changes = rng.integers(-8, 8, size=40) / 16
    irrational = (changes * math.pi).tolist()
    assert sign_flip(irrational) == pytest.approx(sign_flip(changes.tolist()), abs=0.015)


def test_both_errors_are_those_of_the_difference() -> None:
    rng = np.random.default_rng(10)
    before, after = rng.integers(0, 9, size=25).tolist(), rng.integers(0, 9, size=25).tolist()
    found = compare(run_of(before, 8), run_of(after, 8))
    p, q = np.array(before) / 8, np.array(after) / 8
    assert found.value == pytest.approx((q - p).mean())
    assert found.se_problems == pytest.approx(stats.sem(q - p))
    variance = (p * (1 - p) / 7 + q * (1 - q) / 7).sum() / 25**2
    assert found.se_sampling == pytest.approx(math.sqrt(variance))


def test_only_problems_graded_on_both_sides_are_compared() -> None:
    base = {"a": Tally(4, 2), "b": Tally(4, 4), "c": Tally(0, 0)}
    found = compare(base, {"a": Tally(4, 2), "c": Tally(4, 4), "d": Tally(4, 0)})
    assert (found.n_problems, found.value) == (1, 0.0)
    with pytest.raises(ValueError, match="both sides"):
        compare(base, {"d": Tally(4, 0)})


def test_five_problems_without_any_difference_still_leave_it_open() -> None:
    found = compare(run_of([1] * 5, 1), run_of([1] * 5, 1))
    assert found.value == 0
    assert found.lower < -0.2


def test_the_bound_is_the_end_of_a_90_percent_interval() -> None:
    found = compare(run_of([4, 8, 12] * 10, 16), run_of([5, 8, 11] * 10, 16))
    assert found.interval_sampling is not None
    assert found.interval_sampling.low < found.lower < found.value


@pytest.mark.parametrize(
    "p_values",
    [[0.03], [0.04, 0.01, 0.03], [0.5, 0.5, 0.001, 0.02], [1.0, 0.0, 0.9], [0.2] * 6],
)
def test_holm_is_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())


@pytest.mark.parametrize(("a", "b", "k"), [(0.3, 0.2, 4), (4.0, 0.3, 16)])
def test_a_false_alarm_is_as_rare_as_its_level(a: float, b: float, k: int) -> None:
    rng = np.random.default_rng(12)
    nights, alarms = 1000, 0
    for _ in range(nights):
        rates = rng.beta(a, b, size=30)
        old, new = ([Tally(k, c) for c in rng.binomial(k, rates).tolist()] for _ in range(2))
        alarms += stratified(old, new)[0] <= 0.05
    assert alarms / nights <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / nights)
