"""Tests that relabel samples within each problem: which run drew a sample says nothing. Pure.

Where two runs draw from the same model, the samples of a problem could have fallen to the runs in any
other way, so that a statistic's distribution over such relabellings is exact whatever lengths and texts
look like (Fisher 1935; Pitman 1937). It is drawn here, with seeds. Any number of samples on either side
will do, one included, and it may differ by problem.

Two statistics: the difference of means, for numbers, and the squared distance of two distributions in a
kernel (maximum mean discrepancy: Gretton et al. 2012), for what only tells alike from unlike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.stats.student import student

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DRAWS = 9_999
"""Relabellings: p-values from 0.0001 on."""

_SEED = 20_261_130  # relabellings are the same in every comparison of the same counts
_SLACK = 1e-5  # distances that differ by less, of their size, are equal


@dataclass(frozen=True, slots=True)
class Values:
    """One problem's numbers, one for each sample of either run."""

    base: Sequence[float]
    new: Sequence[float]


@dataclass(frozen=True, slots=True)
class Alikeness:
    """How alike any two samples of one problem are, 0 to 1: those of the base first.

    `kernel` has shape (n, n) over the samples of both runs; it is symmetric, with 1 on its diagonal.
    """

    kernel: Floats
    n_base: int

    @property
    def n_new(self) -> int:
        """Samples of the new run."""
        return len(self.kernel) - self.n_base

    @property
    def weight(self) -> float:
        """What the squared distance counts by: its noise then is alike in all problems."""
        return self.n_base * self.n_new / (self.n_base + self.n_new)


