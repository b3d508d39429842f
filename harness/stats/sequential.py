"""Sampling in rounds until the gate's question is decided. Pure.

After every round (one more sample of every problem) the difference between the new run's mean and
the base's is looked at. Looking often must not raise false alarms, so the boundary is one that the
whole path crosses with the chance alpha, not a single look.

With r rounds against a base of n samples per problem, the difference has variance v(1/r + 1/n), and
its values over the rounds are a Brownian motion in information time t(r) = (1/K + 1/n) /
(1/r + 1/n), where K is the cap (Jennison and Turnbull 2000, section 3.1): W = -Z sqrt(t), with
drift sqrt(information at K) times the drop. The base is spent at every look, so a third of K rounds
holds half of the information.

- *regression* when W reaches a constant c (O'Brien and Fleming 1979): P(any W(r) >= c) = alpha
  where nothing changed. The bounds on the difference that this gives after each round are a
  confidence sequence up to K (repeated confidence intervals: Jennison and Turnbull 1989).
- *no regression* when the same kind of bound excludes a drop of `margin`: with a chance of 10 % to
  do so falsely where K rounds looked at once would see that drop with power 0.8, else of alpha.
  The looks together then cost 2 to 3 points of that power.
- The score itself is reported with a confidence sequence that holds at any stopping time and needs
  no cap (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv 2103.06476).

The mean at the stopping time leans towards the side that stopped it. benchmarks/gate.py measures
false alarms, power, rounds saved, coverage and that bias.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from harness.stats import power
from harness.stats.intervals import Interval, mean
from harness.stats.power import ALPHA, POWER, lowered, posterior_variance, sampling_variance
from harness.types import Tally

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.stats.power import Rates

Decision = Literal["regression", "no regression", "underpowered"]

MISS = 0.1
"""Chance that a drop of the margin is excluded although it is there, over all looks."""

_REACH = 8.0  # Brownian paths are followed from -8 to 8; beyond lies nothing that matters
_STEP = 0.008
_SLACK = 0.001  # of a power: a margin that was promised must not fail by rounding


@dataclass(frozen=True, slots=True)
class Design:
    """A gate that looks after each of `k` rounds against a base of `n_base` samples per problem.

    Args:
        alpha: chance of a false alarm over all looks.
        margin: the drop that "no regression" must exclude, as a share.
        able: whether k rounds looked at once would see a drop of `margin` with power 0.8.
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
        """The gate against this base, whose problems are to have one number of samples or nearly."""
        tallies = [t for t in base.values() if t.n]
        n_base = max(1, round(len(tallies) / math.fsum(1 / t.n for t in tallies)))
        rates = power.posterior_rates(tallies)
        able = power.power_at(rates, n_base, k, margin, alpha=alpha) >= POWER - _SLACK
        return cls(k, n_base, margin, alpha, able)

    @property
    def times(self) -> tuple[float, ...]:
        """Information time of each look, 1 at the last."""
        return tuple((1 / self.k + 1 / self.n_base) / (1 / r + 1 / self.n_base)
                     for r in range(1, self.k + 1))  # fmt: skip

    @property
    def excluded(self) -> float:
        """The bound at which a drop of `margin` counts as excluded."""
        return boundary(self.times, MISS if self.able else self.alpha)

    def error(self, variance: float, rounds: int) -> float:
        """Standard error of the difference, from the variance of one sample per problem."""
        return math.sqrt(variance * (1 / rounds + 1 / self.n_base))


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look found. `interval` is the score's own confidence sequence after this round."""

    round: int
    difference: float
    low: float
    p_drop: float
    decision: Decision | None
    score: float
    interval: Interval


