"""Sampling in rounds until the gate's question is decided: a group sequential test. Pure.

After every round (one more sample of every problem) an interim analysis tests the difference between
the new run's mean and the base's. Repeated analyses must not raise the rate of false alarms, so the
boundary is one that the whole path crosses with probability alpha, not one analysis alone.

With r rounds against a base of n samples per problem, the difference has variance v(1/r + 1/n), and
its values over the rounds are a Brownian motion in information time t(r) = (1/K + 1/n) /
(1/r + 1/n), where K is the cap (Jennison and Turnbull 2000, section 3.1): W = -Z sqrt(t), with
drift sqrt(information at K) times the drop. Every analysis uses the whole base, so for n = K
a third of the rounds holds half of the information.

- *regression* when W reaches a constant c (O'Brien and Fleming 1979): P(any W(r) >= c) = alpha
  where nothing changed. The bounds on the difference that this gives after each round are a
  confidence sequence up to K (repeated confidence intervals: Jennison and Turnbull 1989).
- *no regression* when the same kind of bound excludes a drop of `margin`: with a probability of
  10 % to do so falsely where one analysis of all K rounds would see that drop with power 0.8, else
  of alpha. The interim analyses then cost 2 to 3 points of that power.
- The score itself is reported with a confidence sequence that holds at any stopping time and needs
  no cap (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476).

The mean at the stopping time leans towards the side that stopped it. benchmarks/gate.py measures
false alarms, power, rounds saved, coverage and that bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal

from harness.stats import power
from harness.stats.intervals import Interval, mean, rate
from harness.stats.power import ALPHA, POWER, lowered, posterior_variance, sampling_variance
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.stats.power import Rates

Decision = Literal["regression", "no regression", "underpowered"]

MISS = 0.1
"""Probability that a drop of the margin is excluded although it is there, over all analyses."""

_REACH = 8.0  # Brownian paths are followed from -8 to 8; beyond lies nothing that matters
_STEP = 0.008
_SLACK = 0.001  # of a power: a margin that was promised must not fail by rounding


@dataclass(frozen=True, slots=True)
class Design:
    """A gate with an interim analysis after each of `k` rounds.

    Args:
        k: the cap: rounds, and so samples per problem of the new run, at most.
        n_base: samples per problem of the base.
        margin: the drop that "no regression" must exclude, as a share from 0 to 1.
        alpha: probability of a false alarm over all analyses.
        able: whether one analysis of all k rounds would see a drop of `margin` with power 0.8.
    """

    k: int
    n_base: int
    margin: float = 0.05
    alpha: float = ALPHA
    able: bool = True

    @classmethod
    def against(
        cls, base: Mapping[str, Tally], k: int, *, margin: float = 0.05, alpha: float = ALPHA
    ) -> Design:
        """The gate against this base, whose problems should have about equally many samples.

        Args:
            base: the base's tallies by problem id; `n_base` is the harmonic mean of their n.
            k: the cap, in rounds.
            margin: the drop to exclude, as a share.
            alpha: probability of a false alarm over all analyses.
        """
        tallies = [t for t in base.values() if t.n]
        n_base = max(1, round(power.samples_per_problem(tallies)))
        rates = power.posterior_rates(tallies)
        able = power.power_at(rates, n_base, k, margin, alpha=alpha) >= POWER - _SLACK
        return cls(k, n_base, margin, alpha, able)

    @property
    def times(self) -> tuple[float, ...]:
        """Information time of each analysis, 1 at the last."""
        return tuple((1 / self.k + 1 / self.n_base) / (1 / r + 1 / self.n_base)
                     for r in range(1, self.k + 1))  # fmt: skip

    @property
    def excluded(self) -> float:
        """The bound at which a drop of `margin` counts as excluded."""
        return boundary(self.times, MISS if self.able else self.alpha)

    def error(self, variance: float, rounds: int) -> float:
        """Standard error of the difference, from the variance of the mean of one sample per problem."""
        return math.sqrt(variance * (1 / rounds + 1 / self.n_base))


@dataclass(frozen=True, slots=True, kw_only=True)
class InterimAnalysis:
    """The result of one interim analysis, after round `round`.

    `difference` is new minus base, as a share, and `low` the lower end of its one-sided confidence
    sequence. `p_drop` is valid whenever sampling stops: the probability that any of the k analyses
    shows as much where nothing changed. `decision` is None where sampling goes on. `score` is the
    new run's pass@1, `interval` its own confidence sequence after this round.
    """

    round: int
    difference: float
    low: float
    p_drop: float
    decision: Decision | None
    score: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A sequential test of one task, as far as it went: what stopping.json holds.

    Args:
        base: path of the run that the task is held against.
        k: cap of the rounds, one sample of every problem each.
        margin: the drop that "no regression" must exclude, as a share.
        alpha: chance of a false alarm over all analyses of this task.
        round: the round that decided; 0 before a decision.
        decision: None where sampling goes on.
        score: the plain mean after that round.
        interval: its confidence sequence.
        analyses: one per round, in order.
    """

    base: str
    k: int
    margin: float
    alpha: float
    round: int = 0
    decision: Decision | None = None
    score: float | None = None
    interval: Interval | None = None
    analyses: tuple[InterimAnalysis, ...] = ()

    def after(self, found: InterimAnalysis) -> Stopping:
        """The same test with one more analysis, in place of those from its round on."""
        kept = tuple(old for old in self.analyses if old.round < found.round)
        now = replace(self, analyses=(*kept, found))
        if found.decision is None:
            return now
        return replace(now, round=found.round, decision=found.decision, score=found.score,
                       interval=found.interval)  # fmt: skip


