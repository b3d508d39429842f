"""What `--until decided` is expected to need at one k, with its base and its allocation. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from harness.errors import UsageError
from harness.stats.allocation import FLOOR, counts_at
from harness.stats.design import Design
from harness.workflows.allocation import counts_by_history
from harness.workflows.early_stopping import place_analyses
from harness.workflows.plan_inputs import PlanInputs
from harness.workflows.plan_time import Clock

Allocation = Literal["uniform", "history"]
"""How a run's samples fall to problems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a gate is to tell: the drop to exclude as a share, and the chance of a false alarm."""

    margin: float
    alpha: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A run of k samples per problem on average that stops once the comparison is decided.

    Where nothing changed, on average. Shares from 0 to 1; what depends on unknown lengths or lanes
    is None.

    Args:
        k: samples per problem at most; with an allocation, on average over problems.
        base_k: samples per problem of the base.
        allocation: how the samples fall to problems.
        fewest: samples of any problem at most.
        most: samples of one problem at most.
        drop: the smallest drop that is detected with power 0.8.
        share: of the samples.
        samples: in number.
        tokens: of these.
        usd: that these cost.
        hours: until the decision.
        most_hours: where none of the analyses before the last one decides.
        se_sampling: of a run that draws all samples.
    """

    k: int
    base_k: int
    allocation: Allocation
    fewest: int
    most: int
    drop: float
    share: float
    samples: float
    tokens: float | None
    hours: float | None
    most_hours: float | None
    se_sampling: float
    usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What an allocation by history costs: the problems that earlier runs always or never solved.

    A drop on them is seen less: together they get `samples` in place of k each, `fewest` to
    `most` of one problem.
    """

    problems: int
    samples: int
    fewest: int
    most: int


def until_decided(
    inputs: PlanInputs,
    k: int,
    base_k: int,
    allocation: Allocation,
    question: Question,
    *,
    clock: Clock | None,
) -> Decided | None:
    """What is needed at one k; None where `--until decided` is not open to it.

    Args:
        inputs: rates, lengths, and what an allocation goes by.
        k: samples per problem.
        base_k: samples per problem of the base; at least k.
        allocation: how the samples fall to problems.
        question: of the gate.
        clock: tells the hours.
    """
    if not FLOOR <= k <= base_k:
        return None
    counts = allocate(inputs, k, allocation)
    listed = [counts[id] for id in inputs.ids]

    def design(shares: tuple[float, ...] | None) -> Design:
        return Design.planned(inputs.rates, k, base_k, margin=question.margin,
                              alpha=question.alpha, allocation=listed, shares=shares)  # fmt: skip

    timeline, few = (None, counts) if clock is None else clock.thinned(inputs.task, counts)
    placed = place_analyses(inputs.task, design, {inputs.task: few}, timeline=timeline, others={})
    found = design(placed)
    ends = None if clock is None else clock.ends(inputs.task, counts, found.shares)
    chances = _chances(found)

    def expected(of: Callable[[Mapping[str, int]], float]) -> float:
        drawn = [of(counts_at(counts, share)) for share in found.shares]
        return math.fsum(c * n for c, n in zip(chances, drawn, strict=True))

    variances = (inputs.rates * (1 - inputs.rates)).mean(axis=1).tolist()
    total = sum(listed)
    return Decided(
        k=k,
        base_k=base_k,
        allocation=allocation,
        fewest=min(listed),
        most=max(listed),
        drop=found.detect,
        share=found.expected_share(),
        samples=found.expected_share() * total,
        tokens=None if inputs.lengths is None else expected(inputs.lengths.tokens),
        usd=None if inputs.costs is None else expected(inputs.costs.usd),
        hours=None
        if ends is None
        else math.fsum(c * e for c, e in zip(chances, ends, strict=True)),
        most_hours=None if ends is None else ends[-1],
        se_sampling=math.sqrt(math.fsum(v / n for v, n in zip(variances, listed, strict=True)))
        / len(listed),
    )


def _chances(design: Design) -> list[float]:
    """The chance that each analysis is the last one, where nothing changed."""
    ends = design.ends()
    chances = [above + below for above, below in zip(ends.above, ends.below, strict=True)]
    chances[-1] += ends.open
    return chances


def allocate(inputs: PlanInputs, k: int, allocation: Allocation) -> Mapping[str, int]:
    """Samples of each problem.

    Raises:
        UsageError: nothing is known of single problems.
    """
    known = inputs.known if allocation == "history" else {}
    if allocation == "history" and not known:
        raise UsageError(
            f"--allocate history: {inputs.task} has {inputs.origin}, which tells nothing of single "
            "problems; name a run on it by --from"
        )
    return counts_by_history(inputs.ids, known, k)


def settled(inputs: PlanInputs, k: int) -> Settled | None:
    """What an allocation by history costs at this k; None where it is not known or costs nothing."""
    ids = [id for id in inputs.ids
           if id in inputs.known and inputs.known[id].correct in (0, inputs.known[id].n)]  # fmt: skip
    if k < FLOOR or not ids:
        return None
    counts = allocate(inputs, k, "history")
    drawn = [counts[id] for id in ids]
    return Settled(problems=len(ids), samples=sum(drawn), fewest=min(drawn), most=max(drawn))
