"""The inputs of a plan: rates, lengths and lanes of an earlier run, or assumed ones."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.datasets import load_problems
from harness.errors import DataError, UsageError
from harness.pipeline.pending import measured_lengths
from harness.stats import rates as posterior
from harness.stats.cost import Price
from harness.stats.metrics import tallies
from harness.storage.projections import VerdictRow
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.task import Task
from harness.types import Tally
from harness.workflows.allocation import read_history
from harness.workflows.plan_cost import SampleCosts, costs_from_run, priced
from harness.workflows.plan_time import WITHIN, Lanes, SampleLengths

if TYPE_CHECKING:
    from harness.stats.rates import Rates


_NAMED = 3  # problems that a message names


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """Assumed values, each None where the measured one is used.

    Args:
        rate: mean pass@1 over problems, from 0 to 1.
        spread: standard deviation of pass@1 between problems.
        length: tokens generated per sample, reasoning included.
        max_tokens: cap on them.
        concurrency: samples in flight at once.
        tokens_per_second: of the engine, over all samples in flight.
        price: of tokens.
        prompt_length: tokens of a prompt.
    """

    rate: float | None = None
    spread: float | None = None
    length: float | None = None
    max_tokens: int | None = None
    concurrency: int | None = None
    tokens_per_second: float | None = None
    price: Price | None = None
    prompt_length: float | None = None

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
            ("--max-tokens", self.max_tokens),
            ("--concurrency", self.concurrency),
            ("--tokens-per-second", self.tokens_per_second),
            ("--prompt-length", self.prompt_length),
        ):
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{option} {value:g}: give a number above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInputs:
    """The inputs of one task's plan.

    Args:
        task: its name.
        ids: of the problems.
        rates: plausible pass@1 of each problem, shape (problems, grid).
        k: samples per problem, of the run or the task.
        lengths: of samples; None if unknown.
        origin: where rates and lengths are from.
        known: what an allocation by history goes by; empty if nothing tells of single problems.
        said: what a user should know of the inputs, a line each.
        costs: of samples; None if unknown.
    """

    task: str
    ids: tuple[str, ...]
    rates: Rates
    k: int
    lengths: SampleLengths | None
    origin: str
    known: Mapping[str, Tally]
    said: tuple[str, ...] = ()
    costs: SampleCosts | None = None

    @property
    def n_problems(self) -> int:
        """The number of problems."""
        return len(self.ids)


def plan_inputs(
    names: Sequence[str],
    task_named: Callable[[str], Task],
    *,
    run: Path | None,
    data: Path | None,
    stated: Assumptions,
    history: Sequence[Path] = (),
) -> list[PlanInputs]:
    """Take each task's inputs from the run if it has the task, otherwise from the assumptions.

    Args:
        names: of the tasks; an empty sequence means all tasks of the run.
        task_named: finds a task by its name.
        run: an earlier run.
        data: the user's own copies of datasets, for the number of problems.
        stated: assumed values, which override measured ones.
        history: further runs that an allocation by history goes by.

    Raises:
        UsageError: a task has neither a run nor an assumed rate, or --history is given without --from.
        DataError: the run or a dataset cannot be read.
    """
    if history and run is None:
        raise UsageError("--history goes with --from RUN, the run that is compared with")
    folder = None if run is None else RunFolder(run)
    held = [] if folder is None else [task.name for task in folder.tasks()]
    if not names and not held:
        raise UsageError("--tasks is needed, or --from RUN for the tasks of a previous run")
    found = []
    for name in names or held:
        if folder is not None and name in held:
            found.append(_from_run(folder, name, stated, history))
        else:
            found.append(_assumed(task_named(name), data, stated, run, held))
    return found


def plan_lanes(run: Path | None, stated: Assumptions) -> Lanes:
    """Samples in flight, their speed and GPUs: those of a run, unless they are stated."""
    measured = Lanes() if run is None else measured_lanes(run)
    n = stated.concurrency or measured.n
    return Lanes(n, measured.each, stated.tokens_per_second, measured.gpus)


def measured_lanes(run: Path) -> Lanes:
    """The lanes of a run: as the last start recorded them, each as fast as its samples were on average.

    Of an engine that works in batches (samples of a batch take equally long) a lane is a place in
    the batch, and the largest batch counts.
    """
    folder = RunFolder(run)
    tokens, times = 0, list[float]()
    for task in folder.tasks():
        for sample in task.samples():
            if sample.n_tokens is not None and sample.seconds is not None:
                tokens += sample.n_tokens
                times.append(sample.seconds)
    starts = folder.manifest().starts
    n = starts[-1].concurrency if starts else None
    batches = Counter(times)
    if times and len(batches) <= len(times) / 2:
        largest = max(batches.values())
        n = largest if n is None else min(n, largest)
    seconds = math.fsum(times)
    gpus = starts[-1].gpus if starts else None
    return Lanes(n, tokens / seconds if seconds > 0 and tokens else None, gpus=gpus)


def _from_run(
    folder: RunFolder, name: str, stated: Assumptions, history: Sequence[Path]
) -> PlanInputs:
    task = folder.task(name)
    ids, graded = tuple(task.protocol().problems), tallies(task.read("grades.jsonl", VerdictRow))
    if not graded:
        raise DataError(f"{task.path} has no graded sample to plan from; complete it first")
    k = folder.manifest().k.get(name) or max(tally.n for tally in graded.values())
    origin = f"{folder.path}, {len(graded):,} problems with {k:,} samples"
    lengths, said = _lengths(task, ids, stated)
    costs, unknown = costs_from_run(task, ids, lengths, price=stated.price,
                                    prompt_length=stated.prompt_length,
                                    as_measured=stated.length is None)  # fmt: skip
    said += unknown
    known: Mapping[str, Tally] = {}
    if stated.rate is not None:
        rates = _stated_rates(stated, len(ids))
        origin = f"a stated rate of {stated.rate:g}, lengths of {folder.path}"
    else:
        rates = _measured_rates(ids, graded)
        read = read_history(task.protocol(), [folder.path, *history])
        known = read.tallies
        said += read.said
        lacking = [id for id in ids if id not in graded]
        if lacking:
            said += (
                f"{name}: {folder.path} has no graded sample of {len(lacking)} problems "
                f"({', '.join(lacking[:_NAMED])}{', ..' * (len(lacking) > _NAMED)}): they are taken "
                "to be like the others",
            )
    return PlanInputs(task=name, ids=ids, rates=rates, k=k, lengths=lengths, origin=origin,
                      known=known, said=said, costs=costs)  # fmt: skip


def _measured_rates(ids: Sequence[str], graded: Mapping[str, Tally]) -> Rates:
    """Each problem's rates given its samples; those of any problem where it has none."""
    import numpy as np

    there = [id for id in ids if id in graded]
    found = posterior.posterior_rates([graded[id] for id in there])
    prior = posterior.fit_rates([graded[id] for id in there])
    rows = dict(zip(there, found, strict=True))
    lacking = [id for id in ids if id not in rows]
    rows |= zip(lacking, posterior.assumed_rates(prior, len(lacking)), strict=True)
    return np.stack([rows[id] for id in ids])


