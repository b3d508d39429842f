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

from harness.stats.multiplicity import holm
from harness.stats.paired_test import compare, sign_flip, stratified
from harness.types import Tally

COUNTS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


def run_of(right: list[int], k: int) -> dict[str, Tally]:
    return {str(i): Tally(k, c) for i, c in enumerate(right)}


def test_one_problem_is_fishers_exact_test() -> None:
    for before, after in product(range(7), range(7)):
        drop, rise = stratified([Tally(6, before)], [Tally(6, after)])
        table = [[after, 6 - after], [before, 6 - before]]
        as_seen = stats.hypergeom.pmf(after, 12, before + after, 6) / 2  # counts half: mid-p
        less = stats.fisher_exact(table, alternative="less").pvalue
        more = stats.fisher_exact(table, alternative="greater").pvalue
        assert drop == pytest.approx(less - as_seen)
        assert rise == pytest.approx(more - as_seen)


def test_many_problems_agree_with_the_mantel_haenszel_test() -> None:
    rng = np.random.default_rng(7)
    rates = rng.beta(2, 2, size=120)
    before, after = rng.binomial(16, rates), rng.binomial(16, rates * 0.96)
    exact, _ = stratified(*([Tally(16, c) for c in side.tolist()] for side in (before, after)))
    tables = [np.array([[a, 16 - a], [b, 16 - b]]) for a, b in zip(after, before, strict=True)]
    asymptotic = StratifiedTable(tables).test_null_odds(correction=False).pvalue / 2
    assert exact == pytest.approx(asymptotic, rel=0.03)


def test_ragged_samples_agree_with_even_ones_where_both_can_be_computed() -> None:
    """A problem that cannot move takes the even ones off their own lattice, and changes nothing."""
    rng = np.random.default_rng(8)
    rates = rng.beta(2, 2, size=60)
    before, after = rng.binomial(8, rates).tolist(), rng.binomial(8, rates * 0.93).tolist()
    old, new = ([Tally(8, c) for c in side] for side in (before, after))
    assert stratified([*old, Tally(8, 8)], [*new, Tally(7, 7)]) == pytest.approx(
        stratified(old, new), abs=1e-3
    )


def test_any_numbers_of_samples_agree_with_drawn_permutations() -> None:
    rng = np.random.default_rng(13)
    base, new = ([Tally(n, rng.integers(0, n + 1)) for n in rng.integers(1, 17, 25).tolist()]
                 for _ in range(2))  # fmt: skip
    total, seen = np.zeros(200_000), 0.0
    for b, t in zip(base, new, strict=True):
        right = b.correct + t.correct
        drawn = rng.hypergeometric(right, b.n + t.n - right, t.n, 200_000)
        total += drawn / t.n - (right - drawn) / b.n
        seen += t.correct / t.n - b.correct / b.n
    below = (total < seen - 1e-9).mean() + (np.abs(total - seen) < 1e-9).mean() / 2
    drop, rise = stratified(base, new)
    assert drop == pytest.approx(below, abs=0.003)
    assert drop + rise == pytest.approx(1.0)


def test_one_sample_on_one_side_is_no_reason_for_an_alarm() -> None:
    """Thirty of thirty against 62 of 64 each: the sign-flip test takes it for certain."""
    found = compare(run_of([1] * 30, 1), run_of([62] * 30, 64))
    assert found.p_drop > 0.15
    assert found.p_sign_flip < 1e-8
    assert found.lower < -0.05


def test_one_problem_with_a_single_sample_hardly_moves_the_rest() -> None:
    base, new = [Tally(16, 12)] * 30, [Tally(16, 10)] * 30
    even, one = stratified(base, new)[0], stratified(base, [*new[1:], Tally(1, 1)])[0]
    assert even < 1e-3
    assert one < 0.01


def test_problems_that_cannot_move_say_nothing() -> None:
    assert stratified([Tally(4, 4)] * 9, [Tally(8, 8)] * 9) == (0.5, 0.5)


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
def test_with_one_sample_a_problem_it_is_mcnemars_test_with_mid_p(
    pairs: list[tuple[bool, bool]],
) -> None:
    base, new = (run_of([int(pair[side]) for pair in pairs], 1) for side in (0, 1))
    found = compare(base, new)
    table = [[sum(p == (a, b) for p in pairs) for b in (True, False)] for a in (True, False)]
    assert found.se_sampling is None
    rises, falls = table[1][0], table[0][1]
    if rises + falls:
        exact = stats.binom(rises + falls, 0.5)
        assert found.p_sign_flip == pytest.approx(mcnemar(table, exact=True).pvalue)
        assert found.p_drop == pytest.approx(exact.cdf(rises) - exact.pmf(rises) / 2)
        assert found.p_rise == pytest.approx(1 - found.p_drop)


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


def test_problems_of_one_contest_widen_the_problems_error_alone() -> None:
    rng = np.random.default_rng(14)
    by_contest = np.repeat(rng.integers(-3, 4, size=10), 6)
    before = rng.integers(4, 9, size=60)
    base, new = run_of(before.tolist(), 16), run_of((before + by_contest).tolist(), 16)
    alone = compare(base, new)
    together = compare(base, new, {str(i): i // 6 for i in range(60)})
    assert together.se_problems is not None
    assert alone.se_problems is not None
    assert together.se_problems > 1.8 * alone.se_problems
    assert together.interval_problems is not None
    assert alone.interval_problems is not None
    assert together.interval_problems.half_width > 1.8 * alone.interval_problems.half_width
    assert together.interval_sampling == alone.interval_sampling
    assert together.p_drop == alone.p_drop


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
