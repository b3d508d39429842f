"""Sampling in stages until the gate's question is decided: a group sequential test. Pure.

After each stage an interim analysis tests the run's difference to its base, by the same two tests as
`harness.stats.gate` for a fixed number of samples: the stratified one against "nothing changed", and
the score test against "a drop of the margin". Repeated analyses must not raise the rate of errors,
so each has a boundary that the whole path reaches with the stated probability
(`harness.stats.boundaries`). Every analysis uses the whole base.

- *regression* where the drop is significant: with probability alpha, over all analyses, where
  nothing changed.
- *no regression* where a drop of the margin is excluded (with a chance of 5 % to do so falsely),
  and, before the last analysis, so is the drop that a fixed number of samples against a base of as many
  would see with power 0.8. With what probability that is excluded falsely is chosen so that the
  test keeps that power: stopping early may cost samples that are not needed, and no power.
- *underpowered* where the last analysis decides neither.

The bound on the difference holds whichever analysis it is read after (a repeated confidence interval:
Jennison and Turnbull 1989). The mean at the stop leans towards the side that stopped it, and the
score's interval is made a little wider than that of a fixed number of samples; both invert the score
test, also where every sample is right. docs/statistics.md has what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from harness.stats.boundaries import critical
from harness.stats.design import Design
from harness.stats.intervals import (
    chance_of_as_much,
    difference_bound,
    mean,
    rate,
    score_interval,
)
from harness.stats.paired_test import stratified
from harness.stats.stopping import Decision, InterimAnalysis
from harness.types import Tally

_STOPPED = 0.018  # left out on either side of a stopped score: 0.025, less the lean of the stop


def decide(
    design: Design, base: Mapping[str, Tally], new: Mapping[str, Tally], stage: int
) -> Decision | None:
    """What an interim analysis decides; None where sampling goes on. The last one always decides.

    Args:
        design: the gate's boundaries.
        base: the base's tallies by problem id.
        new: each problem's samples up to this stage, see `harness.stats.allocation.counts_at`.
        stage: how many stages are done, from 1 to `len(design.shares)`.
    """
    old, now = _paired(base, new)
    return _decision(design, old, now, stage, stratified(old, now)[0])


def analyse(
    design: Design, base: Mapping[str, Tally], new: Mapping[str, Tally], stage: int
) -> InterimAnalysis:
    """What `decide` decides, with the bounds that hold at this stage.

    Args:
        design: the gate's boundaries.
        base: the base's tallies by problem id.
        new: each problem's samples up to this stage.
        stage: how many stages are done, from 1 to `len(design.shares)`.
    """
    from scipy import special

    old, now = _paired(base, new)
    at, p_drop = stage - 1, stratified(old, now)[0]
    tallies = [t for t in new.values() if t.n]
    return InterimAnalysis(
        stage=stage,
        difference=mean([rate(t) for t in now]) - mean([rate(t) for t in old]),
        low=difference_bound(old, now, tail=float(special.ndtr(-design.exclusion[at]))),
        p_drop=_repeated(design, at, p_drop),
        decision=_decision(design, old, now, stage, p_drop),
        score=mean([rate(t) for t in tallies]),
        interval=score_interval(tallies, tail=_STOPPED),
    )


def _paired(base: Mapping[str, Tally], new: Mapping[str, Tally]) -> tuple[list[Tally], list[Tally]]:
    """The problems that have samples on both sides."""
    shared = [id for id in base if id in new and new[id].n and base[id].n]
    return [base[id] for id in shared], [new[id] for id in shared]


def _decision(
    design: Design, old: Sequence[Tally], now: Sequence[Tally], stage: int, p_drop: float
) -> Decision | None:
    from scipy import special

    at, last = stage - 1, stage == len(design.shares)
    if p_drop <= special.ndtr(-design.alarm[at]):
        return "regression"
    excluded = chance_of_as_much(old, now, -design.margin) <= special.ndtr(-design.exclusion[at])
    if excluded and design.futility is not None and not last:
        chance = chance_of_as_much(old, now, -design.detect, continuity=0.0)
        excluded = chance <= special.ndtr(-design.futility[at])
    if excluded:
        return "no regression"
    return "underpowered" if last else None


def _repeated(design: Design, at: int, p_drop: float) -> float:
    """The least alpha at which this analysis would call the drop significant."""
    from scipy import special

    z = -float(special.ndtri(min(max(p_drop, 1e-12), 1 - 1e-12)))
    low, high, share = 1e-6, 1.0, design.kept_level
    for _ in range(14):
        middle = math.sqrt(low * high)
        low, high = (
            (low, middle)
            if critical(design.times, round(middle * share, 9), design.late)[at] <= z
            else (middle, high)
        )
    return high
