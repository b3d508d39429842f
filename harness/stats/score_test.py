"""The score test of a mean rate, and of the difference of two over the same problems. Pure.

A value is tested with the variance that the value itself implies: all log-odds of the problems'
possible rates are shifted until their mean is that value (or the two means differ by it), and the
tail is that of so moved rates. See `harness.stats.intervals` for the rule and its sources.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from harness.stats.rates import LEAST_SPREAD, posterior_rates
from harness.stats.student import satterthwaite, student_tail
from harness.stats.tails import Draws, upper_tail
from harness.types import Tally

_EDGE = 1e-6  # a mean rate stays this far from 0 and 1
_ROUNDS = 4  # weights and means of both sides agree to 1e-4 after three
FIGURE_STEPS = 0.25
"""Steps of the lattice added where a run is held against a figure: they keep wrong verdicts below
their level there, and half a step, of a figure of one draw above all, costs 2 to 6 points of power."""
_FIRST_STEP = 0.02  # from what was seen to where an end is looked for
_PRECISION = 1e-5  # of an end


class ScoreTest(ABC):
    """A test of what was seen against a value, from both sides; its inversion is an interval."""

    seen: float
    reach: tuple[float, float]

    @abstractmethod
    def above(self, value: float) -> float:
        """How often as high a result as seen, or higher, would come out, were this the truth."""

    @abstractmethod
    def below(self, value: float) -> float:
        """How often as low a result as seen, or lower."""

    def ends(self, tail: float) -> tuple[float, float]:
        """The lowest and the highest value that leave at least `tail` on either side."""
        return self.low(tail), _end(
            lambda value: self.below(value) - tail, self.seen, self.reach[1]
        )

    def low(self, tail: float) -> float:
        """The lowest value that leaves at least `tail` above."""
        return _end(lambda value: self.above(value) - tail, self.seen, self.reach[0])


class OneRun(ScoreTest):
    """The mean rate of one run.

    Args:
        draws: what was drawn.
        seen: the mean of the shares that came out.
    """

    reach = (0.0, 1.0)

    def __init__(self, draws: Draws, seen: float) -> None:
        self._draws, self.seen = draws, seen
        self._total = seen * draws.problems
        self._half = 0.5 * draws.step

    @classmethod
    def of(cls, tallies: Sequence[Tally]) -> OneRun:
        """From one tally per problem, each with a sample."""
        (draws,) = _kinds(tallies, [tallies])
        return cls(draws, _mean(tallies))

    def above(self, value: float) -> float:
        """See `ScoreTest.above`."""
        moved = self._draws.moved(value)
        return _studentised(upper_tail(self._total - self._half, moved), [moved])

    def below(self, value: float) -> float:
        """See `ScoreTest.below`."""
        moved = self._draws.moved(value)
        return _studentised(1 - upper_tail(self._total + self._half, moved), [moved])


class TwoRuns(ScoreTest):
    """The difference new - base of two mean rates over the same problems.

    Args:
        base: what was drawn there.
        new: what was drawn here.
        base_mean: the mean that came out.
        new_mean: likewise.
        slack: by how much, as a share, the difference that came out may be off besides.
        continuity: steps of the lattice that are added for continuity.
    """

    reach = (-1.0, 1.0)

    def __init__(
        self,
        base: Draws,
        new: Draws,
        base_mean: float,
        new_mean: float,
        *,
        slack: float = 0.0,
        continuity: float = 0.5,
    ) -> None:
        self._base, self._new = base, new
        self._means = base_mean, new_mean
        self.seen = new_mean - base_mean
        self._total = self.seen * new.problems
        self._half = slack * new.problems + continuity * max(base.step, new.step)

    @classmethod
    def of(cls, base: Sequence[Tally], new: Sequence[Tally], *, continuity: float = 0.5) -> TwoRuns:
        """From the samples of two runs; the spread of rates is fitted to both together."""
        both = [Tally(b.n + t.n, b.correct + t.correct) for b, t in zip(base, new, strict=True)]
        before, after = _kinds(both, [base, new])
        return cls(before, after, _mean(base), _mean(new), continuity=continuity)

    @classmethod
    def with_figure(
        cls,
        tallies: Sequence[Tally],
        figure: tuple[float, int],
        other: tuple[float, int] | None = None,
        *,
        slack: float,
    ) -> TwoRuns:
        """A run, or another figure, against a figure: the mean of k samples of each problem.

        Args:
            tallies: the run's, whose rates all sides have, moved to the tested values.
            figure: a share from 0 to 1, and its k.
            other: likewise, in place of the run.
            slack: what rounding leaves open to either side.
        """
        value, n = other or (_mean(tallies), None)
        sides = [[Tally(k, 0)] * len(tallies) if k else tallies for k in (figure[1], n)]
        theirs, ours = _kinds(tallies, sides)
        return cls(theirs, ours, figure[0], value, slack=slack, continuity=FIGURE_STEPS)

    def above(self, value: float) -> float:
        """See `ScoreTest.above`."""
        base, new = self._moved(value)
        return _studentised(upper_tail(self._total - self._half, new, base), [base, new])

    def below(self, value: float) -> float:
        """See `ScoreTest.below`."""
        base, new = self._moved(value)
        return _studentised(1 - upper_tail(self._total + self._half, new, base), [base, new])

    def _moved(self, difference: float) -> tuple[Draws, Draws]:
        """Both sides at the likeliest means that differ by this much.

        Each mean found estimates them with a weight of one over the variance that it has there.
        """
        base, new = self._base, self._new
        weights = [1 / side.step for side in (base, new)]
        for _ in range(_ROUNDS):
            found = weights[0] * self._means[0] + weights[1] * (self._means[1] - difference)
            centre = found / sum(weights)
            centre = min(max(centre, _EDGE, _EDGE - difference), 1 - _EDGE, 1 - _EDGE - difference)
            base, new = self._base.moved(centre), self._new.moved(centre + difference)
            weights = [1 / (float(side.times @ side.variances) + 1e-12) for side in (base, new)]
        return base, new


def _kinds(known: Sequence[Tally], sides: Sequence[Sequence[Tally]]) -> list[Draws]:
    """The draws of each side, problems of one kind put together.

    Args:
        known: what the rates of each problem are taken from.
        sides: whose n are drawn, in the same order of problems.
    """
    import numpy as np

    rates = posterior_rates(known, unknown=LEAST_SPREAD)
    columns = [[t.correct for t in known], [t.n for t in known]]
    columns += [[t.n for t in side] for side in sides]
    _, first, times = np.unique(columns, axis=1, return_index=True, return_counts=True)
    counts = np.array(columns[2:], dtype=float)[:, first]
    return [Draws.of(rates[first], n, times.astype(float)) for n in counts]


def _mean(tallies: Sequence[Tally]) -> float:
    return math.fsum(t.correct / t.n for t in tallies) / len(tallies)


def _studentised(p: float, sides: Sequence[Draws]) -> float:
    """The tail with Student's quantile, the variances being estimates (Satterthwaite 1946)."""
    variances = [v for side in sides for v in side.variances.tolist()]
    trials = [n for side in sides for n in side.n.tolist()]
    times = [m for side in sides for m in side.times.tolist()]
    return student_tail(p, satterthwaite(variances, trials, times))


def _end(falling: Callable[[float], float], seen: float, furthest: float) -> float:
    """Where a function falls below 0 on the way from `seen` to `furthest`; there if it does not."""
    from scipy.optimize import brentq

    inside, step = seen, _FIRST_STEP
    while True:
        outside = max(furthest, seen - step) if furthest < seen else min(furthest, seen + step)
        if falling(outside) < 0:
            break
        if outside == furthest:
            return furthest
        inside, step = outside, 3 * step
    if inside == seen and falling(seen) <= 0:
        return seen
    return float(brentq(falling, inside, outside, xtol=_PRECISION))