@dataclass(frozen=True, slots=True)
class MeanShift:
    """A difference of means, new minus base, averaged over problems.

    `error` is its standard error over relabellings, `freedom` the degrees of freedom that this rests on.
    """

    value: float
    error: float
    freedom: int
    p: float

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """The interval of the difference."""
        half = student(confidence, max(1, self.freedom)) * self.error
        return self.value - half, self.value + half


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance of two distributions: `p` is the share of relabellings at least as far apart.

    `base` and `new` say how alike two samples of one problem are within each run, `between` how alike
    where one comes from each; means over problems, None where no problem has two samples of a run.
    `detectable` is the share of samples that another model would have to draw apart from all others
    for the test to see it; None where none is seen.
    """

    p: float
    base: float | None
    new: float | None
    between: float
    detectable: float | None


def mean_shift(problems: Sequence[Values], *, draws: int = DRAWS) -> MeanShift | None:
    """Test the difference of means, two-sided.

    Args:
        problems: each with a sample on both sides.
        draws: relabellings.

    Returns:
        None where all values of every problem are equal, so that no relabelling changes anything.
    """
    import numpy as np

    moving = [p for p in problems if len({*p.base, *p.new}) > 1]
    if not moving:
        return None
    observed = math.fsum(np.mean(p.new) - np.mean(p.base) for p in moving)
    drawn = np.zeros(draws)
    random = np.random.default_rng(_SEED)
    for problem in moving:
        contrasts = _relabelled(len(problem.base), len(problem.new), draws, random)
        drawn += contrasts @ np.array([*problem.base, *problem.new])
    slack = 1e-9 * float(np.abs(drawn).max())
    tails = (drawn <= observed + slack).sum(), (drawn >= observed - slack).sum()
    p = min(1.0, 2 * (1 + int(min(tails))) / (1 + draws))
    variance = math.fsum(
        float(np.var([*p.base, *p.new], ddof=1)) * (1 / len(p.base) + 1 / len(p.new))
        for p in moving
    )
    freedom = sum(len(p.base) + len(p.new) - 1 for p in moving)
    m = len(problems)
    return MeanShift(observed / m, math.sqrt(variance) / m, freedom, p)


def detectable_shift(shift: MeanShift, *, alpha: float, power: float) -> float:
    """The smallest difference of means that is seen with this power, at this two-sided level."""
    from scipy import special

    return float(special.ndtri(1 - alpha / 2) + special.ndtri(power)) * shift.error


def distance(
    problems: Sequence[Alikeness], *, alpha: float, power: float, draws: int = DRAWS
) -> Distance | None:
    """Test the distance of two distributions, summed over problems.

    Args:
        problems: each with a sample on both sides.
        alpha: the level that `detectable` is computed for.
        power: its probability of detection.
        draws: relabellings.

    Returns:
        None where no relabelling changes anything: samples are all alike, or one a problem and run.
    """
    import numpy as np

    moving = [p for p in problems if len(p.kernel) > 2 and p.kernel.min() < 1]
    if not moving:
        return None
    observed, drawn = 0.0, np.zeros(draws)
    random = np.random.default_rng(_SEED)
    for problem in moving:
        n_base, n_new, kernel = problem.n_base, problem.n_new, problem.kernel
        observed += problem.weight * float(_squared(_contrast(n_base, n_new)[None, :], kernel)[0])
        contrasts = _relabelled(n_base, n_new, draws, random)
        drawn += problem.weight * _squared(contrasts, kernel)
    p = (1 + int((drawn >= observed - _SLACK * observed).sum())) / (1 + draws)
    base = _mean_within([p.kernel[: p.n_base, : p.n_base] for p in problems])
    new = _mean_within([p.kernel[p.n_base :, p.n_base :] for p in problems])
    between = [float(p.kernel[: p.n_base, p.n_base :].mean()) for p in problems]
    return Distance(
        p=p,
        base=base,
        new=new,
        between=float(np.mean(between)),
        detectable=_detectable_share(moving, drawn, alpha, power),
    )


def arrangements(sizes: Sequence[tuple[int, int]]) -> float:
    """The logarithm of how many relabellings there are: few cannot reach a small p-value."""
    return math.fsum(
        math.lgamma(b + n + 1) - math.lgamma(b + 1) - math.lgamma(n + 1) for b, n in sizes
    )


def _relabelled(n_base: int, n_new: int, draws: int, random: np.random.Generator) -> Floats:
    """Contrasts of one problem under relabellings, shape (draws, n).

    Each problem draws its own: an error that problems share would add up over them.
    """
    import numpy as np

    return random.permuted(np.tile(_contrast(n_base, n_new), (draws, 1)), axis=1)


def _contrast(n_base: int, n_new: int) -> Floats:
    """The mean of the new run minus that of the base, as weights of the samples."""
    import numpy as np

    return np.array([-1 / n_base] * n_base + [1 / n_new] * n_new)


def _squared(contrasts: Floats, kernel: Floats) -> Floats:
    """The squared distance in the kernel, one for each contrast; single precision is ten times faster."""
    import numpy as np

    rows = contrasts.astype(np.float32)
    return np.asarray(np.einsum("ij,ij->i", rows @ kernel.astype(np.float32), rows), dtype=float)


def _mean_within(kernels: Sequence[Floats]) -> float | None:
    """How alike two samples of one problem are within a run; None where no problem has two."""
    found = [
        float(part.sum() - len(part)) / (len(part) * (len(part) - 1))
        for part in kernels
        if len(part) > 1
    ]
    return math.fsum(found) / len(found) if found else None


def _detectable_share(
    problems: Sequence[Alikeness], drawn: Floats, alpha: float, power: float
) -> float | None:
    """The share of the new run's samples that must be like no other for the test to see it.

    A share s moves the squared distance by s² times the alikeness of two samples; the noise is that
    of the relabellings and of the move itself.
    """
    import numpy as np
    from scipy import special

    alike, spread = 0.0, 0.0
    for problem in problems:
        n = len(problem.kernel)
        rows = (problem.kernel.sum(axis=1) - 1) / (n - 1)
        alike += problem.weight * float(rows.mean())
        spread += 4 * problem.weight * float(rows.var())
    beyond = float(np.quantile(drawn, 1 - alpha) - drawn.mean())
    noise, quantile = float(drawn.var()), float(special.ndtri(power))

    def seen(share: float) -> bool:
        return alike * share**2 >= beyond + quantile * math.sqrt(noise + spread * share**2)

    if not seen(1.0):
        return None
    low, high = 0.0, 1.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
