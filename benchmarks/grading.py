"""Our graders and every installed peer on the same shuffled pairs: speed, errors by kind of answer.

    python benchmarks/grading.py [PAIRS.jsonl] [--limit N] [--against CHECKOUT [--times 5]]

PAIRS (math_pairs.jsonl of HARNESS_TEST_DATA by default) holds rows with gold, prediction, task_kind, form and expected (true or false). Each grader
runs in a process of its own, on the pairs of mathematics, in the same random order; CPU time is
that of the process and of the workers it started. Prints a table of speed and errors.

--against measures another checkout beside this one, whose environment is in its .venv: the two grade by
turns, first all pairs, then the symbolic ones: those of tests/corpora/kinds/symbolic.yaml and of
match_faults.jsonl that the other checkout's exact stages leave to computer algebra.
"""

from __future__ import annotations

import argparse
import collections
import importlib.util
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Pair = dict[str, Any]
Compare = Callable[[Pair], bool]

_KINDS = (
    ("integers", ("off1", "near", "x100", "div100", "digits", "thousands", "pad", "decimal_tail")),
    (
        "fractions and decimals",
        ("frac", "decimal", "mixed", "recip", "num+1", "unary", "neg", "sci"),
    ),
    ("roots and constants", ("sqrt", "pi", "slash", "coef", "den", "inv", "cube")),
    ("tuples, sets, intervals", ("tup", "swap", "openclosed", "set", "union", "hedge")),
    ("matrices", ("mat", "bmatrix")),
    (
        "expressions, equations",
        ("term", "eq", "perm", "comm", "y_", "negate", "drop", "flip", "star"),
    ),
    ("units and bases", ("deg", "unit", "money", "base", "percent")),
    ("words and letters", ("text", "choice", "letter", "mathrm")),
)


def _ours() -> Compare:
    from harness.cli.match import match_row

    def compare(pair: Pair) -> bool:
        return bool(match_row(pair, kind="math", extract="lenient").verdict == "correct")

    return compare


def _math_verify() -> Compare:
    import logging

    from math_verify import parse, verify

    logging.disable(logging.CRITICAL)

    def compare(pair: Pair) -> bool:
        gold, prediction = pair["gold"], pair["prediction"].rpartition("</think>")[2]
        gold = gold if "$" in gold or "\\boxed" in gold else f"${gold}$"
        if pair["form"] == "answer" and "$" not in prediction:
            prediction = f"${prediction}$"
        return bool(verify(parse(gold), parse(prediction)))

    return compare


GRADERS: dict[str, tuple[str, Callable[[], Compare]]] = {
    "harness": ("harness", _ours),
    "math-verify": ("math_verify", _math_verify),
}
"""Name in the table: (module that must be installed, how its comparison is made)."""


