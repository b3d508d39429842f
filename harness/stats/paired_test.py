"""Is one run worse than another on the same problems, or is it noise? Paired by problem. Pure.

The protocol is fixed, so the question of a gate is the sampling one: would the same two models differ
again on these very problems? Its test holds each problem's pooled number of right samples fixed
and asks how the draws could have fallen to the two runs (Mantel and Haenszel 1959, as an exact
test): it needs no variance estimate, and keeps its level with few samples and at rates of 0 and 1.
Where a run has one sample per problem, problems take the place of samples: each difference could as
well have had the other sign (Fisher 1935).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.stats.intervals import (
    Interval,
    mean,
    problems_error,
    rate,
    rate_variances,
    sampling_error,
    sampling_interval,
    satterthwaite,
    student,
)
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

TestName = Literal["samples", "sign-flip"]
"""The test of a gate: over samples, or over problems where a run has one sample each."""

_LATTICE = 1 << 18  # points up to which a permutation distribution is computed exactly
_DRAWS = 20_000  # else this many seeded permutations: a p-value of 0.05 is good to 0.0015
_SEED = 20_240_817  # permutations are the same in every comparison of the same counts
_TWO_SIDED, _ONE_SIDED = 0.95, 0.9  # a bound with 5 % on its side is an end of a 90 % interval
_LEAST = 0.2  # the least that the largest difference over problems is taken to be
_FEW = 8.0  # degrees of freedom below which a variance estimate is little to go by


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """New minus base, paired by problem; rates and differences as shares.

    `p_drop` and `p_rise` are one-sided and by `test`; `p_sign_flip` is two-sided and over
    problems. Errors and intervals are None where they cannot be estimated (one sample, one
    problem). Intervals are two-sided at 95 %; `lower` is the one-sided 95 % bound by the error
    that the test goes by, -1 where there is none.
    """

    value: float
    base: float
    new: float
    n_problems: int
    se_sampling: float | None
    se_problems: float | None
    interval_sampling: Interval | None
    interval_problems: Interval | None
    test: TestName
    p_drop: float
    p_rise: float
    p_sign_flip: float
    lower: float

    @property
    def interval(self) -> Interval:
        """That of the sampling error; over problems where a run has one sample per problem."""
        found = self.interval_sampling or self.interval_problems
        return found or Interval(-1.0, 1.0)


def compare(base: Mapping[str, Tally], new: Mapping[str, Tally]) -> Difference:
    """Compare two runs over the problems that have a graded sample in both.

    Args:
        base: tallies by problem id.
        new: tallies by problem id.

    Raises:
        ValueError: no problem has.
    """
    pairs = [(base[id], new[id]) for id in base if id in new and base[id].n and new[id].n]
    if not pairs:
        raise ValueError("no problem has a graded sample on both sides")
    old, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    changes = [rate(after) - rate(before) for before, after in pairs]
    single = min(t.n for pair in pairs for t in pair) == 1
    variances = [*rate_variances(old), *rate_variances(now)]
    error = None if single else sampling_error(variances)
    flips = sign_flip(changes)
    drop, rise = flips if single else stratified(old, now)
    bound = (
        _problems_interval(changes, _ONE_SIDED)
        if single
        else _sampling_interval(old, now, _ONE_SIDED)
    )
    return Difference(
        value=mean(changes),
        base=mean([rate(t) for t in old]),
        new=mean([rate(t) for t in now]),
        n_problems=len(pairs),
        se_sampling=None if error is None else 2 * error,  # the mean is over m, not over 2m
        se_problems=problems_error(changes),
        interval_sampling=None if single else _sampling_interval(old, now, _TWO_SIDED),
        interval_problems=_problems_interval(changes, _TWO_SIDED),
        test="sign-flip" if single else "samples",
        p_drop=drop,
        p_rise=rise,
        p_sign_flip=min(1.0, 2 * min(flips)),
        lower=bound.low if bound else -1.0,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that bound the probability of any false alarm over all tests (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for position, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - position) * p_values[i]))
        adjusted[i] = highest
    return adjusted


def stratified(base: Sequence[Tally], new: Sequence[Tally]) -> tuple[float, float]:
    """One-sided p-values (drop, rise) of the exact Mantel-Haenszel test (1959), stratified by problem.

    Given each problem's pooled correct samples, those of the new run are hypergeometric. Exact where
    every problem has the same number of samples; else by seeded permutations.

    Args:
        base: each problem's samples in the base.
        new: those in the new run, in the same order of problems.
    """
    import numpy as np

    sizes = {(b.n, t.n) for b, t in zip(base, new, strict=True)}
    if len(sizes) == 1:
        (n_base, n_new), *_ = sizes
        if len(base) * n_new < _LATTICE:
            pooled = Counter(b.correct + t.correct for b, t in zip(base, new, strict=True))
            chances = _sum_of_hypergeometrics(pooled, n_base, n_new, len(base) * n_new + 1)
            seen = sum(t.correct for t in new)
            return _clip(chances[: seen + 1].sum()), _clip(chances[seen:].sum())
    random = np.random.default_rng(_SEED)
    totals, observed = np.zeros(_DRAWS), 0.0
    for b, t in zip(base, new, strict=True):
        right = b.correct + t.correct
        drawn = random.hypergeometric(right, b.n + t.n - right, t.n, size=_DRAWS)
        totals += drawn / t.n - (right - drawn) / b.n
        observed += rate(t) - rate(b)
    return _tails(totals, observed)


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


def _sum_of_hypergeometrics(
    pooled: Mapping[int, int], n_base: int, n_new: int, size: int
) -> NDArray[np.float64]:
    """Distribution of the new run's right samples, by multiplying characteristic functions."""
    import numpy as np
    from scipy import stats

    spectrum = np.ones(size // 2 + 1, dtype=complex)
    for right, count in pooled.items():
        chances = stats.hypergeom.pmf(np.arange(n_new + 1), n_base + n_new, right, n_new)
        spectrum *= np.fft.rfft(chances, size) ** count
    return np.maximum(np.fft.irfft(spectrum, size), 0.0)


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


def _sampling_interval(
    base: Sequence[Tally], new: Sequence[Tally], confidence: float
) -> Interval | None:
    """Student's interval with Satterthwaite's degrees of freedom.

    Where few problems carry the variance (fewer than 8 degrees of freedom) the estimate is little
    to go by, and the wider one of this and the interval made of the two runs' own (Zou and Donner
    2008) counts: it covers up to 99 %.
    """
    sides = [([rate(t) for t in side], rate_variances(side), [t.n for t in side])
             for side in (base, new)]  # fmt: skip
    variances = [v or 0.0 for _, found, _ in sides for v in found]
    freedom = satterthwaite(variances, [n for *_, trials in sides for n in trials])
    error = math.sqrt(math.fsum(variances)) / len(base)
    before, after = mean(sides[0][0]), mean(sides[1][0])
    half = student(confidence, freedom) * error
    plain = Interval(max(-1.0, after - before - half), min(1.0, after - before + half))
    if error and freedom >= _FEW:
        return plain
    own = [sampling_interval(*side, confidence=confidence) for side in sides]
    if own[0] is None or own[1] is None:
        return None
    low = math.hypot(after - own[1].low, own[0].high - before)
    high = math.hypot(own[1].high - after, before - own[0].low)
    return Interval(min(plain.low, after - before - low), max(plain.high, after - before + high))


def _problems_interval(changes: Sequence[float], confidence: float) -> Interval | None:
    """Student's interval, with half a problem more at the largest difference seen.

    That is taken to be 20 points at least, and 100 where none is seen: the few problems that moved
    may be missing from the sample. Without it 30 problems of which few differ are covered 69 to
    93 % of the time; with it 93 to 98 %, and up to 100 % where hardly any problem can move or one
    sample per problem leaves only whole differences.
    """
    m = len(changes)
    if m < 2:
        return None
    centre = mean(changes)
    seen = max(map(abs, changes))
    largest = max(seen, _LEAST) if seen else 1.0
    squares = math.fsum((change - centre) ** 2 for change in changes) + largest**2 / 2
    half = student(confidence, m - 1) * math.sqrt(squares / (m - 1) / m)
    return Interval(max(-1.0, centre - half), min(1.0, centre + half))