def analyse(
    design: Design, base: Mapping[str, Tally], new: Mapping[str, Tally], rounds: int
) -> InterimAnalysis:
    """Test the difference after a round; the analysis after the last round always decides.

    Args:
        design: the gate's boundaries.
        base: the base's tallies by problem id.
        new: the first `rounds` samples of every problem.
        rounds: how many rounds are done, from 1 to `design.k`.
    """
    pairs = [(base[id], new[id]) for id in base if id in new and new[id].n and base[id].n]
    difference = mean([rate(after) - rate(before) for before, after in pairs])
    variance = posterior_variance([Tally(b.n + n.n, b.correct + n.correct) for b, n in pairs])
    unit = design.error(variance, rounds) / math.sqrt(design.times[rounds - 1])
    reach = boundary(design.times, design.alpha)
    decision: Decision | None = None
    if -difference >= reach * unit:
        decision = "regression"
    elif difference + design.margin >= design.excluded * unit:
        decision = "no regression"
    elif rounds == design.k:
        decision = "no regression" if design.able else "underpowered"
    tallies = [t for t in new.values() if t.n]
    return InterimAnalysis(
        round=rounds,
        difference=difference,
        low=difference - reach * unit,
        p_drop=_paths(design.times, 0.0, round(-difference / unit, 3), None)[0],
        decision=decision,
        score=mean([rate(t) for t in tallies]),
        interval=score_interval(tallies, rounds, design.k),
    )


def score_interval(
    tallies: Sequence[Tally], rounds: int, planned: int, *, confidence: float = 0.95
) -> Interval:
    """Confidence sequence of a score: it holds at whatever round sampling stops.

    An asymptotic one, sqrt(2 (r s + 1) / (r² s) log(sqrt(r s + 1) / alpha)) times the standard
    deviation of one round, with s tuned to be tightest at half of the planned rounds
    (Waudby-Smith et al., arXiv 2103.06476).

    Args:
        tallies: the first `rounds` samples of every problem.
        rounds: r, the rounds that are done.
        planned: the cap, in rounds.
        confidence: that the sequence is to hold with, at all rounds together.
    """
    value = mean([rate(t) for t in tallies])
    deviation = math.sqrt(posterior_variance(tallies))
    alpha = 1 - confidence
    tuned = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / max(planned / 2, 1.0)
    grown = rounds * tuned + 1
    spread = 2 * grown / (rounds**2 * tuned) * math.log(math.sqrt(grown) / alpha)
    half = deviation * math.sqrt(spread)
    return Interval(max(0.0, value - half), min(1.0, value + half))


