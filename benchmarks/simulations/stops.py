"""How long `--until decided` takes where nothing changed, as a share of the fixed number of samples. Seeded.

One task alone, every lane equally fast whatever the others hold, with the lengths of `reasoning` and
`heavier` of benchmarks/makespan.py. Both the fixed number of
samples and the stages are drawn by `harness.pipeline.stages`, the analyses lie where
a run puts them by the lengths of the base's samples, and `harness.stats.sequential` decides. A problem's rate is drawn from a mixture (easy, open, hard), and
hard problems have longer samples. The margin is 5 points, or the next whole point that k samples see
with power 0.8 against a base of as many. Given are the time until the decision and the samples that were
analysed, as shares of the fixed run's; the bound is the longest of two samples of each problem, which
no analysis can do without.

    python -m benchmarks.simulations --only stops --runs 20
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median

import numpy as np

from harness.pipeline.pending import Place, Plan
from harness.pipeline.schedule import Lengths
from harness.pipeline.stages import Counts, Stages
from harness.pipeline.timeline import Timeline, play
from harness.stats.allocation import counts_at, neyman, uniform
from harness.stats.design import Design
from harness.stats.power import detectable_drop
from harness.stats.rates import posterior_rates
from harness.stats.sequential import decide
from harness.types import Tally
from harness.workflows.early_stopping import place_analyses

HEAD = ("exam", "lengths", "lanes", "base", "samples by", "time, median", "mean", "samples, mean",
        "bound")  # fmt: skip
CAP = 32_768
EXAMS = (("AIME, 30", 30, 16), ("AIME, 30", 30, 64), ("GPQA, 198", 198, 8))
TYPICAL = 10_000  # tokens
STOP_LANES = (64, 256)
TASK = "exam"
RATES = ((0.35, 12, 0.6), (0.4, 1.6, 1.4), (0.25, 0.6, 6))  # share of the problems, and their Beta


@dataclass(frozen=True)
class Exam:
    """A base and a new run of the same model: by problem its samples' lengths, and how many are right.

    `base` has four times the samples of the new run, the first k of which are a smaller base.
    """

    k: int
    base: np.ndarray  # (problems, 4 k), bool
    base_lengths: np.ndarray
    new: np.ndarray  # (problems, as many as any allocation asks for), bool
    new_lengths: np.ndarray

    @classmethod
    def draw(cls, problems: int, k: int, spreads: tuple[float, float],
             random: np.random.Generator) -> Exam:  # fmt: skip
        """Rates and lengths of new problems, and the samples of both runs."""
        between, within = spreads
        parts = random.choice(len(RATES), problems, p=[share for share, *_ in RATES])
        rates = random.beta(*np.array([(a, b) for _, a, b in RATES])[parts].T)
        hard = -np.argsort(np.argsort(rates)) / problems  # -1 to 0, evenly
        z = 0.6 * (hard + 0.5) * math.sqrt(12) + 0.8 * random.standard_normal(problems)
        centres = math.log(TYPICAL) - (between**2 + within**2) / 2 + between * z

        def run(n: int) -> tuple[np.ndarray, np.ndarray]:
            right = random.random((problems, n)) < rates[:, None]
            lengths = np.exp(centres[:, None] + within * random.standard_normal((problems, n)))
            return right, np.minimum(CAP, np.ceil(lengths))

        return cls(k, *run(4 * k), *run(16 * k))

    def ids(self) -> list[str]:
        """The problems."""
        return [str(number) for number in range(len(self.base))]

    def tallies(self, right: np.ndarray, counts: Counts) -> dict[str, Tally]:
        """The first samples of each problem."""
        return {id: Tally(counts[id], int(row[: counts[id]].sum()))
                for id, row in zip(self.ids(), right, strict=True)}  # fmt: skip

    def plan(self, asked: Counts) -> Plan:
        """All samples of the new run, and the lengths that the base tells."""
        measured: Lengths[Place] = Lengths()
        for id, row in zip(self.ids(), self.base_lengths, strict=True):
            for tokens in row:
                measured.record((TASK, id), int(tokens))
        lengths: Lengths[Place] = Lengths()
        lengths.assume_measured(measured)
        return Plan({(TASK, id): range(asked[id]) for id in self.ids()}, lengths, {})

    def length(self, place: Place, index: int) -> float:
        """The tokens of a sample of the new run."""
        return float(self.new_lengths[int(place[1]), index])


def stop(exam: Exam, lanes: int, times: int, *, by_history: bool) -> tuple[float, float, float]:
    """Time and samples until the decision, as shares of those of k samples each, and the bound.

    Args:
        exam: both runs.
        lanes: samples drawn at once.
        times: samples of the base, in k.
        by_history: allocate the new run's samples by the base's.
    """
    each = uniform(exam.ids(), exam.k)
    fixed = play(Stages(exam.plan(each), {TASK: [each]}), exam.length, lanes)[TASK][-1]
    small = exam.tallies(exam.base, each)
    detectable = detectable_drop(posterior_rates(list(small.values())), exam.k, exam.k)
    margin = max(0.05, math.ceil(100 * detectable) / 100)
    base = exam.tallies(exam.base, uniform(exam.ids(), times * exam.k))
    asked = neyman(base, exam.k * len(exam.base)) if by_history else each
    plan, against = exam.plan(asked), partial(Design.against, base, asked, margin=margin)
    placed = place_analyses(TASK, lambda shares: against(shares=shares), {TASK: asked},
                   timeline=Timeline.of(plan, lanes, {TASK: CAP}), others={})  # fmt: skip
    design = against(shares=placed)
    ends = [counts_at(asked, share) for share in placed]

    def decided(_: str, stage: int) -> bool:
        new = exam.tallies(exam.new, ends[stage - 1])
        return decide(design, base, new, stage) is not None

    found = play(Stages(plan, {TASK: ends}), exam.length, lanes, decided)[TASK]
    samples = sum(ends[len(found) - 1].values()) / sum(each.values())
    return found[-1] / fixed, samples, float(exam.new_lengths[:, :2].max()) / fixed


def table(runs: int, seed: int) -> list[list[str]]:
    """A head, and one row per exam, lengths, lanes, base and allocation.

    Args:
        runs: exams of each row.
        seed: of the first one; the others follow.
    """
    return [list(HEAD), *_rows(runs, seed)]


def _rows(runs: int, seed: int) -> Iterator[list[str]]:
    for name, problems, k in EXAMS:
        for lengths, spreads in (("reasoning", (0.6, 0.4)), ("heavier", (0.9, 0.6))):
            for lanes in STOP_LANES:
                for times, by_history in ((1, False), (4, False), (4, True)):
                    found = [
                        stop(Exam.draw(problems, k, spreads, np.random.default_rng(seed + number)),
                             lanes, times, by_history=by_history)
                        for number in range(runs)
                    ]  # fmt: skip
                    times_to, samples, bounds = zip(*found, strict=True)
                    yield [f"{name} x {k}", lengths, str(lanes), f"{times} k",
                           "history" if by_history else "problem", f"{median(times_to):.2f}",
                           f"{fmean(times_to):.2f}", f"{fmean(samples):.2f}",
                           f"{median(bounds):.2f}"]  # fmt: skip
