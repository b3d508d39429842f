"""When the stages of a run are expected to end, and where interim analyses are worth their place. Pure.

A stage ends with its longest sample, so the time that an analysis saves is not the share of the
samples that it spares: with as many lanes as samples, half of them take as long as all. The stages of a
run are therefore played beforehand, with the order that its samples are really drawn in and the
lengths that an earlier run had; time is counted in tokens of one lane, all lanes being equally fast.

Within a problem, lengths are taken to be lognormal up to the cap on a sample.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import mul
from statistics import NormalDist

from harness.pipeline.pending import Place, Plan
from harness.pipeline.schedule import Lengths
from harness.pipeline.stages import Counts, Stages
from harness.stats.allocation import counts_at

WORTH = 0.05
"""The share of the whole time that an analysis must come before the next one to be worth its place."""

SAME = 0.01
"""The share of the whole time within which two moments count as one."""

_NORMAL = NormalDist()
_TURN = (math.sqrt(5) - 1) / 2  # multiples of it spread evenly over (0, 1), however many there are
_LONG = 0.99
_HALVINGS = 4
_WIDEST = 1e-9  # quantiles are kept this far from 0 and 1

Shares = tuple[float, ...]
"""Where interim analyses lie: the share of the samples that each has, ascending up to 1."""

Length = Callable[[Place, int], float]
"""The tokens of a sample, by problem and index."""


def play(
    stages: Stages,
    length: Length,
    lanes: int,
    decided: Callable[[str, int], bool] = lambda task, stage: False,
) -> dict[str, list[float]]:
    """Draw the samples of stages in lanes, and analyse each stage as it ends.

    Args:
        stages: what is drawn next; it is used up.
        length: tokens of each sample.
        lanes: samples drawn at once.
        decided: whether a task has enough samples after a stage.

    Returns:
        By task, when each stage ended until one decided, in tokens of one lane.
    """
    now, held = 0.0, list[tuple[float, Place, int, float]]()
    ends: dict[str, list[float]] = {task: [] for task in stages.waiting}
    while True:
        for task in list(stages.waiting):
            while task in stages.waiting and stages.has_ended(task):
                ends[task].append(now)
                if decided(task, stages.waiting[task]) or stages.is_last(task):
                    stages.close(task)
                    held = [entry for entry in held if entry[1][0] != task]
                    heapq.heapify(held)
                else:
                    stages.advance(task)
        while len(held) < lanes and (taken := stages.take()) is not None:
            tokens = length(*taken)
            heapq.heappush(held, (now + tokens, *taken, tokens))
        if not held:
            return ends
        now, place, index, tokens = heapq.heappop(held)
        stages.record(place, round(tokens))
        stages.end(place, index)


@dataclass(frozen=True, slots=True)
class Expectation:
    """The lengths of a problem's samples, in tokens: lognormal up to the cap.

    `centre` is the mean and `spread` the standard deviation of the logarithm, without the cap.
    """

    centre: float
    spread: float
    cap: float

    @classmethod
    def of(cls, mean: float, spread: float, cap: int | None) -> Expectation:
        """The expectation with this mean, cap included."""
        most = math.inf if cap is None else float(cap)
        plain = math.log(max(mean, 1.0)) - spread**2 / 2
        if not spread or math.isinf(most):
            return cls(plain, spread, most)
        low, high = plain - spread, math.log(most) + 6 * spread
        for _ in range(40):  # the mean grows with the centre
            centre = (low + high) / 2
            low, high = (
                (centre, high) if _capped_mean(centre, spread, most) < mean else (low, centre)
            )
        return cls((low + high) / 2, spread, most)

    def quantile(self, share: float) -> float:
        """The length that this share of the samples stays below."""
        z = _NORMAL.inv_cdf(min(max(share, _WIDEST), 1 - _WIDEST))
        return min(self.cap, math.exp(self.centre + self.spread * z))


def _capped_mean(centre: float, spread: float, cap: float) -> float:
    """The mean of a lognormal length that is cut at the cap."""
    z = (math.log(cap) - centre) / spread
    below = math.exp(centre + spread**2 / 2) * _NORMAL.cdf(z - spread)
    return below + cap * (1 - _NORMAL.cdf(z))


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is left to draw, and the lengths to expect.

    Args:
        plan: the samples that are missing.
        lengths: a sample's expected length at its quantile, by problem.
        lanes: samples drawn at once.
    """

    plan: Plan
    lengths: Mapping[Place, Expectation]
    lanes: int

    @classmethod
    def of(cls, plan: Plan, lanes: int, caps: Mapping[str, int | None]) -> Timeline | None:
        """The timeline of a plan; None where nothing is known of the lengths.

        Args:
            plan: the samples that are missing; a problem of unknown length gets the mean.
            lanes: samples drawn at once.
            caps: by task, the cap on a sample.
        """
        known = {place: plan.lengths.expected(place) for place in plan.missing}
        means = [mean for mean in known.values() if mean is not None]
        if not means:
            return None
        usual, spread = sum(means) / len(means), plan.lengths.spread() or 0.0
        found = {place: Expectation.of(usual if mean is None else mean, spread, caps.get(place[0]))
                 for place, mean in known.items()}  # fmt: skip
        return cls(plan, found, lanes)

    def ends(self, ends: Mapping[str, Sequence[Counts]]) -> dict[str, list[float]]:
        """When each stage of each task is expected to end, in tokens of one lane.

        Args:
            ends: by task, the samples of each problem up to the end of each stage.
        """
        lengths: Lengths[Place] = Lengths()
        lengths.assume({place: found.quantile(0.5) for place, found in self.lengths.items()})
        starts = {place: n * _TURN * _TURN for n, place in enumerate(self.plan.missing)}

        def length(place: Place, index: int) -> float:
            return self.lengths[place].quantile((starts[place] + (index + 0.5) * _TURN) % 1.0)

        return play(Stages(Plan(self.plan.missing, lengths, {}), ends), length, self.lanes)

    def place(
        self,
        task: str,
        candidates: Iterable[Shares],
        asked: Mapping[str, Counts],
        *,
        others: Mapping[str, Shares],
        chances: Callable[[Shares], Sequence[float] | None],
    ) -> Shares:
        """Where the interim analyses of a task lie that end it soonest, by expectation.

        Of each candidate, an analysis that would come hardly before the next one is left out, and
        one whose stage waits for its longest sample takes in all that end by then: more samples
        decide more often, and cost no time. One analysis of all samples is a candidate as well, and
        is what is left where all of them are drawn at once.

        Args:
            task: whose analyses are placed.
            candidates: where they may lie.
            asked: by task, the samples of each problem.
            others: where the analyses of other tasks lie, which share the lanes.
            chances: the chance that sampling ends at each of some analyses, 1 in all; None where
                analyses may not lie so.
        """

        def ends(placed: Shares) -> list[float]:
            stages = {t: [counts_at(asked[t], share) for share in own]
                      for t, own in {**others, task: placed}.items()}  # fmt: skip
            return self.ends(stages)[task]

        def expected(placed: Shares) -> tuple[float, int]:
            found = chances(placed)
            if found is None:
                return math.inf, len(placed)
            return math.fsum(map(mul, found, ends(placed))), len(placed)

        whole = ends((1.0,))[-1]
        longest = max(found.quantile(_LONG) for place, found in self.lengths.items()
                      if place[0] == task)  # fmt: skip
        moved = {_moved(distinct(shares, asked[task]), ends, whole, longest)
                 for shares in candidates}  # fmt: skip
        return min([(1.0,), *sorted(distinct(shares, asked[task]) for shares in moved)],
                   key=expected)  # fmt: skip


