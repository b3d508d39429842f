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
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, cast

from benchmarks.simulations import curves, early_stopping, gate, intervals

PAGE = Path(__file__).parents[2] / "docs" / "statistics.md"
RUNS = 300


class Simulation(Protocol):
    """A module of this folder."""

    __doc__: str | None

    def table(self, runs: int, seed: int) -> list[list[str]]:
        """Its table, the head first."""
        ...


SIMULATIONS: Mapping[str, tuple[Simulation, float]] = {
    "intervals": (cast("Simulation", intervals), 1.0),
    "gate": (cast("Simulation", gate), 1.0),
    "early_stopping": (cast("Simulation", early_stopping), 0.2),
    "curves": (cast("Simulation", curves), 0.5),
}
"""By name, the module and the share of the runs that fits into its part of the time."""


def markdown(table: Sequence[Sequence[str]]) -> str:
    """A table in Markdown; its first row is the head."""
    head, *rows = table
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
    asked = options.runs or RUNS * (10 if options.exhaustive else 1)
    for name in options.only or SIMULATIONS:
        simulation, share = SIMULATIONS[name]
        began, runs = time.process_time(), max(1, round(share * asked))
        text = markdown(simulation.table(runs, options.seed))
        noise = 200 * math.sqrt(0.05 * 0.95 / runs)
        print(f"\n{name}: {(simulation.__doc__ or '').partition(chr(10))[0]}\n{runs} runs, two "
              f"simulation errors of 5 % are {noise:.1f} points; "
              f"{time.process_time() - began:.0f} s of CPU\n\n{text}", flush=True)  # fmt: skip
        if options.write:
            PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
