"""Plan a run: what it will cost and what it can detect, before a GPU is used.

Costs are those of sampling alone. For the inputs of a plan see `harness.workflows.plan_inputs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from harness.errors import UsageError
from harness.points import points_of
from harness.stats import power
from harness.stats.design import Design
from harness.stats.rates import sampling_variance
from harness.workflows.plan_inputs import PlanInputs

STEPS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One k: its cost, the expected errors, and the smallest drops detected with power 0.8.

    Shares from 0 to 1. `decided_drop` is the smallest detectable drop with `--until decided`, and
    `decided_share` the share of the samples that it needs on average when nothing changed; both
    are None at k 1.
    """

    k: int
    samples: int
    tokens: float | None
    hours: float | None
    se_sampling: float
    se_problems: float | None
    drop: float
    decided_drop: float | None
    decided_share: float | None
    margin_power: float


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
class TaskPlan:
    """The plan of one task."""

    inputs: PlanInputs
    base_k: int | None
    margin: float
    alpha: float
    tokens_per_second: float | None
    steps: tuple[Step, ...]
    detection: Detection | None

    def step(self, k: int) -> Step:
        """The step of a k that was planned."""
        return next(step for step in self.steps if step.k == k)

    def to_json(self) -> dict[str, object]:
        """The plan as plain values, without the rates of single problems."""
        inputs = self.inputs
        return {
            "task": inputs.task,
            "from": inputs.origin,
            "n_problems": inputs.n_problems,
            "rate": float(inputs.rates.mean()),
            "spread": float(inputs.rates.std()),
            "k": inputs.k,
            "tokens_per_sample": inputs.length,
            "tokens_per_second": self.tokens_per_second,
            "base_k": self.base_k,
            "margin_points": points_of(self.margin),
            "alpha": self.alpha,
            "steps": [asdict(step) for step in self.steps],
            "detect": None if self.detection is None else asdict(self.detection),
        }


def plan_task(
    inputs: PlanInputs,
    *,
    k: int | None = None,
    base_k: int | None = None,
    margin: float = 0.05,
    detect: float | None = None,
    tokens_per_second: float | None = None,
    alpha: float = power.ALPHA,
    steps: Sequence[int] = STEPS,
) -> TaskPlan:
    """Plan every k of `steps`, the k of the inputs, and `k`.

    Args:
        inputs: rates and lengths.
        k: one more k to plan for.
        base_k: samples per problem of the run to compare with; by default as many as the new run has.
        margin: the drop whose power is given, as a share.
        detect: a drop that should be detected, as a share.
        tokens_per_second: of the engine; None leaves the hours unknown.
        alpha: level of the test; with several tasks each gets its share of 5 %, as in a comparison.
        steps: the k that are always planned.

    Raises:
        UsageError: a number out of range.
    """
    for option, value in (("--k", k), ("--base-k", base_k)):
        if value is not None and value < 1:
            raise UsageError(f"{option} {value}: at least one sample per problem is needed")
    planned = sorted({*steps, inputs.k, *([k] if k else [])})

    def step(at: int) -> Step:
        return _step(inputs, at, base_k or at, margin=margin, speed=tokens_per_second, alpha=alpha)

    return TaskPlan(
        inputs=inputs,
        base_k=base_k,
        margin=margin,
        alpha=alpha,
        tokens_per_second=tokens_per_second,
        steps=tuple(step(at) for at in planned),
        detection=None if detect is None else _detection(inputs, detect, base_k, step, alpha),
    )


def _step(
    inputs: PlanInputs, k: int, base_k: int, *, margin: float, speed: float | None, alpha: float
) -> Step:
    rates, m = inputs.rates, inputs.n_problems
    tokens = None if inputs.length is None else m * k * inputs.length
    sampling = sampling_variance(rates) / k
    between = float(rates.var()) / (m - 1) if m > 1 else None
    design = None
    if k > 1:
        design = Design.planned(rates, k, base_k, margin=margin, alpha=alpha)
    return Step(
        k=k,
        samples=m * k,
        tokens=tokens,
        hours=None if tokens is None or not speed else tokens / speed / 3600,
        se_sampling=math.sqrt(sampling),
        se_problems=None if between is None else math.sqrt(between + sampling),
        drop=power.detectable_drop(rates, base_k, k, alpha=alpha),
        decided_drop=None if design is None else design.detect,
        decided_share=None if design is None else design.expected_share(),
        margin_power=power.power_at(rates, base_k, k, margin, alpha=alpha),
    )


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
