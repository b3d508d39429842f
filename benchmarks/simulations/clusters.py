"""How often the 95 % interval of a score by problems holds the mean of all problems, in clusters.

Problems come six to a contest or passage, or one to twelve. The rates within a cluster are alike:
`icc` of their variance lies between clusters, the rest within, both Beta distributed about the mean.
Each of them is asked 16 times. `independent` is the interval that takes every problem for itself,
`clustered` the one that scores carry; the last column is how many times wider it is.

    python -m benchmarks.simulations --only clusters
"""

from __future__ import annotations

from collections.abc import Iterator
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from harness.stats.clusters import clustered_interval
from harness.stats.intervals import Interval, problems_interval

Rates = NDArray[np.float64]

HEAD = ["mean", "problems", "per cluster", "icc", "independent", "clustered", "wider"]
MEANS = (
    (0.6, 0.5),
    (0.9, 0.3),
    (0.97, 0.2),
)  # and the spread of rates, of the largest there can be
PROBLEMS = (30, 200, 500)
ICCS = (0.0, 0.08, 0.19)
K = 16


def table(runs: int, seed: int) -> list[list[str]]:
    """One row for each mean, number of problems, kind of clusters and icc, after the head."""
    random = np.random.default_rng(seed)
    rows = [HEAD]
    for centre, spread in MEANS:
        for m in PROBLEMS:
            for uneven in (False, True):
                for icc in ICCS:
                    found = [
                        _intervals(random, centre, spread, icc, list(_sizes(random, m, uneven)))
                        for _ in range(runs)
                    ]
                    plain, clustered = (
                        fmean(low <= centre <= high for low, high in pairs)
                        for pairs in zip(*found, strict=True)
                    )
                    wider = fmean(b.half_width / a.half_width for a, b in found)
                    rows.append([f"{centre}", str(m), "1 to 12" if uneven else "6", f"{icc}",
                                 f"{plain:.1%}", f"{clustered:.1%}", f"{wider:.2f}"])  # fmt: skip
    return rows


def _sizes(random: np.random.Generator, m: int, uneven: bool) -> Iterator[int]:
    """Problems per cluster, until there are m."""
    left = m
    while left:
        size = min(left, int(random.integers(1, 13)) if uneven else 6)
        yield size
        left -= size


def _intervals(
    random: np.random.Generator, centre: float, spread: float, icc: float, sizes: list[int]
) -> tuple[Interval, Interval]:
    """Both intervals of one run, over problems and clusters drawn anew."""
    whole = centre * (1 - centre)
    between = whole * spread * icc
    means = _beta(random, np.full(len(sizes), centre), between / whole)
    means = np.clip(means, 1e-6, 1 - 1e-6)
    within = (whole * spread - between) / (whole - between)
    rates = _beta(random, np.repeat(means, sizes), within)
    values = (random.binomial(K, rates) / K).tolist()
    clusters = np.repeat(np.arange(len(sizes)), sizes).tolist()
    plain, clustered = problems_interval(values), clustered_interval(values, clusters)
    assert plain is not None and clustered is not None
    return plain, clustered


def _beta(random: np.random.Generator, means: Rates, spread: float) -> Rates:
    """Draws about means, whose variance is `spread` of the largest there can be; 0 draws nothing."""
    if spread == 0:
        return means
    size = 1 / spread - 1
    return random.beta(means * size, (1 - means) * size)
