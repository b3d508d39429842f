"""How often does a sweep claim an effect where there is none? Simulated sweeps of null values, seeded.

python -m benchmarks.simulations --only sweep
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.stats import effects
from harness.stats.effects import Effect, Pairing
from harness.stats.sample_outcomes import SampleOutcome
from harness.types import Verdict

POPULATIONS = {
    "AIME-like, 30 at Beta(0.7, 0.5), k=8": (30, 8, (0.7, 0.5)),
    "saturated, 30 at Beta(30, 0.6), k=8": (30, 8, (30.0, 0.6)),
    "GPQA-like, 198 at Beta(1.6, 1.0), k=4": (198, 4, (1.6, 1.0)),
}
VALUES = (1, 5, 20)
PAIRINGS: tuple[Pairing, ...] = ("problems", "samples")
CHANGED = 0.02
"""Share of samples whose verdict another way of grading them turns, in either direction alike."""


def outcomes(right: np.ndarray) -> list[SampleOutcome]:
    """One outcome per cell of (problems, k)."""
    words = (Verdict.WRONG_ANSWER, Verdict.CORRECT)
    return [
        SampleOutcome(str(i), j, words[int(cell)], 9, 5, False)
        for i, row in enumerate(right)
        for j, cell in enumerate(row)
    ]


def sweep(
    rates: np.ndarray, k: int, values: int, pairing: Pairing, random: np.random.Generator
) -> list[Effect]:
    """The effects of values that change nothing, against one base.

    Args:
        rates: of the problems.
        k: samples per problem.
        values: how many.
        pairing: `problems` draws each value's samples anew; `samples` turns some verdicts of the
            base's own, as many to right as to wrong in the long run.
        random: where the draws come from.
    """

    def draw() -> np.ndarray:
        return random.random((len(rates), k)) < rates[:, None]

    base = draw()
    before = outcomes(base)
    blank = effects.measure(
        before, task="task", factor="factor", value="", source="sampled", k=k, n_expected=base.size
    )
    found = []
    for value in range(values):
        new = draw() if pairing == "problems" else base ^ _turned(base, random)
        p = effects.p_value(before, outcomes(new), pairing)
        found.append(replace(blank, value=str(value), p=p))
    return effects.corrected(found)


def _turned(base: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Which verdicts are turned: of the right ones and of the wrong ones equally many in expectation."""
    share = base.mean()
    rarer = min(share, 1 - share) or 1.0
    chance = CHANGED * rarer / np.where(base, share, 1 - share)
    return random.random(base.shape) < chance


def claims(runs: int, seed: int, *, values: int, population: str, pairing: Pairing) -> list[int]:
    """How many sweeps claim an effect: with the correction, and by plain p-values."""
    m, k, shape = POPULATIONS[population]
    random = np.random.default_rng([seed, values, m, len(pairing)])
    counts = [0, 0]
    for _ in range(runs):
        found = sweep(random.beta(*shape, m), k, values, pairing, random)
        counts[0] += any(effect.claim == "differs" for effect in found)
        counts[1] += any(effect.p is not None and effect.p <= effects.LEVEL for effect in found)
    return counts


def table(runs: int, seed: int) -> list[list[str]]:
    """Sweeps with a claim in percent, a row per population, pairing and number of null values."""
    rows = [["problems", "paired by", "null values", "a claim, %", "uncorrected, %"]]
    for population in POPULATIONS:
        for pairing in PAIRINGS:
            for values in VALUES:
                found = claims(runs, seed, values=values, population=population, pairing=pairing)
                rows.append([population, pairing, str(values),
                             *(f"{100 * count / runs:.1f}" for count in found)])  # fmt: skip
    return rows