def _lengths(
    task: TaskFolder, ids: Sequence[str], stated: Assumptions
) -> tuple[SampleLengths | None, tuple[str, ...]]:
    """The lengths of a run's samples, and what to say of them."""
    name, cap = task.name, stated.max_tokens or task.protocol().max_tokens
    measured = measured_lengths(task.path.parent, {name})
    means = {id: max(1.0, mean) for (_, id), mean in measured.means().items() if id in ids}
    if not means:
        said = () if stated.length is not None else (
            f"{name}: {task.path.parent} has no token counts: state --length for tokens and hours",
        )  # fmt: skip
        return _assumed_lengths(name, ids, stated, cap), said
    usual, spread = math.fsum(means.values()) / len(means), measured.spread()
    most = math.inf if cap is None else cap
    means = {id: min(most, means.get(id, usual)) for id in ids}
    found = SampleLengths(means, WITHIN if spread is None else spread, cap)
    if stated.length is None:
        return found, ()
    _check_length(name, stated.length, cap)
    return found.scaled(stated.length), ()


def _assumed(
    task: Task, data: Path | None, stated: Assumptions, run: Path | None, held: Sequence[str]
) -> PlanInputs:
    if stated.rate is None:
        why = f"{run} holds {', '.join(held)}" if run is not None else "there is no --from RUN"
        raise UsageError(f"{task.name}: {why}; state a mean rate, such as --assume 0.7")
    ids = tuple(problem.id for problem in load_problems(task, data))
    cap = stated.max_tokens or task.sampling.max_tokens
    lengths, costs = _assumed_lengths(task.name, ids, stated, cap), None
    said: tuple[str, ...] = ()
    if stated.price is not None and stated.prompt_length is not None:
        costs = priced(stated.price, dict.fromkeys(ids, stated.prompt_length), lengths)
    if stated.price is not None and costs is None:
        said = (f"{task.name}: USD unknown without --length and --prompt-length",)
    return PlanInputs(
        task=task.name,
        ids=ids,
        rates=_stated_rates(stated, len(ids)),
        k=task.sampling.k,
        lengths=lengths,
        origin=f"a stated rate of {stated.rate:g}, {len(ids):,} problems",
        known={},
        said=said,
        costs=costs,
    )


def _assumed_lengths(
    name: str, ids: Sequence[str], stated: Assumptions, cap: int | None
) -> SampleLengths | None:
    if stated.length is None:
        return None
    _check_length(name, stated.length, cap)
    return SampleLengths.assumed(ids, stated.length, cap)


def _check_length(name: str, length: float, cap: int | None) -> None:
    if cap is not None and length > cap:
        raise UsageError(
            f"--length {length:g}: a sample of {name} ends at {cap:,} tokens; state another cap by "
            "--max-tokens"
        )


def _stated_rates(stated: Assumptions, n_problems: int) -> Rates:
    rate = stated.rate or 0.0
    correlation = posterior.SPREAD
    if stated.spread is not None:
        correlation = stated.spread**2 / (rate * (1 - rate))
    return posterior.assumed_rates(posterior.Beta.spread(rate, correlation), n_problems)