def measure(name: str, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Run one grader over the pairs in this process."""
    compare = GRADERS[name][1]()
    compare(pairs[0])  # imports are paid once, whatever the number of pairs
    milliseconds: list[float] = []
    errors: collections.Counter[str] = collections.Counter()
    started, cpu_before = time.perf_counter(), _cpu_of_all()
    for pair in pairs:
        before = time.process_time()
        try:
            accepted = compare(pair)
        except Exception:
            accepted = False
            errors["raised"] += 1
        milliseconds.append((time.process_time() - before) * 1000)
        if accepted != pair["expected"]:
            sort = "false positives" if accepted else "false negatives"
            errors[sort] += 1
            errors[f"{kind_of(pair)}: {sort}"] += 1
    wall = time.perf_counter() - started
    return {
        "pairs": len(pairs),
        "median_ms": statistics.median(milliseconds),
        "p99_ms": statistics.quantiles(milliseconds, n=100)[98],
        "mean_ms": (_cpu_of_all() - cpu_before) * 1000 / len(pairs),
        "pairs_per_s": len(pairs) / wall,
        "mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "errors": dict(errors),
    }


def _cpu_of_all() -> float:
    """CPU seconds of this process and of those below it, the living ones too (Linux)."""
    ticks = os.sysconf("SC_CLK_TCK")
    total, waiting = time.process_time(), [os.getpid()]
    while waiting:
        pid = waiting.pop()
        try:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            waiting.append(child)
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / ticks
    return total


def kind_of(pair: Pair) -> str:
    """The kind of answer that a pair's rule is about."""
    rule = pair["rule"].lstrip("+-")
    for kind, starts in _KINDS:
        if rule.startswith(starts):
            return kind
    return "whole responses" if pair["form"] == "response" else "other answers"


def load(path: Path, limit: int | None) -> list[Pair]:
    """Scored pairs of mathematics in a random order that is the same each time."""
    with path.open(encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    pairs = [row for row in rows if row["task_kind"] == "math" and row["expected"] in (True, False)]
    random.Random(0).shuffle(pairs)
    return pairs[:limit]


def time_each(pairs: Sequence[Pair]) -> list[tuple[str, float]]:
    """(stage that settled it, wall seconds) of each pair, once the symbolic worker has started."""
    from harness.cli.match import match_row
    from harness.graders import sympy_client

    sympy_client.start()
    times = []
    for pair in pairs:
        started = time.perf_counter()
        found = match_row(pair, kind="math", extract=pair.get("extract", "lenient"))
        times.append((found.stage, time.perf_counter() - started))
    return times


def _times_of(python: Path, pairs: Sequence[Pair]) -> list[tuple[str, float]]:
    """`time_each` with the harness that another interpreter has installed."""
    done = subprocess.run([python, __file__, "--time-each"], input=json.dumps(pairs), check=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)  # fmt: skip
    return [(stage, seconds) for stage, seconds in json.loads(done.stdout)]


def compare_with(checkout: Path, pairs: Sequence[Pair], times: int) -> None:
    """Print pairs per second of this build and of another by turns, and their ratios."""
    new, old = Path(sys.executable), checkout / ".venv" / "bin" / "python"
    candidates = _symbolic_candidates()
    reach = [stage in ("symbolic", "undecided") for stage, _ in _times_of(old, candidates)]
    symbolic = [pair for pair, reaches in zip(candidates, reach, strict=True) if reaches]
    for name, rows in (("all pairs", pairs), ("symbolic pairs", symbolic)):
        ratios = []
        for _ in range(times):
            speeds = [len(rows) / sum(each for _, each in _times_of(python, rows))
                      for python in (new, old)]  # fmt: skip
            ratios.append(speeds[0] / speeds[1])
            print(f"{name} ({len(rows)}): new {speeds[0]:,.0f} per s, old {speeds[1]:,.0f},"
                  f" new over old {ratios[-1]:.2f}", flush=True)  # fmt: skip
        print(f"{name}, median: {statistics.median(ratios):.2f}\n", flush=True)


def _symbolic_candidates() -> list[Pair]:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.support.answer_kinds import kinds

    faults = Path(os.environ.get("HARNESS_TEST_DATA", "../shared/data")) / "match_faults.jsonl"
    rows: list[Pair] = []
    if faults.exists():
        with faults.open(encoding="utf-8") as lines:
            rows = [row for row in map(json.loads, lines) if row["task_kind"] == "math"]
    for kind in kinds()["symbolic"]:
        rows += [
            {"gold": gold, "prediction": text, "form": kind.form, "task_kind": "math"}
            for gold, text in (*kind.equal, *kind.different)
        ]
    return rows


def table(results: dict[str, dict[str, Any]]) -> str:
    """The comparison as Markdown."""
    head = "| grader | pairs/s | CPU ms median | p99 | mean | false negatives | false positives |"
    lines = [head, "|---|--:|--:|--:|--:|--:|--:|"]
    for name, result in results.items():
        errors = result["errors"]
        lines.append(
            f"| {name} | {result['pairs_per_s']:,.0f} | {result['median_ms']:.3f} |"
            f" {result['p99_ms']:.2f} | {result['mean_ms']:.3f} |"
            f" {errors.get('false negatives', 0)} | {errors.get('false positives', 0)} |"
        )
    return "\n".join(lines)


def errors_table(results: dict[str, dict[str, Any]]) -> str:
    """Errors by kind of answer as Markdown: false negatives / false positives."""
    kinds = sorted(
        {key.partition(":")[0] for r in results.values() for key in r["errors"] if ":" in key}
    )
    lines = ["| kind of answer | " + " | ".join(results) + " |", "|---|" + "--:|" * len(results)]
    for kind in kinds:
        cells = [
            f"{r['errors'].get(f'{kind}: false negatives', 0)} / {r['errors'].get(f'{kind}: false positives', 0)}"
            for r in results.values()
        ]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure each grader in a process of its own and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    data = Path(os.environ.get("HARNESS_TEST_DATA", "../shared/data"))
    parser.add_argument("pairs", type=Path, nargs="?", default=data / "math_pairs.jsonl")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--grader", choices=GRADERS, help=argparse.SUPPRESS)
    parser.add_argument("--against", type=Path, help="a checkout to measure beside this one")
    parser.add_argument("--times", type=int, default=5, help="with --against: runs of each")
    parser.add_argument("--time-each", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.time_each:
        print(json.dumps(time_each(json.load(sys.stdin))))
        return
    if options.against:
        pairs = load(options.pairs, options.limit)
        compare_with(options.against.resolve(), pairs, options.times)
        return
    if options.grader:
        print(json.dumps(measure(options.grader, load(options.pairs, options.limit))))
        return
    results = {}
    for name, (module, _) in GRADERS.items():
        if importlib.util.find_spec(module) is None:
            print(f"{name} is not installed: left out", file=sys.stderr)
            continue
        command = [sys.executable, __file__, *sys.argv[1:], "--grader", name]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        results[name] = json.loads(done.stdout.splitlines()[-1])
    print(f"{next(iter(results.values()))['pairs']} pairs, shuffled, one process each\n")
    print(table(results), end="\n\n")
    print(errors_table(results))


if __name__ == "__main__":
    main()
