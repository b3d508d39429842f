"""The hours of a plan: its samples played in lanes, by the lengths to expect. Pure.

Hours are not tokens by speed: a run ends no earlier than its longest sample, and where lanes outnumber the
samples that is all there is to wait for. `harness.pipeline.timeline` plays the samples in the order
that a run draws them in, every lane equally fast whatever the others hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist, fmean

from harness.pipeline.pending import Place, Plan
from harness.pipeline.schedule import Lengths
from harness.pipeline.timeline import Expectation, Shares, Timeline
from harness.stats.allocation import counts_at

BETWEEN, WITHIN = 0.6, 0.4
"""Spread of the logarithm of a length, between and within problems, where no run tells it.

Real responses to MATH spread by 0.34 and 0.19; reasoning varies about twice as much, see
benchmarks/makespan.py.
"""

_NORMAL = NormalDist()
_ENOUGH = 512  # samples that tell where analyses lie: they are played dozens of times
_MOST = 20_000  # samples that are played once, in half a second


@dataclass(frozen=True, slots=True)
class Lanes:
    """Samples in flight at once, and their speed; what is not known is None.

    Args:
        n: samples in flight.
        each: tokens per second of each of them, as measured.
        together: tokens per second of all of them, as stated; it goes before what was measured.
        gpus: that the engine holds; 0 on CPUs.
    """

    n: int | None = None
    each: float | None = None
    together: float | None = None
    gpus: float | None = None

    @property
    def speed(self) -> float | None:
        """Tokens per second of each."""
        if self.together is None:
            return self.each
        return self.together / self.n if self.n else None

    @property
    def missing(self) -> list[str]:
        """The options that would tell what is not known."""
        unknown = {"--concurrency": self.n, "--tokens-per-second": self.each or self.together}
        return [option for option, value in unknown.items() if value is None]


@dataclass(frozen=True, slots=True)
class SampleLengths:
    """The lengths to expect of a task's samples, in tokens.

    Args:
        means: by problem id.
        within: standard deviation of the logarithm within a problem.
        cap: on a sample.
    """

    means: Mapping[str, float]
    within: float
    cap: int | None

    @classmethod
    def assumed(cls, ids: Sequence[str], mean: float, cap: int | None) -> SampleLengths:
        """Lengths with this mean, which spread as those of reasoning do, longest first."""
        shares = [1 - (i + 0.5) / len(ids) for i in range(len(ids))]
        means = [math.exp(BETWEEN * _NORMAL.inv_cdf(share)) for share in shares]
        return cls(dict(zip(ids, means, strict=True)), WITHIN, cap).scaled(mean)

    @property
    def mean(self) -> float:
        """The mean over problems."""
        return fmean(self.means.values())

    def scaled(self, mean: float) -> SampleLengths:
        """The same with another mean over problems; none of a problem is above the cap."""
        most = math.inf if self.cap is None else float(self.cap)
        low, high = 0.0, (mean if self.cap is None else most) / min(self.means.values())
        for _ in range(60):  # the mean grows with the factor, up to the cap
            factor = (low + high) / 2
            found = {id: min(most, factor * own) for id, own in self.means.items()}
            low, high = (factor, high) if fmean(found.values()) < mean else (low, factor)
        return replace(self, means=found)

    def tokens(self, counts: Mapping[str, int]) -> float:
        """Tokens of so many samples of each problem."""
        return math.fsum(n * self.means[id] for id, n in counts.items())

    def expectations(self, task: str) -> dict[Place, Expectation]:
        """As the time line takes them."""
        return {(task, id): Expectation.of(mean, self.within, self.cap)
                for id, mean in self.means.items()}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clock:
    """Tells the hours of the samples of one or several tasks, drawn together.

    Args:
        lengths: by problem.
        means: their means in tokens.
        lanes: samples in flight at once.
        speed: tokens per second of each lane.
    """

    lengths: Mapping[Place, Expectation]
    means: Mapping[Place, float]
    lanes: int
    speed: float

    @classmethod
    def of(cls, tasks: Mapping[str, SampleLengths | None], lanes: Lanes) -> Clock | None:
        """The clock of these tasks; None where a length, the lanes or their speed are unknown."""
        lengths = {task: found for task, found in tasks.items() if found is not None}
        if len(lengths) < len(tasks) or lanes.n is None or lanes.speed is None:
            return None
        places = [found.expectations(task) for task, found in lengths.items()]
        merged = {place: length for own in places for place, length in own.items()}
        means = {(task, id): mean for task, found in lengths.items()
                 for id, mean in found.means.items()}  # fmt: skip
        return cls(merged, means, lanes.n, lanes.speed)

    def whole(self, counts: Mapping[str, Mapping[str, int]]) -> float:
        """Hours until the last sample, without any analysis on the way.

        Args:
            counts: by task, the samples of each problem.
        """
        timeline, few = self._thinned(counts, _MOST)
        ends = timeline.ends({task: [own] for task, own in few.items()})
        end = max(end for (end,) in ends.values()) * self._scale(timeline, counts, few)
        return self._hours(max(end, self._longest(counts)))

    def floor(self, counts: Mapping[str, Mapping[str, int]]) -> float:
        """Hours of the longest sample, which no number of lanes can do without; its median."""
        return self._hours(self._longest(counts))

    def thinned(self, task: str, counts: Mapping[str, int]) -> tuple[Timeline, Mapping[str, int]]:
        """A time line on which the analyses of a task are placed, and the samples that it has."""
        timeline, few = self._thinned({task: counts}, _ENOUGH)
        return timeline, few[task]

    def ends(self, task: str, counts: Mapping[str, int], shares: Shares) -> list[float]:
        """Hours until each analysis, where none before it decides."""
        timeline, few = self._thinned({task: counts}, _MOST)
        scale = self._scale(timeline, {task: counts}, few)
        ends = timeline.ends({task: [counts_at(few[task], share) for share in shares]})[task]
        return [self._hours(max(end * scale, self._longest({task: counts_at(counts, share)})))
                for end, share in zip(ends, shares, strict=True)]  # fmt: skip

    def _thinned(
        self, counts: Mapping[str, Mapping[str, int]], most: int
    ) -> tuple[Timeline, Mapping[str, Mapping[str, int]]]:
        """The time line of these samples, and what it has of them.

        Where they are many more, it has only some problems, and as many times fewer lanes: they
        take as long.
        """
        total = sum(sum(own.values()) for own in counts.values())
        thin = max(1, min(total // most, self.lanes))
        few = {}
        for task, own in counts.items():
            by_length = sorted(own, key=lambda id: -self.lengths[task, id].centre)
            kept = set(by_length[min(thin // 2, len(own) - 1) :: thin])
            few[task] = {id: n for id, n in own.items() if id in kept}
        missing: dict[Place, Sequence[int]] = {
            (task, id): range(n) for task, own in few.items() for id, n in own.items()
        }
        lengths = {place: self.lengths[place] for place in missing}
        return Timeline(Plan(missing, Lengths(), {}), lengths, self.lanes // thin), few

    def _scale(
        self,
        timeline: Timeline,
        counts: Mapping[str, Mapping[str, int]],
        few: Mapping[str, Mapping[str, int]],
    ) -> float:
        """What the time of a thinned line is multiplied by, its parts being no exact fractions."""
        tokens = [math.fsum(n * self.means[task, id] for task, own in drawn.items()
                            for id, n in own.items()) for drawn in (counts, few)]  # fmt: skip
        return tokens[0] / tokens[1] * timeline.lanes / self.lanes

    def _longest(self, counts: Mapping[str, Mapping[str, int]]) -> float:
        """The median of the longest sample, in tokens."""
        found = [(self.lengths[task, id], n) for task, own in counts.items()
                 for id, n in own.items()]  # fmt: skip
        low, high = 0.0, max(length.centre + 8 * length.spread for length, _ in found)
        for _ in range(40):  # by logarithms
            middle = (low + high) / 2
            below = math.fsum(n * _log_share_below(length, middle) for length, n in found)
            low, high = (middle, high) if below < math.log(0.5) else (low, middle)
        return math.exp(high)

    def _hours(self, tokens: float) -> float:
        return tokens / self.speed / 3600


def _log_share_below(length: Expectation, logarithm: float) -> float:
    """Logarithm of the share of samples that are no longer."""
    if math.exp(logarithm) >= length.cap or (not length.spread and logarithm >= length.centre):
        return 0.0
    if not length.spread:
        return -math.inf
    share = _NORMAL.cdf((logarithm - length.centre) / length.spread)
    return math.log(share) if share else -math.inf
