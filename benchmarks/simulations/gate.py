"""Does the gate raise as few false alarms and let as few drops pass as it says, and what does it see?

For every pair of numbers of samples: alarms where nothing changed; runs that lost exactly the margin of
5 points and are called "no regression"; and the power against a drop that a z-test which knows the
true rates (an oracle, of normal approximation) sees with power 0.8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from scipy import stats

from benchmarks.simulations.populations import (
    AIME_MID,
    AIME_STRONG,
    CODE,
    GPQA,
    MATH,
    SATURATED,
    WEAK,
    Population,
    fallen,
    tallies,
)
from harness.stats.intervals import chance_of_as_much
from harness.stats.paired_test import stratified

HEAD = ("population", "k base", "k new", "false alarms", "5 points lost and passed",
        "power", "oracle's power")  # fmt: skip
MARGIN = 0.05
_KS = (1, 4, 16, 64)
_LARGE = {GPQA.name: ((8, 8), (1, 8), (32, 8)), MATH.name: ((4, 4), (16, 4)),
          CODE.name: ((16, 16), (1, 16))}  # fmt: skip


def table(runs: int, seed: int) -> list[list[str]]:
    """A head, and one row per population and pair of k.

    Args:
        runs: simulated comparisons of a population of 30 problems; a third as many of larger ones.
        seed: of everything drawn.
    """
    return [list(HEAD), *_rows(runs, seed)]


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    pairs = tuple((base, new) for base in _KS for new in _KS)
    for population in (AIME_MID, AIME_STRONG, GPQA, MATH, CODE, WEAK, *SATURATED):
        for k_base, k_new in _LARGE.get(population.name, pairs):
            times = runs // 3 if population.name in _LARGE else runs
            random = np.random.default_rng([seed, k_base, k_new])
            found = [_night(population, k_base, k_new, random) for _ in range(times)]
            cells = [np.nanmean(column) for column in zip(*found, strict=True)]
            shown = [f"{100 * cell:.1f}" for cell in cells]
            if population.saturated or population is WEAK:
                shown[2:] = "-", "-"  # drops of that size hardly exist there
            yield [population.name, str(k_base), str(k_new), *shown]


def _night(
    population: Population, k_base: int, k_new: int, random: np.random.Generator
) -> tuple[float, float, float, float]:
    rates = population.draw(random)
    base = tallies(rates, k_base, random)
    alarm = stratified(base, tallies(rates, k_new, random))[0] <= 0.05
    passed = math.nan
    if rates.mean() > MARGIN + 0.01:
        lost = tallies(fallen(rates, MARGIN), k_new, random)
        regression = stratified(base, lost)[0] <= 0.05
        passed = not regression and chance_of_as_much(base, lost, -MARGIN) <= 0.05
    if population.saturated or population.name.startswith("weak"):
        return alarm, passed, math.nan, math.nan
    variance = float((rates * (1 - rates)).mean()) / len(rates)
    error = math.sqrt(variance * (1 / k_base + 1 / k_new))
    drop = min(2.4865 * error, 0.5 * float(rates.mean()))
    worse = fallen(rates, drop)
    new = tallies(worse, k_new, random)
    seen = stratified(base, new)[0] <= 0.05
    after = float((worse * (1 - worse)).mean()) / len(rates)
    true = math.sqrt(variance / k_base + after / k_new)
    difference = np.mean(
        [n.correct / n.n - b.correct / b.n for b, n in zip(base, new, strict=True)]
    )
    return alarm, passed, seen, float(stats.norm.cdf(difference / true) <= 0.05)
