"""Metrics as sources name them, and ours that they are. Pure.

A mean over K samples per problem is pass@1 of K samples, whatever it is called: avg@K, mean@K, and
"accuracy" where nothing is said of K. A majority vote is cons@K. A metric that is none of ours keeps
its name, and the source's file says its unit.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Unit = Literal["share", "rating", "percentile", "count"]
"""What a value counts: a share from 0 to 1, rating points, a percentile, or things (problems)."""

_OURS = re.compile(r"(pass|cons)@([1-9]\d*)")
_MEANS = re.compile(r"(?:avg|mean)@([1-9]\d*)")
_VOTES = re.compile(r"maj@([1-9]\d*)")
_QUALIFIED = re.compile(r"(.+) \(([^()]+)\)")
_NAMED: dict[str, tuple[str, Unit]] = {
    "accuracy": ("pass@1", "share"),
    "rating": ("rating", "rating"),
    "elo": ("rating", "rating"),
    "percentile": ("percentile", "percentile"),
}
KNOWN = "pass@K, avg@K, accuracy, cons@K, maj@K, rating, elo or percentile"


@dataclass(frozen=True, slots=True)
class Metric:
    """One of ours or a source's own; `k` is what the name says of the samples per problem."""

    name: str
    unit: Unit
    k: int | None = None


def read_metric(printed: str, unit: Unit | None = None, parts: Collection[str] = ()) -> Metric:
    """What a metric is that a source names.

    Args:
        printed: its name there: avg@32, accuracy, maj@64, elo, pass@1 (single run), pass@1 (easy).
        unit: what the source's file says of it, for a metric that is none of ours.
        parts: names of the part of the benchmark that it is taken over, such as easy.

    Raises:
        ValueError: a metric of no known kind without a unit, or a unit that it does not have.
    """
    name, qualifier = printed, None
    found = _QUALIFIED.fullmatch(printed)
    if found and (found[2] == "single run" or found[2] in parts):
        name, qualifier = found[1], found[2]
    metric = _ours(name)
    if metric is None:
        if unit is None:
            raise ValueError(
                f"a metric is {KNOWN}; another one keeps its name and needs its unit "
                "(share, rating, percentile or count)"
            )
        return Metric(printed, unit)
    if unit not in (None, metric.unit):
        raise ValueError(f"{printed} is a {metric.unit}, not a {unit}")
    if qualifier == "single run":
        if metric.k not in (None, 1):
            raise ValueError(f"{name} is not of a single run")
        return Metric(metric.name, metric.unit, 1)
    return metric


def _ours(name: str) -> Metric | None:
    if name in _NAMED:
        return Metric(*_NAMED[name])
    if found := _MEANS.fullmatch(name):
        return Metric("pass@1", "share", int(found[1]))
    if found := _VOTES.fullmatch(name):
        return Metric(f"cons@{found[1]}", "share", int(found[1]))
    if found := _OURS.fullmatch(name):
        return Metric(name, "share", None if name == "pass@1" else int(found[2]))
    return None
