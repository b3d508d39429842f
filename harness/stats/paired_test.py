"""Is one run worse than another on the same problems, or is it noise? Paired by problem. Pure.

The protocol is fixed, so the question of a gate is the sampling one: would the same two models differ
again on these very problems? Its test holds each problem's pooled number of right samples fixed
and asks how the draws could have fallen to the two runs (Mantel and Haenszel 1959): it needs no
variance estimate, holds for any numbers of samples on either side, one included, and keeps its level
at rates of 0 and 1. Its p-values are mid-p ones (Lancaster 1961): an outcome exactly as far as the one
seen counts half, since the whole of it makes a test on few samples reject far below its level.

The sign-flip test (Fisher 1935) takes problems in place of samples: each problem's difference could as
well have had the other sign. It asks about other problems, and is printed beside the other by name.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.stats.clusters import clustered_error, clustering_factor
from harness.stats.intervals import (
    Interval,
    difference_bound,
    difference_interval,
    mean,
    problems_difference,
    rate,
    rate_variances,
    sampling_error,
)
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_LATTICE = 1 << 18  # points up to which a distribution is computed on its own lattice
_CELLS = 1 << 14  # else on this many cells
_DRAWS = 20_000  # seeded sign flips: a p-value of 0.05 is good to 0.0015
_SEED = 20_240_817  # flips are the same in every comparison of the same counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """New minus base, paired by problem; rates and differences as shares.

    `p_drop` and `p_rise` are one-sided mid-p values over samples; `p_sign_flip` is two-sided and over
    problems. `se_sampling` is None where a run has one sample of a problem, which leaves its variance
    unknown; its interval then is the widest that the rates allow. Those over problems are None for
    one problem. Intervals are two-sided at 95 %; `lower` is the one-sided 95 % bound by the sampling
    error.
    """

    value: float
    base: float
    new: float
    n_problems: int
    se_sampling: float | None
    se_problems: float | None
    interval_sampling: Interval
    interval_problems: Interval | None
    p_drop: float
    p_rise: float
    p_sign_flip: float
    lower: float


def compare(
    base: Mapping[str, Tally],
    new: Mapping[str, Tally],
    clusters: Mapping[str, Hashable] | None = None,
) -> Difference:
    """Compare two runs over the problems that have a graded sample in both.

    Args:
        base: tallies by problem id.
        new: tallies by problem id.
        clusters: by problem id, the contest or passage that it belongs to, see
            `harness.stats.clusters`; each problem is its own by default.

    Raises:
        ValueError: no problem has.
    """
    shared = [id for id in base if id in new and base[id].n and new[id].n]
    pairs = [(base[id], new[id]) for id in shared]
    if not pairs:
        raise ValueError("no problem has a graded sample on both sides")
    old, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    changes = [rate(after) - rate(before) for before, after in pairs]
    error = sampling_error([*rate_variances(old), *rate_variances(now)])
    drop, rise = stratified(old, now)
    groups = [(clusters or {}).get(id, id) for id in shared]
    return Difference(
        value=mean(changes),
        base=mean([rate(t) for t in old]),
        new=mean([rate(t) for t in now]),
        n_problems=len(pairs),
        se_sampling=None if error is None else 2 * error,  # the mean is over m, not over 2m
        se_problems=clustered_error(changes, groups),
        interval_sampling=difference_interval(old, now),
        interval_problems=problems_difference(changes, factor=clustering_factor(changes, groups)),
        p_drop=drop,
        p_rise=rise,
        p_sign_flip=min(1.0, 2 * min(sign_flip(changes))),
        lower=difference_bound(old, now),
    )


def stratified(base: Sequence[Tally], new: Sequence[Tally]) -> tuple[float, float]:
    """One-sided mid-p values (drop, rise) of the Mantel-Haenszel test (1959), stratified by problem.

    Given each problem's pooled correct samples, those of the new run are hypergeometric. Exact where
    every problem has the same number of samples; else the shares are laid on 16,384 cells.

    Args:
        base: each problem's samples in the base.
        new: those in the new run, in the same order of problems.
    """
    sizes = {(b.n, t.n) for b, t in zip(base, new, strict=True)}
    pooled = Counter((b.n, t.n, b.correct + t.correct) for b, t in zip(base, new, strict=True))
    moving = {key: count for key, count in pooled.items() if _reach(key)}
    steps = {key: 1 / key[0] + 1 / key[1] for key in moving}  # of the difference, per right sample
    reach = math.fsum(_reach(key) * steps[key] * count for key, count in moving.items())
    if not moving:
        return 0.5, 0.5
    even = len(sizes) == 1 and reach / next(iter(steps.values())) < _LATTICE
    cell = next(iter(steps.values())) if even else reach / _CELLS
    lowest = math.fsum(
        count * (_fewest(key) * steps[key] - key[2] / key[0]) for key, count in moving.items()
    )
    seen = math.fsum(
        rate(t) - rate(b)
        for b, t in zip(base, new, strict=True)
        if (b.n, t.n, b.correct + t.correct) in moving
    )
    chances = _sum_of_hypergeometrics(moving, cell, round(reach / cell) + 1)
    return _mid_tails(chances, (seen - lowest) / cell)


def sign_flip(changes: Sequence[float]) -> tuple[float, float]:
    """One-sided p-values (drop, rise) of Fisher's sign-flip test (1935) over per-problem differences.

    Exact where the differences lie on a common grid of manageable size (they do when every
    problem has the same number of samples); else by seeded signs.
    """
    import numpy as np

    sizes = [abs(change) for change in changes if change]
    scale = _common_scale(sizes)
    if scale is not None:
        steps = [round(size * scale) for size in sizes]
        total = sum(steps)
        chances = np.ones(1)
        for step in steps:  # each either adds to the positive part or does not
            wider = np.zeros(len(chances) + step)
            wider[: len(chances)] += chances / 2
            wider[step:] += chances / 2
            chances = wider
        positive = (total + round(sum(changes) * scale)) // 2
        return _clip(chances[: positive + 1].sum()), _clip(chances[positive:].sum())
    signs = np.random.default_rng(_SEED).integers(0, 2, size=(_DRAWS, len(sizes)), dtype=np.int8)
    return _tails((2 * signs - 1) @ np.array(sizes), math.fsum(changes))


Stratum = tuple[int, int, int]
"""Samples of the base, of the new run, and right ones of both, of one problem."""


def _fewest(key: Stratum) -> int:
    """The least of the right samples that can be the new run's."""
    return max(0, key[2] - key[0])


