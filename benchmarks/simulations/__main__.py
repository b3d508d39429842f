"""Simulate what the statistics promise, and print or write the tables of docs/statistics.md.

    python -m benchmarks.simulations                      every table, under 10 minutes
    python -m benchmarks.simulations --only gate          one of them
    python -m benchmarks.simulations --write              also into docs/statistics.md
    python -m benchmarks.simulations --exhaustive         ten times the runs, by hand

Seeds are fixed: the same build prints the same tables. The populations and the oracles are this
folder's own; the tests, intervals and designs are the product's.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from benchmarks.simulations import early_stopping, gate, intervals

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
RUNS = 300


class Simulation(Protocol):
    """A module of this folder."""

    TITLE: str
    HEAD: Sequence[str]

    def table(self, runs: int, seed: int) -> list[list[str]]:
        """The rows of its table."""
        ...


SIMULATIONS = {"intervals": intervals, "gate": gate, "early_stopping": early_stopping}


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def written(page: str, name: str, text: str) -> str:
    """The page with the text between the marks of a simulation."""
    begin, end = f"<!-- {name}: python -m benchmarks.simulations -->\n", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    if end not in rest:
        raise SystemExit(f"{PAGE} has no marks of {name}: {begin.strip()} .. {end}")
    return before + begin + text + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulations",
                                     description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    parser.add_argument("--only", choices=tuple(SIMULATIONS), action="append")
    parser.add_argument("--exhaustive", action="store_true", help="ten times the runs")
    parser.add_argument("--runs", type=int, help=f"{RUNS} by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    options = parser.parse_args()
    runs = options.runs or RUNS * (10 if options.exhaustive else 1)
    noise = 200 * math.sqrt(0.05 * 0.95 / runs)
    for name in options.only or SIMULATIONS:
        simulation, began = cast("Simulation", SIMULATIONS[name]), time.process_time()
        rows = simulation.table(runs, options.seed)
        text = markdown(simulation.HEAD, rows)
        print(f"\n{simulation.TITLE} ({runs} runs a row, of large sets a third; two simulation "
              f"errors of 5 % are {noise:.1f} points)\n\n{text}\n"
              f"[{time.process_time() - began:.0f} s of CPU]", flush=True)  # fmt: skip
        if options.write:
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
