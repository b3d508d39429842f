"""The inputs of a plan: rates and lengths of an earlier run, or assumed ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.datasets import load_problems
from harness.errors import DataError, UsageError
from harness.stats import rates as posterior
from harness.stats.intervals import mean
from harness.stats.metrics import tallies
from harness.storage.run_folder import RunFolder
from harness.task import Task

if TYPE_CHECKING:
    from harness.stats.rates import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Assumed values, each None where the measured one is used.

    Args:
        rate: mean pass@1 over problems, from 0 to 1.
        spread: standard deviation of pass@1 between problems.
        length: tokens generated per sample, reasoning included.
        tokens_per_second: of the engine, over all samples in flight.
    """

    rate: float | None = None
    spread: float | None = None
    length: float | None = None
    tokens_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.rate is not None and not 0 < self.rate < 1:
            raise UsageError(f"--assume {self.rate:g}: give a rate between 0 and 1, such as 0.7")
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
                raise UsageError(f"{option} {value:g}: give a number above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """The inputs of one task's plan.

    `rates` has the shape (problems, grid): plausible pass@1 of each problem. `length` is the mean
    of a sample in tokens, or None if unknown. `origin` says where both are from.
    """

    task: str
    rates: Rates
    k: int
    length: float | None
    origin: str

    @property
    def n_problems(self) -> int:
        """The number of problems."""
        return len(self.rates)


def plan_inputs(
    names: Sequence[str],
    task_named: Callable[[str], Task],
    *,
    run: Path | None,
    data: Path | None,
    stated: Assumptions,
) -> list[PlanInputs]:
    """Take each task's inputs from the run if it has the task, otherwise from the assumptions.

    Args:
        names: of the tasks; an empty sequence means all tasks of the run.
        task_named: finds a task by its name.
        run: an earlier run.
        data: the user's own copies of datasets, for the number of problems.
        stated: assumed values, which override measured ones.

    Raises:
        UsageError: a task has neither a run nor an assumed rate.
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


def throughput(run: Path) -> float | None:
    """Tokens per second that a run was sampled with, over all samples in flight.

    Computed from the duration of every process start if all are recorded; otherwise from the
    seconds of its batches, if the engine works in batches (all samples of a batch take equally
    long). None if neither is known, or the engine counted no tokens.
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
    recorded = [start.seconds for start in starts if start.seconds]
    if recorded and len(recorded) == len(starts):
        seconds = math.fsum(recorded)
    else:
        seconds = math.fsum(batches) if len(batches) <= n / 2 else 0.0
    return tokens / seconds if seconds > 0 and tokens else None


def _from_run(folder: RunFolder, name: str, stated: Assumptions) -> PlanInputs:
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
        rates = posterior.posterior_rates(graded)
    return PlanInputs(task=name, rates=rates, k=k, length=stated.length or measured, origin=origin)


def _assumed(
    task: Task, data: Path | None, stated: Assumptions, run: Path | None, held: Sequence[str]
) -> PlanInputs:
    if stated.rate is None:
        why = f"{run} holds {', '.join(held)}" if run is not None else "there is no --from RUN"
        raise UsageError(f"{task.name}: {why}; state a mean rate, such as --assume 0.7")
    n_problems = len(load_problems(task, data))
    return PlanInputs(
        task=task.name,
        rates=_stated_rates(stated, n_problems),
        k=task.sampling.k,
        length=stated.length,
        origin=f"a stated rate of {stated.rate:g}, {n_problems:,} problems",
    )


def _stated_rates(stated: Assumptions, n_problems: int) -> Rates:
    rate = stated.rate or 0.0
    correlation = posterior.SPREAD
    if stated.spread is not None:
        correlation = stated.spread**2 / (rate * (1 - rate))
    return posterior.assumed_rates(posterior.Beta.spread(rate, correlation), n_problems)
