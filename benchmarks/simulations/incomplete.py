"""What a comparison says where a base lacks its slowest samples: false regressions before and after.

A run that is killed lacks the samples that were still in flight: the longest. Wrong samples are
about twice as long as right ones and hard problems take longer, so the mean over the rest is too
high. Each line draws both runs from the same rates, takes the longest share of the base's samples
away, and asks how often that is called a regression: by the test on what is there (`as it is`), and
by the harness (`exit 1`), which lets a regression count only where it stands with every missing
sample of the base counted as wrong. The last two columns are for a new run that is truly 10 points
worse: how often the complete runs show it, and how often the runs as they are.

    python -m benchmarks.simulations --only incomplete
"""

from __future__ import annotations

from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.stats.gate import Case, rule
from harness.stats.paired_test import compare
from harness.stats.power import ALPHA
from harness.stats.rates import lowered
from harness.types import Tally
from harness.workflows.shortfall import Shortfall, Sides, filled, stands

HEAD = [
    "population",
    "missing",
    "nothing changed, as it is",
    "exit 1",
    "drop of 10, complete",
    "exit 1",
]
SHARES = (0.05, 0.1, 0.2)
POPULATIONS = (("AIME-like, 30 x 16", 30, 16), ("GPQA-like, 100 x 8", 100, 8))
DROP = 0.1  # of the runs that are truly worse
_EVERY = 8  # of so many pairs one is compared as it is: unequal numbers of samples take long
_SPREAD = 0.6  # of the logarithm of lengths within a problem
_WRONG = 0.7  # wrong samples are exp(0.7), twice, as long
_HARD = 0.25  # and problems one logit harder exp(0.25) times


def table(runs: int, seed: int) -> list[list[str]]:
    """One row for each population and share that is missing, after the head."""
    random = np.random.default_rng(seed)
    rows = [HEAD]
    for name, m, k in POPULATIONS:
        for share in SHARES:
            same, worse = [], []
            for number in range(runs):
                rates = random.beta(1.1, 0.9, m)
                same.append(_pair(rates, rates, k, share, random))
                if number % _EVERY == 0:
                    worse.append(
                        _pair(rates, lowered(rates[:, None], DROP)[:, 0], k, share, random)
                    )
            found = (
                fmean(_significant(pair.case) for pair in same[::_EVERY]),
                fmean(_exits(pair) for pair in same),
                fmean(_significant(pair.complete) for pair in worse),
                fmean(_exits(pair) for pair in worse),
            )
            rows.append([name, f"{share:.0%}", *(f"{value:.1%}" for value in found)])
    return rows


class Pair(NamedTuple):
    """Two runs: as they would be complete, what is there of them, and what is missing."""

    complete: Case
    case: Case
    sides: Sides


def _pair(
    base: NDArray[np.float64],
    new: NDArray[np.float64],
    k: int,
    share: float,
    random: np.random.Generator,
) -> Pair:
    right = random.random((len(base), k)) < base[:, None]
    logit = np.log(base / (1 - base))[:, None]
    length = _SPREAD * random.standard_normal(right.shape) + _WRONG * ~right - _HARD * logit
    there = length <= np.quantile(length, 1 - share)
    now = {str(i): Tally(k, int(c)) for i, c in enumerate(random.binomial(k, new))}
    whole, found = (
        {str(i): Tally(int(n), int(c)) for i, (n, c) in
         enumerate(zip(kept.sum(1), (right & kept).sum(1), strict=True)) if n}
        for kept in (np.ones_like(there), there)
    )  # fmt: skip
    missing = {str(i): int(n) for i, n in enumerate((~there).sum(1)) if n}
    lacking, nothing = (Shortfall(run=Path("run"), missing=row, words="", fix="")
                        for row in (missing, {}))  # fmt: skip
    return Pair(
        Case(task="task", base=whole, new=now),
        Case(task="task", base=found, new=now),
        (lacking, nothing),
    )


def _significant(case: Case) -> bool:
    return compare(case.base, case.new).p_drop <= ALPHA


def _exits(pair: Pair) -> bool:
    """Whether `harness compare` exits 1; what is quick to compute comes first."""
    return (
        _significant(filled(pair.case, pair.sides, right=True))
        and _significant(pair.case)
        and stands([pair.case], {"task": pair.sides}, rule([pair.case]))["task"].drop
    )
