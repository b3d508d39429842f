"""Plan a run: what it will cost and what it can detect, before a GPU is used.

Costs are those of sampling alone. For the inputs of a plan see `harness.workflows.plan_inputs`, for its
hours `plan_time`, and for `--until decided` `plan_decided`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from harness.errors import UsageError
from harness.points import points_of
from harness.stats import power
from harness.stats.allocation import uniform
from harness.stats.rates import sampling_variance
from harness.workflows.plan_decided import (
    Allocation,
    Decided,
    Question,
    Settled,
    allocate,
    settled,
    until_decided,
)
from harness.workflows.plan_inputs import PlanInputs
from harness.workflows.plan_time import Clock, Lanes

STEPS = (1, 2, 4, 8, 16, 32, 64)

LARGER = 4
"""How many times the samples a base has that is recommended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One k: its cost, the expected errors, and the smallest drop detected with power 0.8.

    Shares from 0 to 1. `floor_hours` are those of the longest sample. `usd` and `gpu_hours` are None
    where no price, no hours or no GPUs are known. `decided` is what
    `--until decided` needs of it; None where k is 1 or the base has fewer samples.
    """

    k: int
    samples: int
    tokens: float | None
    hours: float | None
    floor_hours: float | None
    se_sampling: float
    se_problems: float | None
    drop: float
    margin_power: float
    decided: Decided | None
    usd: float | None = None
    gpu_hours: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """What it takes to detect a given drop: a k, or, if no k is enough, a number of problems.

    `k` goes up to `power.MOST`. `n_problems` is for `k_problems` samples each, and None if a k is
    enough. Both are None if the mean is too low to fall so far.
    """

    drop: float
    k: int | None
    step: Step | None
    n_problems: int | None
    k_problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LargerBase:
    """What a base of four times the samples is worth to the run with a fixed number of samples.

    The new run then needs `k` samples per problem, a `share` of its own, to see the same drop.
    """

    base_k: int
    k: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """The plan of one task.

    `larger_base`, `choices` (what `--until decided` needs with this and a larger base, by each
    allocation) and `settled` are those of `k`.
    """

    inputs: PlanInputs
    k: int
    base_k: int | None
    question: Question
    lanes: Lanes
    steps: tuple[Step, ...]
    larger_base: LargerBase | None
    choices: tuple[Decided, ...]
    settled: Settled | None
    detection: Detection | None

    def step(self, k: int) -> Step:
        """The step of a k that was planned."""
        return next(step for step in self.steps if step.k == k)

    def to_json(self) -> dict[str, object]:
        """The plan as plain values, without the rates of single problems."""
        inputs, lanes = self.inputs, self.lanes
        lengths = inputs.lengths
        whole = None if lanes.n is None or lanes.speed is None else lanes.n * lanes.speed
        found = self.choices and self.choices[-1].allocation == "history"
        return {
            "task": inputs.task,
            "from": inputs.origin,
            "notes": list(inputs.said),
            "n_problems": inputs.n_problems,
            "rate": float(inputs.rates.mean()),
            "spread": float(inputs.rates.std()),
            "k": self.k,
            "tokens_per_sample": None if lengths is None else lengths.mean,
            "length_spread_within": None if lengths is None else lengths.within,
            "max_tokens": None if lengths is None else lengths.cap,
            "concurrency": lanes.n,
            "tokens_per_second": whole,
            "tokens_per_second_per_sample": lanes.speed,
            "gpus": lanes.gpus,
            "usd_per_sample": None if inputs.costs is None else inputs.costs.mean,
            "usd_from": None if inputs.costs is None else inputs.costs.source,
            "base_k": self.base_k,
            "margin_points": points_of(self.question.margin),
            "alpha": self.question.alpha,
            "steps": [asdict(step) for step in self.steps],
            "larger_base": None if self.larger_base is None else asdict(self.larger_base),
            "until_decided": [asdict(choice) for choice in self.choices],
            "allocation": allocate(inputs, self.k, "history") if found else None,
            "always_or_never_solved": None if self.settled is None else asdict(self.settled),
            "detect": None if self.detection is None else asdict(self.detection),
        }


def plan_task(
    inputs: PlanInputs,
    *,
    k: int | None = None,
    base_k: int | None = None,
    margin: float = 0.05,
    detect: float | None = None,
    lanes: Lanes | None = None,
    allocation: Allocation = "uniform",
    alpha: float = power.ALPHA,
    steps: Sequence[int] = STEPS,
) -> TaskPlan:
    """Plan every k of `steps`, the k of the inputs, and `k`.

    Args:
        inputs: rates and lengths.
        k: the k to plan for; by default that of the inputs.
        base_k: samples per problem of the run to compare with; by default as many as the new run has.
        margin: the drop whose power is given, as a share.
        detect: a drop that should be detected, as a share.
        lanes: samples in flight and their speed; where it is not known, the hours are not.
        allocation: by which each step is decided.
        alpha: level of the test; with several tasks each gets its share of 5 %, as in a comparison.
        steps: the k that are always planned.

    Raises:
        UsageError: a number out of range, or an allocation by history of which nothing is known.
    """
    for option, value in (("--k", k), ("--base-k", base_k)):
        if value is not None and value < 1:
            raise UsageError(f"{option} {value}: at least one sample per problem is needed")
    allocate(inputs, max(2, k or inputs.k), allocation)  # says so where it cannot
    question, lanes = Question(margin=margin, alpha=alpha), lanes or Lanes()
    clock = Clock.of({inputs.task: inputs.lengths}, lanes)

    def step(at: int) -> Step:
        found = _step(inputs, at, base_k or at, question, clock=clock, allocation=allocation)
        return replace(found, gpu_hours=gpu_hours(found.hours, lanes))

    chosen = k or inputs.k
    found = {at: step(at) for at in sorted({*steps, inputs.k, chosen})}
    choices = _choices(inputs, found[chosen], base_k or chosen, question, clock)
    return TaskPlan(
        inputs=inputs,
        k=chosen,
        base_k=base_k,
        question=question,
        lanes=lanes,
        steps=tuple(found.values()),
        larger_base=_larger_base(inputs, found[chosen], base_k or chosen, alpha),
        choices=choices,
        settled=settled(inputs, chosen),
        detection=None if detect is None else _detection(inputs, detect, base_k, step, alpha),
    )


def hours_together(plans: Sequence[TaskPlan]) -> float | None:
    """Hours of one run with all of these tasks, each at its k; None where they are not known.

    Its samples share the lanes: it takes less than its tasks one after another.
    """
    clock = Clock.of({found.inputs.task: found.inputs.lengths for found in plans}, plans[0].lanes)
    if clock is None:
        return None
    return clock.whole({found.inputs.task: uniform(found.inputs.ids, found.k) for found in plans})


def gpu_hours(hours: float | None, lanes: Lanes) -> float | None:
    """The GPU hours of so many hours; None where either is not known, or there is no GPU."""
    return None if hours is None or not lanes.gpus else hours * lanes.gpus


def _step(
    inputs: PlanInputs,
    k: int,
    base_k: int,
    question: Question,
    *,
    clock: Clock | None,
    allocation: Allocation,
) -> Step:
    rates, m = inputs.rates, inputs.n_problems
    counts: Mapping[str, Mapping[str, int]] = {inputs.task: uniform(inputs.ids, k)}
    sampling = sampling_variance(rates) / k
    between = float(rates.var()) / (m - 1) if m > 1 else None
    alpha = question.alpha
    return Step(
        k=k,
        samples=m * k,
        tokens=None if inputs.lengths is None else inputs.lengths.tokens(counts[inputs.task]),
        hours=None if clock is None else clock.whole(counts),
        floor_hours=None if clock is None else clock.floor(counts),
        se_sampling=math.sqrt(sampling),
        se_problems=None if between is None else math.sqrt(between + sampling),
        drop=power.detectable_drop(rates, base_k, k, alpha=alpha),
        margin_power=power.power_at(rates, base_k, k, question.margin, alpha=alpha),
        decided=until_decided(inputs, k, base_k, allocation, question, clock=clock),
        usd=None if inputs.costs is None else inputs.costs.usd(counts[inputs.task]),
    )


def _choices(
    inputs: PlanInputs, step: Step, base_k: int, question: Question, clock: Clock | None
) -> tuple[Decided, ...]:
    """`--until decided` with this and a larger base, uniform and by history."""
    found = []
    for size in (base_k, LARGER * base_k):
        for allocation in ("uniform", "history") if inputs.known else ("uniform",):
            done = step.decided
            if done is None or (done.base_k, done.allocation) != (size, allocation):
                done = until_decided(inputs, step.k, size, allocation, question, clock=clock)
            if done is not None:
                found.append(done)
    return tuple(found)


def _larger_base(inputs: PlanInputs, step: Step, base_k: int, alpha: float) -> LargerBase | None:
    """What a larger base is worth; None where no drop is seen, or it is worth nothing."""
    if step.drop >= float(inputs.rates.mean()):
        return None
    size = LARGER * base_k
    drop = step.drop * (1 + 1e-6)  # it is a root, found to some digits
    k = power.k_needed(inputs.rates, drop, k_base=size, alpha=alpha)
    if k is None or k >= step.k:
        return None
    return LargerBase(base_k=size, k=k, share=k / step.k)


def _detection(
    inputs: PlanInputs, drop: float, base_k: int | None, step: Callable[[int], Step], alpha: float
) -> Detection:
    """The smallest k that detects a drop; otherwise how many problems would be enough."""
    rates, most = inputs.rates, max(STEPS)
    k = problems = None
    if drop < float(rates.mean()):
        k = power.k_needed(rates, drop, k_base=base_k, alpha=alpha)
        if k is None:
            problems = power.problems_needed(rates, base_k or most, most, drop, alpha=alpha)
    found = None if k is None else step(k)
    return Detection(drop=drop, k=k, step=found, n_problems=problems, k_problems=k or most)