def _reach(key: Stratum) -> int:
    """How many further ones can be."""
    return min(key[1], key[2]) - _fewest(key)


def _sum_of_hypergeometrics(
    strata: Mapping[Stratum, int], cell: float, size: int
) -> NDArray[np.float64]:
    """Distribution of the sum of shares above their least, by multiplying characteristic functions.

    Args:
        strata: how many problems there are of each kind.
        cell: width of a cell. A step that falls between two is divided over both, so that the mean stays.
        size: cells.
    """
    import numpy as np
    from scipy import fft, special

    length = fft.next_fast_len(size + len(strata), real=True)
    spectrum = np.ones(length // 2 + 1, dtype=complex)
    log_factorials = special.gammaln(np.arange(2.0 + max(key[0] + key[1] for key in strata)) + 1)
    for key, count in strata.items():
        n_base, n_new, _ = key
        steps = np.arange(_reach(key) + 1)
        chances = _hypergeometric(_fewest(key) + steps, key, log_factorials)
        places = steps * (1 / n_base + 1 / n_new) / cell
        floors = np.floor(places + 1e-9).astype(int)
        beyond = np.maximum(places - floors, 0.0)
        laid = np.bincount(floors, chances * (1 - beyond), length)
        laid += np.bincount(floors + 1, chances * beyond, length)
        transformed = fft.rfft(laid)
        spectrum *= transformed if count == 1 else transformed**count
    return np.asarray(np.maximum(fft.irfft(spectrum, length), 0.0))


def _hypergeometric(
    new: NDArray[np.int64], key: Stratum, log_factorials: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The chance that so many of the right samples are the new run's: C(n, x) C(m, r-x) / C(n+m, r)."""
    import numpy as np

    def log_choose(n: int, k: Any) -> Any:
        return log_factorials[n] - log_factorials[k] - log_factorials[n - k]

    n_base, n_new, right = key
    ways = log_choose(n_new, new) + log_choose(n_base, right - new)
    found: NDArray[np.float64] = np.exp(ways - log_choose(n_base + n_new, right))
    return found


def _mid_tails(chances: NDArray[np.float64], place: float) -> tuple[float, float]:
    """Probability of less than the cell at `place` and of more, each with half of the cell itself.

    A place between two cells is taken from both in proportion.
    """
    import numpy as np

    total = float(chances.sum())
    middles = (np.cumsum(chances) - chances / 2) / total
    found = float(np.interp(place, np.arange(len(chances)), middles))
    return _clip(found), _clip(1 - found)


def _common_scale(sizes: Sequence[float]) -> int | None:
    """The smallest number up to 4,096 that makes all sizes whole, where the sum stays small."""
    from fractions import Fraction

    scale = 1
    for size in set(sizes):
        scale = math.lcm(scale, Fraction(size).limit_denominator(4096).denominator)
        if scale > 4096:
            return None
    whole = all(abs(size * scale - round(size * scale)) < 1e-6 for size in set(sizes))
    return scale if whole and sum(sizes) * scale < _LATTICE else None


def _tails(totals: NDArray[np.float64], observed: float) -> tuple[float, float]:
    """Permutation p-values with the observed arrangement counted in (Phipson and Smyth 2010)."""
    slack = 1e-9 * max(1.0, abs(observed))
    low, high = (totals <= observed + slack).sum(), (totals >= observed - slack).sum()
    return (1 + int(low)) / (1 + len(totals)), (1 + int(high)) / (1 + len(totals))


def _clip(chance: float) -> float:
    return min(1.0, max(0.0, float(chance)))
