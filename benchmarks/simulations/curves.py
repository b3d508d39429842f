"""Curves over k: are their errors those of repeated sampling, and what does a long curve cost? Seeded.

Thirty problems with rates like AIME's; a wrong sample abstains or gives one of six wrong answers, some
of which compete with the right one. Every run of the model draws n samples of each problem anew. The
spread of the values over the runs is the truth, and the errors that the curves state are held against
it: the ratio of the mean stated variance to it, and how often the 95 % sampling interval holds the
mean over all runs.

    python -m benchmarks.simulations.curves               both tables, under a minute
    python -m benchmarks.simulations.curves --runs 2000   a closer look
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable, Sequence
from statistics import fmean, pvariance

import numpy as np

from harness.stats.curves import Point, cons_curve, figure_ks, pass_curve
from harness.stats.metrics import cons_at
from harness.types import Tally, Vote

PROBLEMS, WRONG = 30, 6
HEADER = ["curve", "n", "k", "value", "stated / true variance", "95 % interval holds"]
COST_HEADER = ["what", "CPU seconds"]


class Population:
    """Problems with a chance of each answer: the right one, six wrong ones, none."""

    def __init__(self, random: np.random.Generator) -> None:
        rates = random.beta(0.9, 0.7, size=PROBLEMS)
        others = random.dirichlet(np.full(WRONG, 0.4), size=PROBLEMS) * (1 - rates[:, None]) * 0.9
        rest = 1 - rates - others.sum(axis=1)
        self.chances = np.column_stack([rates, others, rest])

    def draw(self, n: int, random: np.random.Generator) -> list[Tally]:
        """One run: n samples of each problem."""
        tallies = []
        for row in random.multinomial(n, self.chances).tolist():
            votes = [Vote(count, count if i == 0 else 0) for i, count in enumerate(row[:-1])]
            tallies.append(Tally(n, row[0], tuple(vote for vote in votes if vote.count)))
        return tallies


def table(runs: int, seed: int) -> list[list[str]]:
    """A row per curve, n and k: how well the stated sampling errors hold.

    Args:
        runs: of the model, for each n.
        seed: of the problems and the draws.
    """
    random = np.random.default_rng(seed)
    population = Population(random)
    rows = [HEADER]
    for n, ks in ((16, [1, 4, 8, 16]), (64, [1, 4, 16, 32, 48, 64])):
        drawn = [population.draw(n, random) for _ in range(runs)]
        for name, curve in (("pass@k", pass_curve), ("cons@k", cons_curve)):
            points = [curve(tallies, ks) for tallies in drawn]
            rows += [_row(name, n, [run[i] for run in points]) for i in range(len(ks))]
    return rows


def _row(name: str, n: int, points: Sequence[Point]) -> list[str]:
    values = [point.value for point in points]
    true, truth = pvariance(values), fmean(values)
    stated = fmean((point.se_sampling or 0.0) ** 2 for point in points)
    held = fmean(
        point.interval_sampling is not None
        and point.interval_sampling.low <= truth <= point.interval_sampling.high
        for point in points
    )
    ratio = f"{stated / true:.2f}" if true else "none"
    return [name, str(n), str(points[0].k), f"{truth:.3f}", ratio, f"{100 * held:.1f} %"]


def cost(seed: int) -> list[list[str]]:
    """What 10,000 samples of each of 30 problems take, measured once each."""
    random = np.random.default_rng(seed)
    n = 10_000
    tallies = Population(random).draw(n, random)
    ones = (Vote(1, 0),) * 1_000
    split = Tally(n, 3_100, (Vote(3_100, 3_100), Vote(3_000, 0), Vote(2_900, 0), *ones))
    jobs: list[tuple[str, Callable[[], object]]] = [
        (f"pass@k for every k, n = {n:,} x 30, intervals included", lambda: pass_curve(tallies)),
        ("cons@k of the 124 points of a figure, likewise",
         lambda: cons_curve(tallies, figure_ks(n))),
        ("cons@5000 of one problem, three answers and 1,000 of one sample each",
         lambda: cons_at(5_000).value(split)),
        ("its variance, by jackknife", lambda: cons_at(5_000).variance(split)),
        ("the variance of cons@10000, a bound", lambda: cons_at(n).variance(split)),
    ]  # fmt: skip
    rows = [COST_HEADER]
    for name, job in jobs:
        start = time.process_time()
        job()
        rows.append([name, f"{time.process_time() - start:.3f}"])
    return rows


def memory(seed: int) -> float:
    """The most that a figure of both curves takes, in MiB, for 10,000 samples of 30 problems."""
    tallies = Population(np.random.default_rng(seed + 1)).draw(10_000, np.random.default_rng(seed))
    tracemalloc.start()
    for curve in (pass_curve, cons_curve):
        curve(tallies, figure_ks(10_000)[::12])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    """Print both tables as Markdown, and the memory."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=200, help="simulated runs for each n")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for rows in (table(options.runs, options.seed), cost(options.seed)):
        print("| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
        for row in rows[1:]:
            print("| " + " | ".join(row) + " |")
        print()
    print(f"at most {memory(options.seed):.0f} MiB")


if __name__ == "__main__":
    main()
