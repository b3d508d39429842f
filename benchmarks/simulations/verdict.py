"""How often is the verdict of a run against a published figure wrong, and how often does it find a difference?

A figure is drawn as a source would: k samples of each of the same problems, their mean printed to a
tenth of a point. Verdicts are asked of the test that the interval inverts, which says at 0 and at the
margins what the interval says of them. Beside them stand those of the rule before, computed here from
its formula: a normal interval with the variance that the run's shares have, called reproduced by
half its width, and an unstated k taken to be the run's own.

    python -m benchmarks.simulations.verdict              a quick look, under a minute
    python -m benchmarks.simulations.verdict --runs 250 --write    also into docs/paper-tables.md
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from benchmarks.simulations.populations import (
    AIME_MID,
    AIME_STRONG,
    GPQA,
    MATH,
    SATURATED,
    WEAK,
    Population,
    Rates,
    fallen,
)
from harness.reports.baselines.measured import Measured
from harness.reports.baselines.scores import UNSTATED_K
from harness.reports.baselines.verdict import Word, agreed, word_with
from harness.types import Tally

HEAD = (
    "population", "k of the run",
    "same model, figure of k = 64 / 16 / 1: differs", "rule before",
    "3 points apart: differs", "rule before",
    "3 points apart: reproduced", "rule before",
    "same model, k unstated, truly 64 / 16 / 4 / 1: differs", "rule before",
)  # fmt: skip
POPULATIONS = (AIME_MID, AIME_STRONG, GPQA, MATH, WEAK, *SATURATED[:4])
OURS = (4, 16, 64)
STATED = (64, 16, 1)
TRUTHS = (64, 16, 4, 1)
MARGIN = 0.03
QUICK = 100
PAGE = Path(__file__).parents[2] / "docs" / "paper-tables.md"
BEGIN, END = "<!-- verdict -->", "<!-- end of verdict -->"

_SURELY_NOT = 1.0  # standard errors: a test at 0 that is nearer than this does not exclude it
_SURELY_OUT = 1.3  # likewise of a margin that is nearer: the interval reaches beyond it


def table(runs: int, seed: int) -> list[list[str]]:
    """Percent of runs with a verdict at a margin of 3 points: the head, a row per population and k of the run.

    Args:
        runs: simulated runs of a population of 30 problems; a third as many of larger ones.
        seed: of everything drawn.
    """
    return [list(HEAD), *_rows(runs, seed)]


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    for number, population in enumerate(POPULATIONS):
        size = len(population.draw(np.random.default_rng(0)))
        for k in OURS:
            times = runs if size == 30 else max(1, runs // 3)
            found = counted(population, k, times, np.random.default_rng([seed, number, k]))
            cells = [
                " / ".join(f"{100 * found[kind, by, figure] / times:.1f}" for figure in figures)
                for kind, figures in (
                    ("same: differs", STATED),
                    ("apart: differs", STATED),
                    ("apart: reproduced", STATED),
                    ("unstated: differs", TRUTHS),
                )
                for by in ("now", "before")
            ]
            yield [population.name, str(k), *cells]


def counted(
    population: Population, k: int, runs: int, random: np.random.Generator
) -> Counter[tuple[str, str, int]]:
    """How often each verdict was given, by (kind, "now" or "before", the figure's true k).

    Args:
        population: of problems.
        k: samples per problem of the run.
        runs: how many.
        random: where the draws come from.
    """
    found: Counter[tuple[str, str, int]] = Counter()
    for _ in range(runs):
        rates = population.draw(random)
        other = moved(rates)
        same, apart = (tuple(sorted(random.binomial(k, r).tolist())) for r in (rates, other))
        for true_k in TRUTHS:
            figure = float(round(random.binomial(true_k, rates).mean() / true_k, 3))
            if true_k in STATED:
                for name, right in (("same", same), ("apart", apart)):
                    found[f"{name}: {word(right, k, figure, true_k)}", "now", true_k] += 1
                    found[f"{name}: {word_before(right, k, figure, true_k)}", "before", true_k] += 1
            words = [word(same, k, figure, end) for end in UNSTATED_K]
            found[f"unstated: {agreed(*words)}", "now", true_k] += 1
            found[f"unstated: {word_before(same, k, figure, k)}", "before", true_k] += 1
    return found


def moved(rates: Rates) -> Rates:
    """The rates after a fall of their mean by 3 points, or a rise where it is below 10 %."""
    return fallen(rates, MARGIN) if rates.mean() > 0.1 else 1 - fallen(1 - rates, MARGIN)


@lru_cache(maxsize=20_000)
def word(right: tuple[int, ...], k: int, figure: float, figure_k: int) -> Word:
    """The product's verdict, asked where it is not plain from how many standard errors there are.

    Args:
        right: right samples by problem.
        k: samples per problem.
        figure: as published.
        figure_k: its samples per problem.
    """
    value = sum(right) / k / len(right)
    ours = Measured(value, k, {str(i): Tally(k, n) for i, n in enumerate(right)})
    error = math.sqrt(ours.draw * (1 + k / figure_k) / k) if 0.05 < value < 0.95 else 0.0
    far = abs(value - figure)
    if far < _SURELY_NOT * error and MARGIN - far < _SURELY_OUT * error:
        return "underpowered"
    return word_with(ours, figure, figure_k, k, MARGIN)


def word_before(right: tuple[int, ...], k: int, figure: float, figure_k: int) -> Word:
    """The verdict of the rule before."""
    shares = [n / k for n in right]
    draw = math.fsum(p * (1 - p) for p in shares) * k / (k - 1) / len(right) ** 2
    half = 1.959964 * math.sqrt(draw / k + draw / figure_k + 0.001**2 / 12)
    if abs(math.fsum(shares) / len(right) - figure) > half:
        return "differs"
    return "reproduced" if half <= MARGIN else "underpowered"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=QUICK, help=f"{QUICK} by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    text = markdown(table(options.runs, options.seed))
    print(text)
    if options.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, end, after = rest.partition(END)
        if not end:
            raise SystemExit(f"{PAGE} has no marks {BEGIN} .. {END}")
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


def markdown(rows: list[list[str]]) -> str:
    """A table in Markdown; its first row is the head."""
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