def _moved(
    placed: Shares, ends: Callable[[Shares], list[float]], whole: float, longest: float
) -> Shares:
    """The analyses at the largest shares that end as early, without those hardly earlier."""
    placed = _worth(placed, ends, whole)
    end = ends(placed)[0]
    if len(placed) == 1 or end > longest * (1 + SAME):
        return placed  # only the first stage can be one that waits for its longest sample
    low, high = placed[:2]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        later = ends((middle, *placed[1:]))[0]
        low, high = (middle, high) if later <= end + SAME * whole else (low, middle)
    return _worth((low, *placed[1:]), ends, whole)


def _worth(placed: Shares, ends: Callable[[Shares], list[float]], whole: float) -> Shares:
    """The analyses without those that come hardly before the next one."""
    while True:
        late = [number for number, (end, after) in enumerate(pairwise(ends(placed)))
                if after - end < WORTH * whole]  # fmt: skip
        if not late:
            return placed
        placed = placed[: late[0]] + placed[late[0] + 1 :]


def distinct(shares: Shares, asked: Counts) -> Shares:
    """The last of the analyses that would have the same samples; in whole samples of equal counts."""
    last = {}
    for share in sorted(shares):
        counts = counts_at(asked, share)
        equal = len({*asked.values()}) == 1
        exact = max(counts.values()) / max(asked.values()) if equal else share
        last[tuple(counts.values())] = exact
    return tuple(sorted(last.values()))
