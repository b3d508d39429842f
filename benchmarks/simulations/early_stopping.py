"""What `--until decided` saves, and whether it keeps the fixed gate's promises.

Each night has a base, a run of the same rates, one that lost the drop which the fixed gate (k against
k) sees with power 0.8, and one that lost the margin. The number of samples is that up to the analysis
which decided, as a share of k per problem.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special

from benchmarks.simulations.populations import (
    AIME_MID,
    AIME_STRONG,
    CODE,
    GPQA,
    MATH,
    SATURATED,
    Population,
    Rates,
    by_id,
    fallen,
    tallies,
)
from harness.stats.allocation import counts_at, neyman, uniform
from harness.stats.design import Design
from harness.stats.paired_test import stratified
from harness.stats.score_test import OneRun, TwoRuns
from harness.stats.sequential import decide
from harness.stats.stopping import Decision
from harness.types import Tally

HEAD = ("population", "k", "base", "samples by", "margin", "samples, nothing changed",
        "samples, drop lost", "false alarms", "power", "fixed gate's power", "margin lost and passed",
        "score held", "bound held")  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """A row: the base has `times` as many samples per problem as the new run."""

    population: Population
    k: int
    times: int
    history: bool
    margin: float | None  # None: the drop that the fixed gate sees


SETTINGS = tuple(
    Setting(population, k, times, history, margin)
    for population, k in ((AIME_MID, 64), (AIME_STRONG, 64), (MATH, 4), (CODE, 16), (GPQA, 8))
    for times, history, margin in ((1, False, 0.05), (4, True, 0.05), (4, True, None))
) + tuple(
    Setting(population, 16, times, history, 0.05)
    for population in (AIME_MID, *SATURATED)
    for times, history in ((1, False), (4, True))
)


def table(runs: int, seed: int) -> list[list[str]]:
    """A head, and one row per setting.

    Args:
        runs: simulated nights.
        seed: of everything drawn.
    """
    return [list(HEAD), *_rows(runs, seed)]


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    for number, setting in enumerate(SETTINGS):
        random = np.random.default_rng([seed, number])
        found = [_night(setting, random) for _ in range(runs)]
        cells = [f"{100 * np.nanmean(column):.1f}" for column in zip(*found, strict=True)]
        yield [setting.population.name, str(setting.k), f"{setting.times} x k",
               "history" if setting.history else "problem",
               "printed drop" if setting.margin is None else f"{100 * setting.margin:g}",
               *cells]  # fmt: skip


def _night(setting: Setting, random: np.random.Generator) -> list[float]:
    rates = setting.population.draw(random)
    base = by_id(tallies(rates, setting.k * setting.times, random))
    total = setting.k * len(rates)
    allocation = neyman(base, total) if setting.history else uniform(list(base), setting.k)
    design = Design.against(base, allocation, margin=setting.margin or 0.05)
    if setting.margin is None:
        design = Design.against(base, allocation, margin=design.detect)
    truth, drop = float(rates.mean()), min(design.detect, 0.9 * float(rates.mean()))
    worse = fallen(rates, drop)
    same = _stopped(design, base, rates, truth, random)
    lower = _stopped(design, base, worse, truth, random)
    small = tallies(rates, setting.k, random)
    fixed = stratified(small, tallies(worse, setting.k, random))[0] <= 0.05
    passed = math.nan
    if truth > design.margin + 0.01:
        lost = _stopped(design, base, fallen(rates, design.margin), truth, random)
        passed = float(lost.decision == "no regression")
    return [same.share, lower.share, same.decision == "regression", lower.decision == "regression",
            fixed, passed, (same.score_held + lower.score_held) / 2,
            (same.bound_held + lower.bound_held) / 2]  # fmt: skip


@dataclass(frozen=True)
class _Stop:
    """How the sampling of one run ended, and whether its score's interval and its bound hold the truth."""

    decision: Decision
    share: float
    score_held: bool
    bound_held: bool


def _stopped(
    design: Design,
    base: dict[str, Tally],
    rates: Rates,
    base_mean: float,
    random: np.random.Generator,
) -> _Stop:
    """Draw stage by stage until an analysis decides."""
    drawn = right = np.zeros(len(rates), dtype=int)
    for stage, share in enumerate(design.shares, 1):
        counts = np.array(list(counts_at(design.allocation, share).values()))
        right = right + random.binomial(counts - drawn, rates)
        drawn = counts
        new = [Tally(int(n), int(c)) for n, c in zip(counts, right, strict=True)]
        decision = decide(design, base, dict(zip(design.allocation, new, strict=True)), stage)
        if decision is None:
            continue
        score = OneRun.of(new)
        mean, pair = float(rates.mean()), TwoRuns.of([base[id] for id in design.allocation], new)
        return _Stop(
            decision,
            design.drawn[stage - 1],
            score.above(mean) >= 0.018 and score.below(mean) >= 0.018,
            bool(pair.above(mean - base_mean) >= special.ndtr(-design.exclusion[stage - 1])),
        )
    raise AssertionError("the last analysis decides")
