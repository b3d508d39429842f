"""Do the intervals of scores and differences hold the truth as often as they say?

A two-sided interval misses below or above; both are counted. Coverage is asked of the test that the
interval inverts, at the true value, which is the same as asking whether the interval holds it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.simulations.populations import (
    SATURATED,
    UNSATURATED,
    USUAL_K,
    WEAK,
    Population,
    fallen,
    tallies,
)
from harness.stats.intervals import problems_difference, problems_interval
from harness.stats.score_test import OneRun, ScoreTest, TwoRuns

HEAD = ("population", "k", "score", "difference, nothing changed", "difference, 3 points lost",
        "problems: score", "problems: difference")  # fmt: skip
_SMALL = (1, 2, 4, 16, 64)


def table(runs: int, seed: int) -> list[list[str]]:
    """A head, and one row per population and k.

    Args:
        runs: simulated runs of a population of 30 problems; a third as many of larger ones.
        seed: of everything drawn.
    """
    return [list(HEAD), *_rows(runs, seed)]


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    for population in (*UNSATURATED, WEAK, *SATURATED):
        size = len(population.draw(np.random.default_rng(0)))
        for k in USUAL_K.get(population.name, _SMALL):
            random = np.random.default_rng([seed, k])
            found = [
                _night(population, k, random) for _ in range(runs if size == 30 else runs // 3)
            ]
            held = [[x for x in column if x is not None] for column in zip(*found, strict=True)]
            cells = [f"{100 * np.mean(column):.1f}" if column else "-" for column in held]
            yield [population.name, str(k), *cells]


def _night(population: Population, k: int, random: np.random.Generator) -> list[bool | None]:
    rates = population.draw(random)
    drop = min(0.03, 0.5 * rates.mean())
    worse = fallen(rates, drop)
    base, same, new = (tallies(r, k, random) for r in (rates, rates, worse))
    inside = [
        _holds(OneRun.of(base), float(rates.mean())),
        _holds(TwoRuns.of(base, same), 0.0),
        _holds(TwoRuns.of(base, new), float(worse.mean() - rates.mean())),
    ]
    if population.saturated:  # its problems are fixed ones, not drawn from others like them
        return [*inside, None, None]
    many = _truth(population)
    score = problems_interval([t.correct / t.n for t in base])
    changes = [n.correct / n.n - b.correct / b.n for b, n in zip(base, same, strict=True)]
    difference = problems_difference(changes)
    return [
        *inside,
        None if score is None else score.low <= many <= score.high,
        None if difference is None else difference.low <= 0 <= difference.high,
    ]


def _holds(test: ScoreTest, truth: float) -> bool:
    """Whether the 95 % interval that the test makes holds this value."""
    return test.above(truth) >= 0.025 and test.below(truth) >= 0.025


_TRUTHS: dict[str, float] = {}


def _truth(population: Population) -> float:
    """The mean rate over all problems like these."""
    if population.name not in _TRUTHS:
        random = np.random.default_rng(12)
        _TRUTHS[population.name] = float(
            np.mean([population.draw(random).mean() for _ in range(4000)])
        )
    return _TRUTHS[population.name]
