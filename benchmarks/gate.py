"""Do the intervals cover, and does the gate keep its word? Simulated nights, seeded.

The per-problem rates are those of real runs: benchmarks/rates.json holds how many of 16 samples
the practice checkpoints had right on each practice problem, and where HARNESS_TEST_DATA names a
folder with math_responses_100x8.jsonl its 100 problems with 8 published responses each are a pool
too. A setting draws its problems from a pool, each with a rate from its posterior, since a share
of 16 of 16 is no rate of 1.

    python benchmarks/gate.py               coverage, gate and sequential gate (about 15 minutes)
    python benchmarks/gate.py --nights 200  a quick look
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

import numpy as np

from harness.stats import sequential
from harness.stats.intervals import problems_interval, rate_variances, sampling_interval
from harness.stats.paired_test import compare, holm
from harness.stats.power import detectable_drop, fit_rates, lowered, posterior_rates
from harness.types import Tally

RATES = Path(__file__).with_name("rates.json")
PUBLISHED = Path(
    os.environ.get("HARNESS_TEST_DATA", "../shared/data"), "math_responses_100x8.jsonl"
)

SETTINGS = (
    ("AIME-like, 30", 30, (1, 4, 16, 64),
     ("practice_math early", "practice_integer middle", "practice_integer late",
      "practice_choice late")),
    ("GPQA-like, 198", 198, (8,), ("practice_math middle", "practice_choice middle")),
    ("MATH-500-like, 500", 500, (4,), ("published MATH", "practice_code late")),
)  # fmt: skip
"""(name, problems, k, pools)"""


def pools() -> dict[str, list[Tally]]:
    """Right samples of each problem, by run."""
    found = {
        name: [Tally(row["n"], right) for right in row["correct"]]
        for name, row in json.loads(RATES.read_text()).items()
    }
    if PUBLISHED.exists():
        rows = [json.loads(line)["published_verdicts"] for line in PUBLISHED.open()]
        found["published MATH"] = [Tally(len(row), sum(row)) for row in rows]
    return found


def draw_problems(pool: list[Tally], m: int, random: np.random.Generator) -> np.ndarray:
    """True rates of m problems like those of the pool."""
    prior = fit_rates(pool)
    chosen = [pool[i] for i in random.integers(0, len(pool), m)]
    return random.beta(
        [prior.a + t.correct for t in chosen], [prior.b + t.n - t.correct for t in chosen]
    )


def pool_mean(pool: list[Tally]) -> float:
    """The mean rate of all problems like those of the pool."""
    prior = fit_rates(pool)
    return fmean((prior.a + t.correct) / (prior.a + prior.b + t.n) for t in pool)


def run_of(right: np.ndarray, k: int) -> dict[str, Tally]:
    """A run's tallies from its right samples."""
    return {str(i): Tally(k, int(c)) for i, c in enumerate(right)}


def settings(known: dict[str, list[Tally]]) -> Iterator[tuple[str, int, int, list[Tally]]]:
    """(label, problems, k, pool) of every setting whose pool is at hand."""
    for name, m, ks, wanted in SETTINGS:
        for pool in wanted:
            if pool not in known:
                print(f"# no {pool}: HARNESS_TEST_DATA names no folder with {PUBLISHED.name}")
                continue
            for k in ks:
                yield f"{name} x {k}, {pool} ({pool_mean(known[pool]):.2f})", m, k, known[pool]