def look(design: Design, base: Mapping[str, Tally], new: Mapping[str, Tally], rounds: int) -> Look:
    """Look at the difference after a round; the last round always decides.

    `new` holds the first `rounds` samples of every problem. `Look.low` is the lower end of the
    one-sided confidence sequence of new - base, and `Look.p_drop` is valid whenever one stops: the
    chance that any of the k looks shows as much where nothing changed.
    """
    pairs = [(base[id], new[id]) for id in base if id in new and new[id].n and base[id].n]
    difference = mean([n.correct / n.n - b.correct / b.n for b, n in pairs])
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
    return Look(
        round=rounds,
        difference=difference,
        low=difference - reach * unit,
        p_drop=_paths(design.times, 0.0, round(-difference / unit, 3), None)[0],
        decision=decision,
        score=mean([t.correct / t.n for t in tallies]),
        interval=score_interval(tallies, rounds, design.k),
    )


def score_interval(
    tallies: Sequence[Tally], rounds: int, planned: int, *, confidence: float = 0.95
) -> Interval:
    """Confidence sequence of a score: it holds at whatever round sampling stops.

    An asymptotic one, sqrt(2 (r s + 1) / (r² s) log(sqrt(r s + 1) / alpha)) times the standard
    deviation of one round, with s tuned to be tightest at half of the planned rounds.
    """
    value = mean([t.correct / t.n for t in tallies])
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
    """The smallest drop that the gate sees within k rounds with power 0.8, as its margin.

    `n_base` is the base's samples per problem; k by default.
    """

    def power_of(drop: float) -> float:
        design = Design(k, n_base or k, max(drop, 1e-9), alpha)
        return outcomes(design, _halfway(rates, drop), drop)[0]

    return power.smallest_drop(rates, power_of, POWER)


def expected_share(design: Design, rates: Rates, drop: float = 0.0) -> float:
    """Rounds that the gate needs on average at a true drop, as a share of its k."""
    return outcomes(design, _halfway(rates, drop), drop)[1] / design.k


def outcomes(design: Design, variance: float, drop: float) -> tuple[float, float]:
    """(chance of "regression", expected rounds) at a true drop, by following all paths.

    `variance` is that of the mean of one sample per problem.
    """
    error = design.error(variance, design.k)
    margin, drift = round(design.margin / error, 3), round(drop / error, 3)
    reach = boundary(design.times, design.alpha)
    return _paths(design.times, drift, reach, (margin, design.excluded))


@cache
def boundary(times: tuple[float, ...], alpha: float) -> float:
    """The constant c with P(W(t) >= c at any of the times) = alpha for a motion without drift."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    low, high = float(norm.ppf(1 - alpha)) - 0.1, float(norm.ppf(1 - alpha / 2)) + 0.1
    return float(brentq(lambda c: _paths(times, 0.0, c, None)[0] - alpha, low, high, xtol=1e-4))


@cache
def _paths(
    times: tuple[float, ...], drift: float, reach: float, futility: tuple[float, float] | None
) -> tuple[float, float]:
    """(chance of reaching `reach`, expected looks) of a Brownian motion, by convolution on a grid.

    `futility` (m, c) stops a path without a crossing where m t - W(t) >= c.
    """
    import numpy as np
    from scipy.signal import fftconvolve

    grid = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    alive: NDArray[np.float64] = np.zeros(len(grid))
    alive[len(grid) // 2] = 1.0
    crossed, looks, before = 0.0, 0.0, 0.0
    for time in times:
        looks += alive.sum()
        step = time - before
        width = math.sqrt(step)
        start = math.ceil(6 * width / _STEP)
        moves = np.arange(-start, math.ceil((6 * width + drift * step) / _STEP) + 1) * _STEP
        chances = np.exp(-((moves - drift * step) ** 2) / (2 * step))
        full = fftconvolve(alive, chances / chances.sum())
        alive = np.maximum(full[start : start + len(grid)], 0.0)
        over = grid >= reach
        crossed += float(alive[over].sum() + full[start + len(grid) :].sum())
        alive[over] = 0.0
        if futility is not None:
            alive[futility[0] * time - grid >= futility[1]] = 0.0
        before = time
    return crossed, float(looks)


def _halfway(rates: Rates, drop: float) -> float:
    """Variance of one sample per problem, base and lowered rates half each."""
    try:
        after = lowered(rates, drop)
    except ValueError:
        after = rates
    return (sampling_variance(rates) + sampling_variance(after)) / 2
