"""The problems error over clusters: statsmodels as the oracle, and what it comes to at the edges."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm

from harness.stats.clusters import (
    LEAST,
    cluster_of,
    cluster_robust_error,
    clustered_error,
    clustered_interval,
    clustering,
    clustering_factor,
    clusters_of,
)
from harness.stats.intervals import problems_error, problems_interval
from harness.stats.student import student
from harness.types import Problem, Provenance


def drawn(
    seed: int, sizes: list[int], *, between: float = 0.3, k: int = 8
) -> tuple[list[float], list[int]]:
    """Rates with an effect of their cluster, of k samples each."""
    random = np.random.default_rng(seed)
    centres = np.clip(random.normal(0.5, between, len(sizes)), 0.02, 0.98)
    values = [random.binomial(k, centre, n) / k for centre, n in zip(centres, sizes, strict=True)]
    clusters = [number for number, n in enumerate(sizes) for _ in range(n)]
    return np.concatenate(values).tolist(), clusters


@pytest.mark.parametrize("sizes", [[6] * 5, [6] * 33, [1, 2, 9, 4, 4, 1, 7], [1] * 12, [15, 15]])
@pytest.mark.parametrize("between", [0.0, 0.3])
def test_the_error_is_that_of_statsmodels(sizes: list[int], between: float) -> None:
    values, clusters = drawn(7, sizes, between=between)
    fit = sm.OLS(np.array(values), np.ones(len(values))).fit(
        cov_type="cluster", cov_kwds={"groups": np.array(clusters)}
    )
    assert cluster_robust_error(values, clusters) == pytest.approx(fit.bse[0], rel=1e-9)


def test_clusters_of_one_problem_are_no_clusters() -> None:
    values, _ = drawn(3, [1] * 20)
    alone = list(range(20))
    assert cluster_robust_error(values, alone) == pytest.approx(problems_error(values))
    assert clustered_error(values, alone) == pytest.approx(problems_error(values))
    assert clustered_interval(values, alone) == problems_interval(values)


def test_alike_problems_widen_the_error_and_its_interval_about_the_mean() -> None:
    values, clusters = drawn(1, [6] * 20, between=0.3)
    plain, found = problems_interval(values), clustered_interval(values, clusters)
    assert plain is not None and found is not None
    error, robust = problems_error(values), clustered_error(values, clusters)
    assert error is not None and robust is not None
    assert robust > 1.5 * error
    factor = robust / error * student(0.95, 19) / student(0.95, 119)
    assert found.half_width == pytest.approx(factor * plain.half_width)
    assert found.low < plain.low < np.mean(values) < plain.high < found.high


def test_problems_that_happen_to_differ_within_clusters_narrow_nothing() -> None:
    values, clusters = [0.0, 1.0] * 10, [number // 2 for number in range(20)]
    assert cluster_robust_error(values, clusters) == 0
    assert clustered_error(values, clusters) == problems_error(values)
    assert clustered_interval(values, clusters) == problems_interval(values)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_where_no_problem_differs_the_interval_is_that_of_fewer_degrees_of_freedom(
    value: float,
) -> None:
    values, clusters = [value] * 30, [number // 6 for number in range(30)]
    found, plain = clustered_interval(values, clusters), problems_interval(values)
    assert found is not None and plain is not None
    assert found.half_width > plain.half_width > 0
    assert 0 <= found.low <= found.high <= 1


def test_two_clusters_are_too_few_and_one_is_none() -> None:
    values, clusters = drawn(5, [15, 15])
    assert clustered_error(values, clusters) == problems_error(values)
    assert clustered_interval(values, clusters) == problems_interval(values)
    assert cluster_robust_error(values, [0] * 30) is None
    assert clustered_error(values, [0] * 30) == problems_error(values)
    assert clustered_error([0.5], ["a"]) is None
    assert clustered_interval([0.5], ["a"]) is None
    assert clustering_factor(*drawn(5, [10] * LEAST)) > 1


def test_a_problem_says_which_cluster_it_is_of() -> None:
    day = datetime.date(2024, 8, 3)
    known: list[tuple[dict[str, Any], tuple[str, str] | None]] = [
        ({}, None),
        ({"platform": "atcoder"}, None),
        ({"platform": "atcoder", "contest": "abc1", "date": day}, ("contest", "atcoder abc1")),
        ({"platform": "leetcode", "date": day}, ("day of a contest", "leetcode 2024-08-03")),
        ({"contest": "1", "passage": "p7"}, ("passage", "p7")),
    ]
    for values, cluster in known:
        assert cluster_of(Problem("a", "?", provenance=Provenance(**values))) == cluster


def test_what_the_problems_are_clustered_by_is_told_in_words() -> None:
    def problems(*contests: str | None) -> list[Problem]:
        return [Problem(str(number), "?", provenance=Provenance(contest=contest))
                for number, contest in enumerate(contests)]  # fmt: skip

    assert clustering(problems(None, None)) is None
    assert clustering(problems("a", "b", None)) is None, "none of two problems"
    assert str(clustering(problems("a", "a", "b", None))) == (
        "problems error clustered by contest, 3 clusters"
    )
    few = clustering(problems(*"aaabbb"))
    assert few is not None and not few.used
    assert str(few) == (
        "problems error as of independent problems: clusters by contest: 2, too few to tell how "
        "alike their problems are"
    )
    assert clusters_of(problems("a", "a", None)) == {
        "0": ("contest", " a"), "1": ("contest", " a"), "2": "2"
    }  # fmt: skip
