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
from harness.stats.sequential import analyse, decide
from harness.stats.stopping import InterimAnalysis
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
        runs: simulated nights of a population of 30 problems; a third as many of larger ones.
        seed: of everything drawn.
    """
    return [list(HEAD), *_rows(runs, seed)]


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    for number, setting in enumerate(SETTINGS):
        random = np.random.default_rng([seed, number])
        large = setting.population in (MATH, CODE, GPQA)
        found = [_night(setting, random) for _ in range(runs // 3 if large else runs)]
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
    same = first_decision(design, base, rates, random)
    drop = min(design.detect, 0.9 * float(rates.mean()))
    worse = fallen(rates, drop)
    lower = first_decision(design, base, worse, random)
    small = by_id(tallies(rates, setting.k, random))
    fixed = stratified(list(small.values()), tallies(worse, setting.k, random))[0] <= 0.05
    passed = math.nan
    if rates.mean() > design.margin + 0.01:
        lost = first_decision(design, base, fallen(rates, design.margin), random)
        passed = float(lost.decision == "no regression")
    truth, after = float(rates.mean()), float(worse.mean())
    held = [same.interval.low <= truth <= same.interval.high,
            lower.interval.low <= after <= lower.interval.high]  # fmt: skip
    bound = [same.low <= 0, lower.low <= after - truth]
    return [design.drawn[same.stage - 1], design.drawn[lower.stage - 1],
            same.decision == "regression", lower.decision == "regression", fixed, passed,
            float(np.mean(held)), float(np.mean(bound))]  # fmt: skip


def first_decision(
    design: Design, base: dict[str, Tally], rates: Rates, random: np.random.Generator
) -> InterimAnalysis:
    """Draw stage by stage until an analysis decides."""
    ids, drawn = list(design.allocation), np.zeros(len(rates), dtype=int)
    right = np.zeros(len(rates), dtype=int)
    for stage, share in enumerate(design.shares, 1):
        counts = np.array([counts_at(design.allocation, share)[id] for id in ids])
        right += random.binomial(counts - drawn, rates)
        drawn = counts
        new = {id: Tally(int(n), int(c)) for id, n, c in zip(ids, counts, right, strict=True)}
        if decide(design, base, new, stage) is not None:
            return analyse(design, base, new, stage)
    raise AssertionError("the last analysis decides")
