"""Plan: what a run will cost and what it can show, before a GPU is used. What `harness plan` does.

Rates and lengths come from a previous run, or are stated. Costs are those of sampling alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import power, sequential
from harness.datasets import load_problems
from harness.errors import DataError, UsageError
from harness.metrics import tallies
from harness.store import RunFolder
from harness.types import Task
from harness.uncertainty import mean

if TYPE_CHECKING:
    from harness.power import Rates

STEPS = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is stated rather than measured; None where it is not.

    Args:
        rate: mean pass@1 over problems, from 0 to 1.
        spread: standard deviation of pass@1 between problems.
        length: tokens generated a sample, thought included.
        tokens_per_second: of the engine, over all samples in flight.
    """

    rate: float | None = None
    spread: float | None = None
    length: float | None = None
    tokens_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < 1:
            raise UsageError(f"--assume {self.rate:g}: a rate between 0 and 1, such as 0.7")
        if self.spread is not None and self.rate is None:
            raise UsageError("--spread goes with --assume: it is the spread around that rate")
        if self.rate is not None and self.spread is not None:
            most = math.sqrt(self.rate * (1 - self.rate))
            if not 0 < self.spread < most:
                raise UsageError(
                    f"--spread {self.spread:g}: rates around {self.rate:g} have a standard "
                    f"deviation between 0 and {most:.3f}"
                )
        for option, value in (
            ("--length", self.length),
            ("--tokens-per-second", self.tokens_per_second),
        ):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{option} {value:g}: a number above 0 is needed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What the plan of one task rests on. `rates` are (problems, grid), `length` in tokens."""

    task: str
    rates: Rates
    k: int
    length: float | None
    origin: str

    @property
    def n_problems(self) -> int:
        """How many problems are asked."""
        return len(self.rates)


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


def bases(
    names: Sequence[str],
    task_named: Callable[[str], Task],
    *,
    run: Path | None,
    data: Path | None,
    stated: Assumptions,
) -> list[Basis]:
    """What each task's plan rests on: the run where it holds the task, else what is stated.

    Args:
        names: of the tasks; none means all of the run's.
        task_named: finds a task by its name.
        run: a previous run.
        data: the user's own copies of datasets, for the number of problems.
        stated: goes before what was measured.

    Raises:
        UsageError: neither a run nor an assumption tells a task's rate.
        DataError: the run or a dataset cannot be read.
    """
    folder = None if run is None else RunFolder(run)
    held = [] if folder is None else [task.name for task in folder.tasks()]
    if not names and not held:
        raise UsageError("--tasks is needed, or --from RUN for the tasks of a previous run")
    found = []
    for name in names or held:
        if folder is not None and name in held:
            found.append(_from_run(folder, name, stated))
        else:
            found.append(_assumed(task_named(name), data, stated, run, held))
    return found


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
        base_k: samples a problem of the run to compare with; as many as the new run's by default.
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


def throughput(run: Path) -> float | None:
    """Tokens per second that a run was sampled with, over all samples in flight.

    From the time that each start of it took, where all are on record; else from the seconds of its
    batches, where the engine works in batches (all samples of one batch took equally long). None
    where neither tells it, or the engine counted no tokens.
    """
    folder = RunFolder(run)
    tokens, batches, n = 0, set[float](), 0
    for task in folder.tasks():
        for sample in task.samples():
            if sample.n_tokens is None or sample.seconds is None:
                return None
            tokens, n = tokens + sample.n_tokens, n + 1
            batches.add(sample.seconds)
    starts = folder.manifest().starts
    recorded = [float(start["seconds"]) for start in starts if start.get("seconds")]
    if recorded and len(recorded) == len(starts):
        seconds = math.fsum(recorded)
    else:
        seconds = math.fsum(batches) if len(batches) <= n / 2 else 0.0
    return tokens / seconds if seconds > 0 and tokens else None


def _from_run(folder: RunFolder, name: str, stated: Assumptions) -> Basis:
    task = folder.task(name)
    graded = list(tallies(task.grades()).values())
    if not graded:
        raise DataError(f"{task.path} has no graded sample to plan from; complete it first")
    k = folder.manifest().k.get(name) or max(tally.n for tally in graded)
    lengths = [sample.n_tokens for sample in task.samples() if sample.n_tokens is not None]
    measured = mean(lengths) if lengths else None
    origin = f"{folder.path}, {len(graded):,} problems with {k:,} samples"
    if stated.rate is not None:
        rates = _stated_rates(stated, len(graded))
        origin = f"a stated rate of {stated.rate:g}, lengths of {folder.path}"
    else:
        rates = power.posterior_rates(graded)
    return Basis(task=name, rates=rates, k=k, length=stated.length or measured, origin=origin)


def _assumed(
    task: Task, data: Path | None, stated: Assumptions, run: Path | None, held: Sequence[str]
) -> Basis:
    if stated.rate is None:
        why = f"{run} holds {', '.join(held)}" if run is not None else "there is no --from RUN"
        raise UsageError(f"{task.name}: {why}; state a mean rate, such as --assume 0.7")
    n_problems = len(load_problems(task, data))
    return Basis(
        task=task.name,
        rates=_stated_rates(stated, n_problems),
        k=task.sampling.k,
        length=stated.length,
        origin=f"a stated rate of {stated.rate:g}, {n_problems:,} problems",
    )


def _stated_rates(stated: Assumptions, n_problems: int) -> Rates:
    rate = stated.rate or 0.0
    correlation = power.SPREAD
    if stated.spread is not None:
        correlation = stated.spread**2 / (rate * (1 - rate))
    return power.assumed_rates(power.Beta.spread(rate, correlation), n_problems)


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
