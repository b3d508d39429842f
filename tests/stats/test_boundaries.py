"""The boundaries of a sequential test against simulated Brownian paths."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy import stats

from harness.stats.boundaries import critical, follow, rounded

TIMES = (0.15, 0.3, 0.45, 0.7, 1.0)


def paths(drift: float, n: int = 200_000, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(n, len(TIMES))) * np.sqrt(np.diff(TIMES, prepend=0.0))
    return steps.cumsum(axis=1) + drift * np.array(TIMES)


@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.2])
@pytest.mark.parametrize("rho", [1.0, 3.0])
def test_a_boundary_is_reached_as_often_as_it_says(alpha: float, rho: float) -> None:
    z = np.array(critical(TIMES, alpha, rho))
    reached = paths(0.0) >= z * np.sqrt(TIMES)
    assert reached.any(axis=1).mean() == pytest.approx(alpha, rel=0.04)
    first = reached[:, :3].any(axis=1).mean()
    assert first == pytest.approx(alpha * TIMES[2] ** rho, rel=0.06, abs=3e-4)


def test_one_analysis_has_the_normal_quantile() -> None:
    assert critical((1.0,), 0.05, 2.0) == pytest.approx((stats.norm.ppf(0.95),))


def test_paths_end_where_simulated_ones_do() -> None:
    upper = tuple(z * t**0.5 for z, t in zip(critical(TIMES, 0.05, 2.0), TIMES, strict=True))
    lower = tuple(2.5 * t - 1.9 * t**0.5 for t in TIMES)
    for drift in (0.0, 2.5):
        drawn = paths(drift, seed=2)
        above, below = drawn >= upper, drawn <= lower
        ended = above | below
        at = np.where(ended.any(axis=1), ended.argmax(axis=1), -1)
        found = follow(TIMES, drift, upper, lower)
        for stage in range(len(TIMES)):
            here = at == stage
            assert found.above[stage] == pytest.approx((here & above[:, stage]).mean(), abs=0.003)
            assert found.below[stage] == pytest.approx((here & below[:, stage]).mean(), abs=0.003)
        assert found.open == pytest.approx((at == -1).mean(), abs=0.003)


@pytest.mark.parametrize(
    "times", [(0.612, 0.614, 1.0), (0.996, 0.998, 1.0), (0.001, 0.002, 0.003, 1.0), (0.3, 1.0)]
)
def test_rounded_times_rise_and_stay_near(times: tuple[float, ...]) -> None:
    found = rounded(times)
    assert all(0 < before < after for before, after in pairwise(found))
    assert found[-1] == 1.0
    assert found == pytest.approx(times, abs=0.02)
    assert all(map(math.isfinite, critical(found, 0.05, 2.0)))