def coverage(known: dict[str, list[Tally]], nights: int, random: np.random.Generator) -> None:
    """Share of nights on which each 95 % interval holds the truth."""
    print(f"\n95 % intervals: share that holds the truth, in percent of {nights} nights")
    print("the new model has lost half a unit of log-odds on every problem in the last two columns")
    head = ("sampling", "problems", "paired, sampling", "paired, problems",
            "drop, sampling", "drop, problems")  # fmt: skip
    print(f"{'setting':58}" + "".join(f"{name:>18}" for name in head))
    for label, m, k, pool in settings(known):
        held = np.zeros((len(head), 2))
        truth, truth_lower = pool_mean(pool), lower(draw_problems(pool, 400_000, random)).mean()
        for _ in range(nights):
            rates = draw_problems(pool, m, random)
            worse = lower(rates)
            base, same, new = (run_of(random.binomial(k, r), k) for r in (rates, rates, worse))
            tallies = list(base.values())
            shares = [t.correct / t.n for t in tallies]
            equal, fallen = compare(base, same), compare(base, new)
            for i, (interval, true) in enumerate((
                (sampling_interval(shares, rate_variances(tallies), [k] * m), rates.mean()),
                (problems_interval(shares), truth),
                (equal.interval_sampling, 0.0),
                (equal.interval_problems, 0.0),
                (fallen.interval_sampling, worse.mean() - rates.mean()),
                (fallen.interval_problems, truth_lower - truth),
            )):  # fmt: skip
                if interval is not None:
                    held[i] += interval.low <= true <= interval.high, 1
        cells = (f"{100 * inside / all:.1f}" if all else "-" for inside, all in held)
        print(f"{label:58}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


def lower(rates: np.ndarray) -> np.ndarray:
    """The rates after a loss of half a unit of log-odds."""
    odds = np.exp(np.log(rates) - np.log1p(-np.minimum(rates, 1 - 1e-12)) - 0.5)
    return odds / (1 + odds)


def gate(known: dict[str, list[Tally]], nights: int, random: np.random.Generator) -> None:
    """False alarms and power of both gates, and what interim analyses save."""
    print(f"\nthe gate at 5 %, {nights} nights a row; two simulation errors of a false-alarm rate "
          f"are {200 * math.sqrt(0.05 * 0.95 / nights):.1f} points")  # fmt: skip
    print("alarms where nothing changed / at the drop that plan promises / at twice that drop, in "
          "percent; share of the fixed gate's samples; bias of the mean at the stop and coverage of "
          "its confidence sequence, in points and percent")  # fmt: skip
    print(f"{'setting':58}{'promised':>9}{'fixed gate':>22}{'sequential':>22}{'samples':>22}"
          f"{'bias':>18}{'covered':>9}")  # fmt: skip
    for label, m, k, pool in settings(known):
        rows = [night(pool, m, k, random) for _ in range(nights)]
        promised = fmean(row["promised"] for row in rows)
        fixed, early, share, bias = (
            " / ".join(f"{100 * fmean(row[what][i] for row in rows):.1f}" for i in range(3))
            for what in ("fixed", "sequential", "share", "bias")
        )
        if k == 1:
            early = share = bias = covered = "-"
        else:
            covered = f"{100 * fmean(fmean(row['covered']) for row in rows):.1f}"
        print(f"{label:58}{100 * promised:9.1f}{fixed:>22}{early:>22}{share:>22}{bias:>18}"
              f"{covered:>9}", flush=True)  # fmt: skip


def night(pool: list[Tally], m: int, k: int, random: np.random.Generator) -> dict[str, object]:
    """One base run and three new ones: as good, worse by the promised drop, by twice that."""
    rates = draw_problems(pool, m, random)
    base = run_of(random.binomial(k, rates), k)
    promised = detectable_drop(posterior_rates(list(base.values())), k, k)
    design = sequential.Design.against(base, k, margin=promised) if k > 1 else None
    found: dict[str, list[float]] = {
        name: [] for name in ("fixed", "sequential", "share", "bias", "covered")
    }
    for times in (0, 1, 2):
        drop = min(times * promised, rates.mean() * 0.98)
        now = lowered(rates[:, None], drop)[:, 0]
        draws = random.random((k, m)) < now
        found["fixed"].append(compare(base, run_of(draws.sum(axis=0), k)).p_drop <= 0.05)
        if design is None:
            stopped = (0.0, 0.0, 0.0, 0.0)
        else:
            analysis = first_decision(design, base, draws)
            stopped = (analysis.decision == "regression", analysis.round / k, analysis.score - now.mean(),
                       analysis.interval.low <= now.mean() <= analysis.interval.high)  # fmt: skip
        for name, value in zip(("sequential", "share", "bias", "covered"), stopped, strict=True):
            found[name].append(value)
    return {"promised": promised, **found}


def first_decision(
    design: sequential.Design, base: dict[str, Tally], draws: np.ndarray
) -> sequential.InterimAnalysis:
    """Analyse after every round until one decides."""
    right = np.zeros(draws.shape[1], dtype=int)
    for number, drawn in enumerate(draws, 1):
        right += drawn
        analysis = sequential.analyse(design, base, run_of(right, number), number)
        if analysis.decision is not None:
            return analysis
    raise AssertionError("the last analysis decides")


def several(known: dict[str, list[Tally]], nights: int, random: np.random.Generator) -> None:
    """False alarms of a gate over four tasks at once, with Holm's correction."""
    alarms = 0
    for _ in range(nights):
        p_values = []
        for name in ("integer", "math", "choice", "code"):
            rates = draw_problems(known[f"practice_{name} middle"], 40, random)
            base, new = (run_of(random.binomial(16, rates), 16) for _ in range(2))
            p_values.append(compare(base, new).p_drop)
        alarms += min(holm(p_values)) <= 0.05
    print(f"\nfour tasks, 40 problems x 16, Holm: a false alarm on {100 * alarms / nights:.1f} % of "
          f"{nights} nights")  # fmt: skip


def main() -> None:
    """Run what was asked for and print it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nights", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("coverage", "gate", "several"))
    options = parser.parse_args()
    known = pools()
    for name, part in (("coverage", coverage), ("gate", gate), ("several", several)):
        if options.only in (None, name):
            part(known, options.nights, np.random.default_rng(options.seed))


if __name__ == "__main__":
    main()
