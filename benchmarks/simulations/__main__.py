"""Simulate what the statistics promise, and print or write the tables of the docs.

    python -m benchmarks.simulations                      every table, under 10 minutes
    python -m benchmarks.simulations --only gate          one of them
    python -m benchmarks.simulations --write              also into the pages of docs that hold them
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
from types import ModuleType

from benchmarks.simulations import (
    choice_orders,
    clusters,
    curves,
    early_stopping,
    gate,
    incomplete,
    intervals,
    nights,
    plan,
    rating,
    same_model,
    site,
    stops,
    sweep,
    verdict,
)

DOCS = Path(__file__).parents[2] / "docs"

SIMULATIONS: Mapping[str, tuple[ModuleType, int]] = {
    "intervals": (intervals, 300),
    "gate": (gate, 300),
    "early_stopping": (early_stopping, 60),
    "curves": (curves, 150),
    "verdict": (verdict, 80),
    "clusters": (clusters, 300),
    "incomplete": (incomplete, 30),
    "sweep": (sweep, 30),
    "choice_orders": (choice_orders, 60),
    "rating": (rating, 8),
    "same_model": (same_model, 10),
    "nights": (nights, 2),
    "site": (site, 2),
    "plan": (plan, 1),
    "stops": (stops, 1),
}
"""By name, the module and the runs that fit into its part of ten minutes."""

_STATISTICS = DOCS / "statistics.md"

WRITTEN: Mapping[str, Path] = {
    "intervals": _STATISTICS,
    "gate": _STATISTICS,
    "early_stopping": _STATISTICS,
    "curves": _STATISTICS,
    "same_model": DOCS / "provider-check.md",
}
"""The pages that hold their tables; the other simulations say where theirs stand."""


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
        raise SystemExit(f"no marks of {name} in the page: {begin.strip()} .. {end}")
    return before + begin + text + "\n" + end + rest.partition(end)[2]


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulations",
                                     description=(__doc__ or "").partition("\n")[0])  # fmt: skip
    parser.add_argument("--only", choices=tuple(SIMULATIONS), action="append")
    parser.add_argument("--exhaustive", action="store_true", help="ten times the runs")
    parser.add_argument("--runs", type=int, help="in place of each simulation's own number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="into the pages that hold tables")
    options = parser.parse_args()
    for name in options.only or SIMULATIONS:
        simulation, quick = SIMULATIONS[name]
        began, runs = time.process_time(), options.runs or quick * (10 if options.exhaustive else 1)
        text = markdown(simulation.table(runs, options.seed))
        noise = 200 * math.sqrt(0.05 * 0.95 / runs)
        print(f"\n{name}: {(simulation.__doc__ or '').partition(chr(10))[0]}\n{runs} runs, two "
              f"simulation errors of 5 % are {noise:.1f} points; "
              f"{time.process_time() - began:.0f} s of CPU\n\n{text}", flush=True)  # fmt: skip
        if options.write and name in WRITTEN:
            page = WRITTEN[name]
            page.write_text(written(page.read_text(encoding="utf-8"), name, text), encoding="utf-8")


if __name__ == "__main__":
    main()
