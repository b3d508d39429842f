"""Problems with known rates, of the shapes that benchmarks have, and samples drawn from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy import special

from harness.types import Tally

Rates = np.ndarray
"""True rates of the problems, shape (problems,)."""


@dataclass(frozen=True)
class Population:
    """Problems of one kind: every run of a simulation draws them anew."""

    name: str
    draw: Callable[[np.random.Generator], Rates]
    saturated: bool = False


def _beta(name: str, m: int, a: float, b: float) -> Population:
    return Population(name, lambda random: random.beta(a, b, m))


def _fixed(name: str, rates: list[float]) -> Population:
    return Population(name, lambda random: np.array(rates), saturated=True)


AIME_MID = _beta("AIME, middling: 30", 30, 0.5, 0.45)
AIME_STRONG = _beta("AIME, strong: 30", 30, 0.9, 0.16)
GPQA = _beta("GPQA-Diamond: 198", 198, 1.1, 0.55)
MATH = _beta("MATH-500: 500", 500, 1.6, 0.11)
CODE = _beta("LiveCodeBench: 279", 279, 0.3, 0.25)
WEAK = _beta("weak: 30", 30, 0.3, 5.0)
SATURATED = (
    _fixed("30 at 0.998", [0.998] * 30),
    _fixed("28 at 1, 2 at 0.9", [1.0] * 28 + [0.9] * 2),
    _fixed("30 at 0.99", [0.99] * 30),
    _fixed("30 at 0.97", [0.97] * 30),
    _fixed("29 at 1, 1 at 0.5", [1.0] * 29 + [0.5]),
)
UNSATURATED = (AIME_MID, AIME_STRONG, GPQA, MATH, CODE)
USUAL_K: Mapping[str, tuple[int, ...]] = {GPQA.name: (4, 8), MATH.name: (2, 4), CODE.name: (4, 16)}
"""Samples per problem of the larger sets; the others are drawn 1 to 64 times."""


def tallies(rates: Rates, n: int | np.ndarray, random: np.random.Generator) -> list[Tally]:
    """A run's samples.

    Args:
        rates: of the problems.
        n: samples of each problem, or of all.
        random: where the draws come from.
    """
    counts = np.broadcast_to(n, rates.shape)
    right = random.binomial(counts, rates)
    return [Tally(int(k), int(c)) for k, c in zip(counts, right, strict=True)]


def by_id(found: list[Tally]) -> dict[str, Tally]:
    """Tallies as runs have them, by problem id."""
    return {str(i): tally for i, tally in enumerate(found)}


def fallen(rates: Rates, drop: float) -> Rates:
    """The rates after a drop of their mean, as one shift of all log-odds: bisection, not the product's code."""
    odds = special.logit(np.clip(rates, 1e-12, 1 - 1e-12))
    low, high = 0.0, 40.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (
            (middle, high)
            if special.expit(odds - middle).mean() > rates.mean() - drop
            else (low, middle)
        )
    return np.asarray(special.expit(odds - low))
