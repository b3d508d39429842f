"""The problems error of a mean whose problems come in clusters: contests, passages. Pure.

Problems of one contest or passage are alike, so that six of them tell less than six others would.
The cluster-robust variance of the mean takes the clusters for the sample (Liang and Zeger 1986; for
evals Miller, arXiv 2411.00640, section 2.2): with C clusters, and r the distance of each of the m
problems from the mean,

    C / (C - 1) * sum over clusters of (sum of its r)^2 / m^2

which is the plain variance where each problem is a cluster of its own. Its quantile is Student's with
C - 1 degrees of freedom. Of this and the error of independent problems the wider one counts: with few
clusters the estimate is as often too small as too large. benchmarks/simulations/clusters.py measures
the coverage: 93 to 99 % from 5 clusters on and 97 to 99 % with 3 or 4. Two clusters leave one degree
of freedom, and an interval of 3 to 5 times the width that says nothing: the problems then count as
independent, and whoever prints the error says so.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence

from harness.stats.intervals import Interval, mean, problems_error, problems_interval
from harness.stats.scores import Clustering
from harness.stats.student import student
from harness.types import Problem

LEAST = 3
"""The fewest clusters that are taken into account."""


def cluster_of(problem: Problem) -> tuple[str, str] | None:
    """What makes a problem like others, and which one it is: a passage, a contest, the day of one.

    The day is for contests whose id is not known; None where nothing is.
    """
    origin, site = problem.provenance, problem.provenance.platform or ""
    if origin.passage is not None:
        return "passage", origin.passage
    if origin.contest is not None:
        return "contest", f"{site} {origin.contest}"
    return None if origin.date is None else ("day of a contest", f"{site} {origin.date}")


def clusters_of(problems: Iterable[Problem]) -> dict[str, Hashable]:
    """By problem id, the cluster that it belongs to; one that belongs to none is its own."""
    return {problem.id: cluster_of(problem) or problem.id for problem in problems}


def clustering(problems: Iterable[Problem]) -> Clustering | None:
    """What these problems are clustered by; None where no two are of one cluster."""
    found = [cluster_of(problem) for problem in problems]
    known = [cluster for cluster in found if cluster is not None]
    if len(set(known)) == len(known):
        return None
    count = len(set(known)) + found.count(None)
    kinds = " and ".join(sorted({kind for kind, _ in known}))
    return Clustering(kinds, count, used=count >= LEAST)


def cluster_robust_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """The cluster-robust standard error of the mean by itself; None for one cluster.

    Args:
        values: per problem, its value.
        clusters: per problem, the cluster that it belongs to.
    """
    centre = mean(values)
    totals: dict[Hashable, float] = {}
    for value, cluster in zip(values, clusters, strict=True):
        totals[cluster] = totals.get(cluster, 0.0) + value - centre
    if len(totals) < 2:
        return None
    squares = math.fsum(total * total for total in totals.values())
    return math.sqrt(len(totals) / (len(totals) - 1) * squares) / len(values)


def clustered_error(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """Standard error of the mean over other clusters of problems like these; None for one problem.

    Args:
        values: per problem, its value.
        clusters: per problem, the cluster that it belongs to.
    """
    plain = problems_error(values)
    robust = cluster_robust_error(values, clusters) if _count(clusters) >= LEAST else None
    return plain if plain is None or robust is None else max(plain, robust)


def clustered_interval(
    values: Sequence[float], clusters: Sequence[Hashable], *, confidence: float = 0.95
) -> Interval | None:
    """Where the mean lies over other clusters of problems like these; None for one problem.

    It is `problems_interval` about the mean, wider by the ratio of the two errors and of their
    quantiles, where that is more than 1.

    Args:
        values: per problem, from 0 to 1.
        clusters: per problem, the cluster that it belongs to.
        confidence: that the interval is to hold with.
    """
    found = problems_interval(values, confidence=confidence)
    factor = clustering_factor(values, clusters, confidence=confidence)
    if found is None or factor == 1:
        return found
    value = mean(values)
    low, high = value - factor * (value - found.low), value + factor * (found.high - value)
    return Interval(max(0.0, low), min(1.0, high))


def clustering_factor(
    values: Sequence[float], clusters: Sequence[Hashable], *, confidence: float = 0.95
) -> float:
    """How many times wider an interval over clusters is than one over independent problems; 1 or more.

    Args:
        values: per problem, its value; or its change, for the interval of a difference.
        clusters: per problem, the cluster that it belongs to.
        confidence: of the interval.
    """
    count = _count(clusters)
    if not LEAST <= count < len(values):
        return 1.0
    plain, robust = problems_error(values), cluster_robust_error(values, clusters)
    quantiles = student(confidence, count - 1) / student(confidence, len(values) - 1)
    if not plain or robust is None:
        return quantiles  # no value differs: nothing says how alike the problems of a cluster are
    return max(1.0, robust / plain * quantiles)


def _count(clusters: Sequence[Hashable]) -> int:
    return len(set(clusters))
