"""Did the score fall at some night, or begin to? One test over all nights so far. Pure.

Each night's test sees two runs; a drift of a quarter of a point a night stays below what it can
see for weeks. Here every night since a stated one is one observation with a known variance, and the
question is whether their mean fell at an unknown night: in one step, or by the same amount every
night from there on. The statistic is the largest of the generalised likelihood ratios of all such
changes (Page 1955 for one known level; Siegmund and Venkatraman 1995 for an unknown one). Each is
taken over the last 4, 8, 16, .. nights too, since a fall that follows a rise is hidden by the low
nights before it.

With known variances each ratio is the square of one weighted sum of the scores, so the
distribution of the largest follows from the variances alone: by seeded Monte Carlo. Whatever the
number of nights, the probability that p <= level where no mean fell is at most the level, on each
night. A mean that rises, as in training, makes it smaller: every weighted sum that is used has an
expectation of 0 or less where the means never fall (Chebyshev's sum inequality).

benchmarks/simulations/nights.py measures false alarms and how many nights a drift takes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from harness.stats.intervals import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Shape = Literal["step", "drift"]
"""A fall in one night, or by the same amount every night from one on."""

MOST_NIGHTS = 256
"""The largest number of nights, for the time that it takes; callers leave out the oldest."""

_DRAWS = 20_000  # a p-value of 0.01 is good to 0.0007
_SEED = 20_250_311  # the same nights give the same p-value
_SHORTEST = 4  # nights of the shortest stretch that is searched by itself
_EQUAL = 0.001  # variances are told apart to a thousandth of the largest
_CHUNK = 2_000  # draws at a time, for memory
_ABOVE = 2.33
# The size's interval: 2.24 in place of 1.96 pays for the search over nights and shapes, without
# which a slow drift is covered in 87 %.
_WIDE = 2.24


@dataclass(frozen=True, slots=True)
class Fall:
    """The fall of the mean that the nights speak for most.

    Args:
        p: probability of as large a likelihood ratio where the mean never fell.
        shape: in one step, or from night to night.
        first: index of the first night that it lowered.
        size: how much lower the last night's mean is than the one before `first`, as a share;
            negative where the scores rose everywhere.
        interval: of the size, 95 %, over every night at which the change may have begun (profile
            likelihood).
        recovered: whether the last nights lie above the lower mean that this fall left, at 1 % each
            for the last 1, 2, 4 and 8: it is over. Such a fall is no alarm.
    """

    p: float
    shape: Shape
    first: int
    size: float
    interval: Interval
    recovered: bool = False


@dataclass(frozen=True, slots=True)
class _Changes:
    """Every change that is looked for.

    `shapes` (changes, nights) is how far each has gone by each night, from 0 to 1; the product of
    `weights` (changes, nights) with the scores is standard normal where nothing changed; `errors`
    has the standard error of each size.
    """

    shapes: Floats
    weights: Floats
    errors: Floats
    starts: NDArray[np.int64]
    firsts: NDArray[np.int64]
    steps: NDArray[np.bool_]


def fall(scores: Sequence[float], variances: Sequence[float]) -> Fall:
    """Test for a fall of the mean at an unknown night.

    Args:
        scores: of the nights, oldest first, as shares; two or more.
        variances: of each score over repeated sampling, above 0. They should not depend on the
            night's own score, which would give high scores more weight near 0 and 1.

    Raises:
        ValueError: fewer than two nights, more than `MOST_NIGHTS`, or a variance that is not above 0.
    """
    import numpy as np
    from scipy import stats

    if not 2 <= len(scores) <= MOST_NIGHTS:
        raise ValueError(f"{len(scores)} nights: from 2 to {MOST_NIGHTS} can be tested")
    if min(variances) <= 0:
        raise ValueError("a night's variance must be above 0")
    unit = math.sqrt(max(variances))
    relative = tuple(max(_EQUAL, round(v / unit**2, 3)) for v in variances)
    seen = (np.asarray(scores, dtype=float) - np.mean(scores)) / unit
    changes = _changes(relative)
    values = changes.weights @ seen
    best = int(values.argmax())
    largest = float(values[best])
    drawn = _largest_by_chance(relative)
    above = len(drawn) - int(np.searchsorted(drawn, largest - 1e-9))
    p = (1 + above) / (1 + len(drawn))
    bound = len(values) * float(stats.norm.sf(largest))  # Bonferroni's, below what draws can show
    sizes = values * changes.errors
    low, high = _interval(changes, values, sizes, best)
    return Fall(
        p=min(1.0, p, bound),
        shape="step" if changes.steps[best] else "drift",
        first=int(changes.firsts[best]),
        size=unit * float(sizes[best]),
        interval=Interval(max(-1.0, unit * low), min(1.0, unit * high)),
        recovered=_recovered(seen, np.array(relative), changes, best, float(sizes[best])),
    )


@lru_cache(maxsize=128)
def _changes(relative: tuple[float, ...]) -> _Changes:
    """Steps and drifts from every night on, over every stretch of nights that ends with the last.

    Args:
        relative: the nights' variances; scores and sizes are in units of the root of their factor.
    """
    import numpy as np

    variances, n = np.array(relative), len(relative)
    lengths = [n]
    length = _SHORTEST
    while length < n:
        lengths.append(length)
        length *= 2
    nights = np.arange(n)
    rows, starts, firsts, steps = [], [], [], []
    for length in lengths:
        start = n - length
        for first in range(start + 1, n):
            rows.append((nights >= first).astype(float))
            if first < n - 1:  # a drift of one night is a step
                rows.append(np.maximum(0, nights - first + 1) / (n - first))
            for step in (True, False)[: 1 + (first < n - 1)]:
                starts.append(start)
                firsts.append(first)
                steps.append(step)
    shape = np.array(rows)
    precision = np.where(nights >= np.array(starts)[:, None], 1 / variances, 0.0)
    centre = (precision * shape).sum(1) / precision.sum(1)
    centred = shape - centre[:, None]
    information = (precision * centred**2).sum(1)
    weights = -precision * centred / np.sqrt(information)[:, None]
    return _Changes(shape, weights, 1 / np.sqrt(information), np.array(starts), np.array(firsts),
                    np.array(steps))  # fmt: skip


@lru_cache(maxsize=128)
def _largest_by_chance(relative: tuple[float, ...]) -> Floats:
    """The statistic in 20,000 sequences of nights without a change, in ascending order.

    Args:
        relative: the nights' variances, up to a factor, on which nothing depends.
    """
    import numpy as np

    weights = (_changes(relative).weights * np.sqrt(np.array(relative))).astype(np.float32)
    random = np.random.default_rng(_SEED)
    found = [
        (random.standard_normal((_CHUNK, len(relative)), dtype=np.float32) @ weights.T).max(1)
        for _ in range(_DRAWS // _CHUNK)
    ]
    return np.sort(np.concatenate(found)).astype(float)


def _interval(changes: _Changes, values: Floats, sizes: Floats, best: int) -> tuple[float, float]:
    """Sizes whose profile likelihood, over the changes of the same nights, is near the largest."""
    import numpy as np

    same = changes.starts == changes.starts[best]
    slack = values[same] ** 2 - values[best] ** 2 + _WIDE**2
    near = slack >= 0
    half = changes.errors[same][near] * np.sqrt(slack[near])
    centre = sizes[same][near]
    return float((centre - half).min()), float((centre + half).max())


def _recovered(
    scores: Floats, variances: Floats, changes: _Changes, best: int, size: float
) -> bool:
    """Whether the last nights lie above the mean that is fitted to the nights since the fall."""
    import numpy as np

    first, start = int(changes.firsts[best]), int(changes.starts[best])
    precision = 1 / variances[start:]
    lowered = scores[start:] + size * changes.shapes[best, start:]
    residuals = lowered - (precision * lowered).sum() / precision.sum()
    return any(
        float((precision[-last:] * residuals[-last:]).sum() / np.sqrt(precision[-last:].sum()))
        > _ABOVE
        for last in (1, 2, 4, 8)
        if last < len(scores) - first
    )


def weighted_mean(scores: Sequence[float], variances: Sequence[float]) -> tuple[float, float]:
    """The mean of independent scores by their precision, and its standard error."""
    precisions = [1 / variance for variance in variances]
    total = math.fsum(precisions)
    return math.fsum(p * s for p, s in zip(precisions, scores, strict=True)) / total, total**-0.5
