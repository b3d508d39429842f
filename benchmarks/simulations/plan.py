"""How right are the hours of `harness plan`? Simulated schedules, seeded.

An earlier run tells each problem's lengths and rates; `harness plan` takes its hours from them, as it does from
a run folder. Then a new run of the same model is drawn, sample by sample, in lanes that are equally
fast: with a fixed number of samples, and until the sequential test decides. The exams, their lengths
and the schedule are those of `benchmarks/simulations/stops.py`. `tokens / speed` is the plan that knows neither
lanes nor lengths.

Given are planned hours over simulated ones: of the fixed number the median and the worst of the runs,
of until decided, which ends at another analysis each time, the means over all runs. The margin is 5 points,
or the next whole point that k samples see with power 0.8.

    python -m benchmarks.simulations --only plan
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from functools import partial

import numpy as np

from benchmarks.simulations.stops import CAP, EXAMS, STOP_LANES, TASK, TYPICAL, Exam
from harness.pipeline.stages import Counts, Stages
from harness.pipeline.timeline import Timeline, play
from harness.stats.allocation import counts_at, uniform
from harness.stats.design import Design
from harness.stats.power import ALPHA, detectable_drop
from harness.stats.rates import posterior_rates
from harness.stats.sequential import analyse
from harness.workflows.early_stopping import place_analyses
from harness.workflows.plan_decided import Allocation, Question, allocate, until_decided
from harness.workflows.plan_inputs import PlanInputs
from harness.workflows.plan_time import Clock, Lanes, SampleLengths

NEW_RUNS = 8  # of each exam
SPREADS = {"reasoning": (0.6, 0.4), "heavier": (0.9, 0.6)}
ALLOCATIONS: tuple[Allocation, ...] = ("uniform", "history")


def inputs_of(exam: Exam) -> PlanInputs:
    """What `harness plan` takes from a run folder with the base's first k samples."""
    each = uniform(exam.ids(), exam.k)
    known = exam.tallies(exam.base, each)
    measured = exam.base_lengths[:, : exam.k]
    logarithms = np.log(measured)
    lengths = SampleLengths(
        dict(zip(exam.ids(), measured.mean(axis=1).tolist(), strict=True)),
        float(np.sqrt(logarithms.var(axis=1, ddof=1).mean())),
        CAP,
    )
    return PlanInputs(task=TASK, ids=tuple(exam.ids()), rates=posterior_rates(list(known.values())),
                      k=exam.k, lengths=lengths, origin="simulated", known=known)  # fmt: skip


def ratios(exam: Exam, lanes: int) -> Mapping[str, tuple[float, float]]:
    """Planned and simulated time of one exam, in tokens of one lane, by what is drawn."""
    inputs, k = inputs_of(exam), exam.k
    each = uniform(inputs.ids, k)
    fixed = play(Stages(exam.plan(each), {TASK: [each]}), exam.length, lanes)[TASK][-1]
    clock = Clock.of({TASK: inputs.lengths}, Lanes(lanes, 1 / 3600))
    stated = Clock.of({TASK: SampleLengths.assumed(inputs.ids, TYPICAL, CAP)},
                      Lanes(lanes, 1 / 3600))  # fmt: skip
    if clock is None or stated is None or inputs.lengths is None:
        raise AssertionError("all of it is known")
    found = {
        "tokens / speed": (inputs.lengths.tokens(each) / lanes, fixed),
        "fixed": (clock.whole({TASK: each}), fixed),
        "fixed, stated length": (stated.whole({TASK: each}), fixed),
    }
    margin = max(0.05, math.ceil(100 * detectable_drop(inputs.rates, k, k)) / 100)
    for allocation in ALLOCATIONS:
        planned = until_decided(inputs, k, k, allocation, Question(margin=margin, alpha=ALPHA),
                                clock=clock)  # fmt: skip
        if planned is None or planned.hours is None:
            raise AssertionError("k is 2 or more")
        asked = allocate(inputs, k, allocation)
        found[f"decided, {allocation}"] = planned.hours, decided(exam, lanes, asked, margin)
    return found


def decided(exam: Exam, lanes: int, asked: Counts, margin: float) -> float:
    """Time until the decision, in tokens of one lane; the mean of several new runs of one model.

    When a stage ends does not depend on what is right, so that the stages are drawn once.
    """
    base = exam.tallies(exam.base, uniform(exam.ids(), exam.k))
    plan, against = exam.plan(asked), partial(Design.against, base, asked, margin=margin)
    placed = place_analyses(TASK, lambda shares: against(shares=shares), {TASK: asked},
                   timeline=Timeline.of(plan, lanes, {TASK: CAP}), others={})  # fmt: skip
    design = against(shares=placed)
    stages = [counts_at(asked, share) for share in placed]
    ends = play(Stages(plan, {TASK: stages}), exam.length, lanes)[TASK]
    random, times = np.random.default_rng(0), []
    for _ in range(NEW_RUNS):
        right = random.permuted(exam.new, axis=1)
        for number, counts in enumerate(stages, 1):
            if analyse(design, base, exam.tallies(right, counts), number).decision is not None:
                break
        times.append(ends[number - 1])
    return statistics.fmean(times)


def table(runs: int, seed: int) -> list[list[str]]:
    """Planned over simulated hours, a row per exam, lengths and lanes."""
    rows = [["exam", "lengths", "lanes", "tokens / speed", "fixed", "worst run",
             "stated length", *(f"decided, {name}" for name in ALLOCATIONS)]]  # fmt: skip
    for name, problems, k in EXAMS:
        for lengths, spreads in SPREADS.items():
            for lanes in STOP_LANES:
                found = [ratios(Exam.draw(problems, k, spreads, np.random.default_rng(seed + run)),
                                lanes) for run in range(runs)]  # fmt: skip

                def each(
                    kind: str, found: list[Mapping[str, tuple[float, float]]] = found
                ) -> list[float]:
                    return [one[kind][0] / one[kind][1] for one in found]

                cells = [statistics.median(each("tokens / speed")), statistics.median(each("fixed")),
                         max(each("fixed"), key=lambda ratio: max(ratio, 1 / ratio)),
                         statistics.median(each("fixed, stated length"))]  # fmt: skip
                for allocation in ALLOCATIONS:
                    planned, drawn = zip(
                        *(one[f"decided, {allocation}"] for one in found), strict=True
                    )
                    cells.append(sum(planned) / sum(drawn))
                rows.append([f"{name} x {k}", lengths, str(lanes), *(f"{x:.2f}" for x in cells)])
    return rows
