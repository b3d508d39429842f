"""Both standard errors against simulation and against formulas from elsewhere."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from harness.stats.intervals import (
    mean,
    problems_error,
    problems_interval,
    rate_variances,
    sampling_error,
    sampling_interval,
)
from harness.stats.metrics import pass_at
from harness.stats.student import satterthwaite, student
from harness.types import Tally

VALUES = st.lists(st.floats(0, 1), min_size=2, max_size=50)


def squared(error: float | None) -> float:
    assert error is not None
    return error**2


def test_one_sample_has_no_sampling_variance_to_report() -> None:
    assert sampling_error([0.01, None]) is None
    assert sampling_error([]) is None


def test_sampling_error_is_the_spread_of_the_score_on_fixed_problems() -> None:
    """Simulated: the same 30 problems answered 4,000 times over."""
    rng = np.random.default_rng(1)
    p, n, repeats = rng.beta(0.7, 0.5, size=30), rng.integers(4, 16, size=30).tolist(), 4000
    correct = rng.binomial(n, p, size=(repeats, 30))
    spread = (correct / n).mean(axis=1).var()
    estimates = [
        squared(
            sampling_error([pass_at(1).variance(Tally(m, c)) for m, c in zip(n, row, strict=True)])
        )
        for row in correct[:400].tolist()
    ]
    assert mean(estimates) == pytest.approx(spread, rel=0.08)


def test_problems_error_is_the_spread_of_the_score_on_fresh_problems() -> None:
    """Simulated: 30 new problems each time; the spread contains the sampling part already."""
    rng = np.random.default_rng(2)
    p = rng.beta(2, 2, size=(4000, 30))
    scores = rng.binomial(4, p) / 4
    spread = scores.mean(axis=1).var()
    estimates = [squared(problems_error(row)) for row in scores[:1000].tolist()]
    assert mean(estimates) == pytest.approx(spread, rel=0.08)
    assert spread > 1.5 * p.mean(axis=1).var()


@given(VALUES)
def test_problems_error_is_what_scipy_calls_it(values: list[float]) -> None:
    assert problems_error(values) == pytest.approx(stats.sem(values), abs=1e-12)


def test_one_problem_has_no_error_over_problems() -> None:
    assert problems_error([0.5]) is None
    assert problems_error([]) is None


@given(VALUES)
def test_the_mean_is_exact_to_rounding_and_within_its_values(values: list[float]) -> None:
    assert mean(values) == pytest.approx(math.fsum(values) / len(values))
    assert min(values) - 1e-12 <= mean(values) <= max(values) + 1e-12


def test_nothing_has_no_mean() -> None:
    with pytest.raises(ValueError, match="no values"):
        mean([])


# Intervals


@given(st.integers(1, 60), st.data())
def test_one_problem_without_overdispersion_has_wilsons_interval(
    n: int, data: st.DataObject
) -> None:
    """A single problem's variance p(1-p)/(n-1) leaves n-1 effective trials and Student's quantile."""
    right = data.draw(st.integers(1, n)) if n < 3 else data.draw(st.integers(1, n - 1))
    p = right / n
    interval = sampling_interval([p], rate_variances([Tally(n, right)]), [n])
    if n == 1:
        assert interval is None
        return
    assert interval is not None
    trials = n - 1 if 0 < p < 1 else n
    freedom = n - 1 if 0 < p < 1 else math.inf
    alpha = 2 * stats.norm.sf(student(0.95, freedom))  # the level at which the quantiles agree
    low, high = proportion_confint(p * trials, trials, alpha=alpha, method="wilson")
    assert interval == pytest.approx((low, high), abs=1e-9)


@given(st.lists(st.tuples(st.integers(2, 12), st.floats(0, 1)), min_size=2, max_size=40))
def test_intervals_hold_the_value_and_stay_within_0_and_1(rows: list[tuple[int, float]]) -> None:
    tallies = [Tally(n, round(n * share)) for n, share in rows]
    values = [t.correct / t.n for t in tallies]
    sampling = sampling_interval(values, rate_variances(tallies), [t.n for t in tallies])
    problems = problems_interval(values)
    for interval in (sampling, problems):
        assert interval is not None
        assert 0 <= interval.low <= mean(values) + 1e-12
        assert mean(values) - 1e-12 <= interval.high <= 1
        assert interval.high - interval.low > 0


def test_all_right_still_has_a_width_and_more_samples_make_it_smaller() -> None:
    widths = [
        sampling_interval([1.0] * 30, [0.0] * 30, [k] * 30).half_width  # type: ignore[union-attr]
        for k in (4, 16, 64)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0.01


def test_no_interval_where_there_is_no_error() -> None:
    assert sampling_interval([1.0, 0.0], [None, None], [1, 1]) is None
    assert problems_interval([0.5]) is None


@pytest.mark.parametrize(("a", "b", "k"), [(0.3, 0.2, 4), (4.0, 0.3, 16), (0.3, 4.0, 16)])
def test_95_percent_intervals_cover_at_least_93_for_thirty_problems(
    a: float, b: float, k: int
) -> None:
    """Simulated, with rates crowded at both ends, near 1 and near 0; benchmarks/gate.py has more."""
    rng = np.random.default_rng(11)
    held = np.zeros(2)
    nights = 1000
    for _ in range(nights):
        p = rng.beta(a, b, size=30)
        tallies = [Tally(k, c) for c in rng.binomial(k, p).tolist()]
        values = [t.correct / t.n for t in tallies]
        sampling = sampling_interval(values, rate_variances(tallies), [k] * 30)
        problems = problems_interval(values)
        assert sampling is not None
        assert problems is not None
        held += (
            sampling.low <= p.mean() <= sampling.high,
            problems.low <= a / (a + b) <= problems.high,
        )
    assert (held / nights > 0.93 - 2 * math.sqrt(0.93 * 0.07 / nights)).all()


def test_student_is_scipys_quantile_and_normal_for_infinite_freedom() -> None:
    assert student(0.95, 29) == pytest.approx(stats.t.ppf(0.975, 29))
    assert student(0.95, math.inf) == pytest.approx(stats.norm.ppf(0.975))


def test_satterthwaites_freedom_is_welchs_for_two_means() -> None:
    """Two groups of equal weight: the freedom of Welch's t test (statsmodels)."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=9), rng.normal(scale=3, size=14)
    variances = [first.var(ddof=1) / 9, second.var(ddof=1) / 14]
    welch = CompareMeans(DescrStatsW(first), DescrStatsW(second)).dof_satt()
    assert satterthwaite(variances, [9, 14]) == pytest.approx(welch)
