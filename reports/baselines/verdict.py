"""Does a run reproduce a published figure? A verdict per cell, with the interval it rests on. Pure.

The difference of the two values has two errors. Ours is the sampling error of the run. A source
prints none, so its own is imputed: the run's per-problem rates say how much one draw of samples
varies on these very problems, and the source's k (ours, where it states none) how many such draws
its figure averages. Both are sampling errors, on the same problems, so nothing is added for other
problems. A figure is printed to a tenth of a point, and that rounding is counted.

All values, errors and margins are shares from 0 to 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

from harness.reports.format import signed_points
from harness.reports.results import Rate
from harness.types import Score

Word = Literal["reproduced", "differs", "underpowered", "not comparable"]

CONFIDENCE = 0.95
_ROUNDING = 0.001 / math.sqrt(12)  # standard deviation of what printing 28.9 leaves open


@dataclass(frozen=True, slots=True)
class Measured:
    """A run's side of a comparison.

    `draw` is the variance over repeated sampling of the mean with one sample per problem, so that
    draw / k is the variance with k; None where one sample per problem says nothing about it.
    """

    value: float
    error: float | None
    k: int
    draw: float | None


@dataclass(frozen=True, slots=True)
class CellVerdict:
    """The verdict on one cell, and what it rests on; None where there was nothing to compute.

    `published_k` is the k of the imputed error, `assumed_k` that it is ours for want of another.
    `k_needed` is the least k of the run that makes an interval narrow enough.
    """

    word: Word
    why: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    published_error: float | None = None
    published_k: int | None = None
    assumed_k: bool = False
    k_needed: int | None = None


def measured(score: Score, rates: Iterable[Rate]) -> Measured:
    """A run's score with the variance of one draw.

    For pass@1 that comes from the rates of the problems, exactly and with ragged counts: the sum
    of p(1-p)n/(n-1) over m². For another metric of K samples it is the squared error times k,
    because the error of such an estimate shrinks with the samples as that of a mean does.
    """
    draw: float | None = None
    if score.metric == "pass@1":
        spreads = [_spread(rate) for rate in rates]
        known = [spread for spread in spreads if spread is not None]
        if known and len(known) == len(spreads):
            draw = math.fsum(known) / len(known) ** 2
    elif score.se_sampling is not None:
        draw = score.se_sampling**2 * score.k
    return Measured(score.value, score.se_sampling, score.k, draw)


def published_error(draw: float, k: int) -> float:
    """The standard error of a published figure of k samples per problem."""
    return math.hypot(math.sqrt(draw / k), _ROUNDING)


def interval(difference: float, error: float) -> tuple[float, float]:
    """The 95 % interval of a difference whose standard error is `error`."""
    half = _half_width(error)
    return difference - half, difference + half


def apart(first: tuple[float, float], second: tuple[float, float]) -> bool:
    """Whether two (value, error) are really different: the interval of the difference lacks 0."""
    low, high = interval(first[0] - second[0], math.hypot(first[1], second[1]))
    return not low <= 0 <= high


def judge_cell(
    ours: Measured,
    published: float,
    stated_k: int | None,
    *,
    differences: Sequence[str],
    margin: float,
    n_problems: int,
) -> CellVerdict:
    """Hold a run's score against a published figure.

    Args:
        ours: the run's score.
        published: the figure.
        stated_k: its samples per problem; None where its source does not say.
        differences: the stated parts in which the run's protocol differs, in words.
        margin: what an interval may reach, at most, to call a figure reproduced.
        n_problems: how many problems the run's score is the mean of.
    """
    difference = ours.value - published
    if differences:
        return CellVerdict("not comparable", "; ".join(differences), difference)
    k = stated_k or ours.k
    if ours.draw is None or ours.error is None:
        most = ours.value * (1 - ours.value) / n_problems  # by Jensen: no rates vary more
        return CellVerdict(
            "underpowered",
            "one sample per problem gives no sampling error",
            difference,
            published_k=k,
            assumed_k=stated_k is None,
            k_needed=k_needed(most, margin, stated_k),
        )
    theirs = published_error(ours.draw, k)
    low, high = interval(difference, math.hypot(ours.error, theirs))
    half = (high - low) / 2
    needed = None
    word: Word
    if not low <= 0 <= high:
        word, why = "differs", f"by {signed_points(difference)} points"
    elif half <= margin:
        word, why = "reproduced", f"the interval holds 0 and reaches ±{half * 100:.1f} points"
    else:
        word, why = "underpowered", f"the interval reaches ±{half * 100:.1f} points"
        needed = k_needed(ours.draw, margin, stated_k)
        if needed is None:
            why += f"; the figure's own error at k = {k} is too wide for any k of ours"
    return CellVerdict(word, why, difference, low, high, theirs, k, stated_k is None, needed)


def k_needed(draw: float, margin: float, stated_k: int | None) -> int | None:
    """The least k of a run whose interval reaches `margin` at most; None where none does.

    Args:
        draw: see `Measured`.
        margin: half the width that an interval may have.
        stated_k: the published figure's k; where it is None the figure's error shrinks with ours.
    """

    def wide(k: int) -> bool:
        error = math.hypot(math.sqrt(draw / k), published_error(draw, stated_k or k))
        return _half_width(error) > margin

    room = (margin / _half_width(1)) ** 2 - _ROUNDING**2 - (draw / stated_k if stated_k else 0)
    if room <= 0:
        return None
    k = max(2, math.ceil(draw * (1 if stated_k else 2) / room))
    return k + wide(k)  # where rounding of the quotient left it a hair too wide


def _half_width(error: float) -> float:
    return NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * error


def _spread(rate: Rate) -> float | None:
    """The variance of one sample of a problem, without bias."""
    if rate.graded < 2:
        return None
    return rate.share * (1 - rate.share) * rate.graded / (rate.graded - 1)
