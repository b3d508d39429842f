"""What orders of choices do to a comparison of a model with itself: simulated runs, seeded.

198 problems like GPQA's with four choices; the right choice is found more often where it is shown
first. Two runs of one model draw their orders per problem with one seed, per problem with two seeds, or
per sample.

    python -m benchmarks.simulations --only choice_orders
"""

from __future__ import annotations

from itertools import product

import numpy as np

from harness.stats.paired_test import stratified
from harness.stats.positions import position_effects
from harness.types import Tally

PROBLEMS, LEVEL = 198, 0.05
SAMPLES = (8, 64)
EFFECTS = (0.0, 0.1)
ORDERINGS = ("per problem, one seed", "per problem, two seeds", "per sample")


def pair(
    ordering: str, effect: float, k: int, random: np.random.Generator
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Two runs: where each sample showed its right choice, and whether it is right, (problems, k)."""
    rates = random.beta(1.2, 1.0, PROBLEMS)[:, None]
    runs = []
    for _ in range(2):
        size = k if ordering == "per sample" else 1
        if not runs or ordering != ORDERINGS[0]:
            places = np.broadcast_to(random.integers(0, 4, (PROBLEMS, size)), (PROBLEMS, k))
        # A quarter of the places are the first: the effect leaves the mean where it is.
        shifted = np.clip(rates + effect * (np.equal(places, 0) - 0.25), 0, 1)
        runs.append((places, random.random((PROBLEMS, k)) < shifted))
    return runs[0], runs[1]


def cell(
    ordering: str, effect: float, k: int, *, runs: int, seed: int
) -> tuple[float, list[float]]:
    """Share of comparisons that differ at 5 % two-sided, and the effects found for the first place."""
    random = np.random.default_rng([seed, ORDERINGS.index(ordering), int(100 * effect), k])
    differ, found = 0, []
    for _ in range(runs):
        sides = pair(ordering, effect, k, random)
        tallies = [[Tally(k, int(row.sum())) for row in right] for _, right in sides]
        differ += 2 * min(stratified(*tallies)) <= LEVEL
        places, right = sides[1]
        shown = [(str(i), int(places[i, j]), bool(right[i, j]))
                 for i in range(PROBLEMS) for j in range(k)]  # fmt: skip
        found += [e.difference for e in position_effects(shown) if e.position == 0]
    return differ / runs, found


def table(runs: int, seed: int) -> list[list[str]]:
    """A row per ordering, samples per problem and effect of the position in points."""
    rows = [["orders", "k", "effect", "comparisons that differ, %", "effect found"]]
    for ordering, k, effect in product(ORDERINGS, SAMPLES, EFFECTS):
        share, found = cell(ordering, effect, k, runs=runs, seed=seed)
        shown = f"{100 * np.mean(found):.1f} ±{100 * np.std(found):.1f}" if found else "–"
        rows.append([ordering, str(k), f"{100 * effect:.0f}", f"{100 * share:.1f}", shown])
    return rows
