"""Plan: what a run will cost and what it can show, before a GPU is used. What `harness plan` does.

Costs are those of sampling alone. What a plan rests on: see `harness.workflows.plan_inputs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.errors import UsageError
from harness.stats import power, sequential
from harness.workflows.plan_inputs import Basis

STEPS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One k: its cost, the errors to expect, and the smallest drops that are seen with power 0.8.

    Shares from 0 to 1. `decided_share` is the part of the samples that the gate needs on average
    when nothing changed and it stops as soon as it is decided; like `decided_drop` None at k 1.
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
class Wish:
    """What a wished-for drop needs: a k, or where none does (see `power.MOST`), that many problems.

    `n_problems` is at `k_problems` samples each, and None where a k is enough. Both are None
    where the mean is too low to fall so far.
    """

    drop: float
    k: int | None
    step: Step | None
    n_problems: int | None
    k_problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPlan:
    """The plan of one task."""

    basis: Basis
    base_k: int | None
    margin: float
    alpha: float
    tokens_per_second: float | None
    steps: tuple[Step, ...]
    wish: Wish | None

    def step(self, k: int) -> Step:
        """The step of one k that was planned."""
        return next(step for step in self.steps if step.k == k)

    def to_json(self) -> dict[str, Any]:
        """Everything but the rates themselves."""
        basis = self.basis
        return {
            "task": basis.task,
            "from": basis.origin,
            "n_problems": basis.n_problems,
            "rate": float(basis.rates.mean()),
            "spread": float(basis.rates.std()),
            "k": basis.k,
            "tokens_per_sample": basis.length,
            "tokens_per_second": self.tokens_per_second,
            "base_k": self.base_k,
            "margin": self.margin,
            "alpha": self.alpha,
            "steps": [asdict(step) for step in self.steps],
            "detect": None if self.wish is None else asdict(self.wish),
        }


def plan_task(
    basis: Basis,
    *,
    k: int | None = None,
    base_k: int | None = None,
    margin: float = 0.05,
    detect: float | None = None,
    tokens_per_second: float | None = None,
    alpha: float = power.ALPHA,
    steps: Sequence[int] = STEPS,
) -> TaskPlan:
    """Cost and reach at every k of `steps`, at the basis's own k and at `k`.

    Args:
        basis: rates and lengths.
        k: one more k to plan for.
        base_k: samples per problem of the run to compare with; as many as the new run's by default.
        margin: the drop whose power is given, as a share.
        detect: a drop that should be seen, as a share.
        tokens_per_second: of the engine; None leaves the hours open.
        alpha: level of the test: of several tasks each has its share of 5 %, as in a comparison.
        steps: the k to plan for in any case.

    Raises:
        UsageError: a number out of range.
    """
    for option, value in (("--k", k), ("--base-k", base_k)):
        if value is not None and value < 1:
            raise UsageError(f"{option} {value}: at least one sample per problem is needed")
    for option, share in (("--margin", margin), ("--detect", detect)):
        if share is not None and not 0 < share < 1:
            raise UsageError(f"{option}: {100 * share:g} points are no drop: above 0, below 100")
    planned = sorted({*steps, basis.k, *([k] if k else [])})

    def step(at: int) -> Step:
        return _step(basis, at, base_k or at, margin, tokens_per_second, alpha)

    return TaskPlan(
        basis=basis,
        base_k=base_k,
        margin=margin,
        alpha=alpha,
        tokens_per_second=tokens_per_second,
        steps=tuple(step(at) for at in planned),
        wish=None if detect is None else _wish(basis, detect, base_k, step, alpha),
    )


def _step(
    basis: Basis, k: int, base_k: int, margin: float, speed: float | None, alpha: float
) -> Step:
    rates, m = basis.rates, basis.n_problems
    tokens = None if basis.length is None else m * k * basis.length
    sampling = power.sampling_variance(rates) / k
    between = float(rates.var()) / (m - 1) if m > 1 else None
    decided = None
    if min(k, base_k) > 1:
        decided = sequential.detectable_drop(rates, k, base_k, alpha=alpha)
    share = None
    if decided is not None:
        design = sequential.Design(k, base_k, max(decided, 1e-9), alpha)
        share = sequential.expected_share(design, rates)
    return Step(
        k=k,
        samples=m * k,
        tokens=tokens,
        hours=None if tokens is None or not speed else tokens / speed / 3600,
        se_sampling=math.sqrt(sampling),
        se_problems=None if between is None else math.sqrt(between + sampling),
        drop=power.detectable_drop(rates, base_k, k, alpha=alpha),
        decided_drop=decided,
        decided_share=share,
        margin_power=power.power_at(rates, base_k, k, margin, alpha=alpha),
    )


def _wish(
    basis: Basis, drop: float, base_k: int | None, step: Callable[[int], Step], alpha: float
) -> Wish:
    """The smallest k that sees a drop; else how many problems would do."""
    rates, most = basis.rates, max(STEPS)
    k = problems = None
    if drop < float(rates.mean()):
        k = power.k_needed(rates, drop, k_base=base_k, alpha=alpha)
        if k is None:
            problems = power.problems_needed(rates, base_k or most, most, drop, alpha=alpha)
    found = None if k is None else step(k)
    return Wish(drop=drop, k=k, step=found, n_problems=problems, k_problems=k or most)