def detectable_drop(
    rates: Rates, k: int, n_base: int | None = None, *, alpha: float = ALPHA
) -> float:
    """The smallest drop that the gate sees within k rounds with power 0.8, its margin being that drop.

    Args:
        rates: the problems' possible rates, shape (problems, grid).
        k: the cap, in rounds.
        n_base: the base's samples per problem; k by default.
        alpha: probability of a false alarm over all analyses.

    Returns:
        A share from 0 to 1; the mean rate itself where no drop is seen with that power.
    """

    def power_of(drop: float) -> float:
        design = Design(k, n_base or k, max(drop, 1e-9), alpha)
        return operating_characteristics(design, _halfway(rates, drop), drop)[0]

    return power.smallest_drop(rates, power_of, POWER)


def expected_share(design: Design, rates: Rates, drop: float = 0.0) -> float:
    """Expected rounds of the gate at a true drop, as a share of its k (from 0 to 1)."""
    return operating_characteristics(design, _halfway(rates, drop), drop)[1] / design.k


def operating_characteristics(design: Design, variance: float, drop: float) -> tuple[float, float]:
    """(probability of "regression", expected rounds) at a true drop, by following all paths.

    Args:
        design: the gate's boundaries.
        variance: of the mean of one sample per problem.
        drop: the true drop, as a share.
    """
    error = design.error(variance, design.k)
    margin, drift = round(design.margin / error, 3), round(drop / error, 3)
    reach = boundary(design.times, design.alpha)
    return _paths(design.times, drift, reach, (margin, design.excluded))


@cache
def boundary(times: tuple[float, ...], alpha: float) -> float:
    """The constant c with P(W(t) >= c at any of the times) = alpha for a motion without drift.

    O'Brien and Fleming's boundary (1979) at these information times.
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    low, high = float(norm.ppf(1 - alpha)) - 0.1, float(norm.ppf(1 - alpha / 2)) + 0.1
    return float(brentq(lambda c: _paths(times, 0.0, c, None)[0] - alpha, low, high, xtol=1e-4))


@cache
def _paths(
    times: tuple[float, ...], drift: float, reach: float, futility: tuple[float, float] | None
) -> tuple[float, float]:
    """(probability of reaching `reach`, expected analyses) of a Brownian motion with drift.

    The density of the paths that go on is convolved with that of each step on a grid (Armitage,
    McPherson and Rowe 1969).
    `futility` (m, c) stops a path without a crossing where m t - W(t) >= c.
    """
    import numpy as np
    from scipy.signal import fftconvolve

    grid = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    density: NDArray[np.float64] = np.zeros(len(grid))
    density[len(grid) // 2] = 1.0
    crossed, analyses, before = 0.0, 0.0, 0.0
    for time in times:
        analyses += density.sum()
        step = time - before
        width = math.sqrt(step)
        start = math.ceil(6 * width / _STEP)
        moves = np.arange(-start, math.ceil((6 * width + drift * step) / _STEP) + 1) * _STEP
        chances = np.exp(-((moves - drift * step) ** 2) / (2 * step))
        full = fftconvolve(density, chances / chances.sum())
        density = np.maximum(full[start : start + len(grid)], 0.0)
        over = grid >= reach
        crossed += float(density[over].sum() + full[start + len(grid) :].sum())
        density[over] = 0.0
        if futility is not None:
            density[futility[0] * time - grid >= futility[1]] = 0.0
        before = time
    return crossed, float(analyses)


def _halfway(rates: Rates, drop: float) -> float:
    """Variance of one sample per problem, base and lowered rates half each."""
    try:
        after = lowered(rates, drop)
    except ValueError:
        after = rates
    return (sampling_variance(rates) + sampling_variance(after)) / 2
