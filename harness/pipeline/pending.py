"""What is left to draw: the missing samples of a run's tasks, their requests and completions."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.data.prompts import choice_order, render
from harness.data.reasoning import split_reasoning
from harness.errors import DataError
from harness.interfaces import Completion, Engine, Request
from harness.pipeline.schedule import ORDER, Lengths, Schedule
from harness.protocol import Protocol
from harness.sampling import Sampling
from harness.stats.allocation import uniform
from harness.stats.seeds import derive_seed
from harness.storage.manifest import ExpectedSamples, PlanRecord
from harness.storage.projections import TokensRow
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.storage.sample_set import SampleSet
from harness.task import Task
from harness.types import Problem, Sample
from harness.waiting import waiting_for

Place = tuple[str, str]
"""A problem of a run: (task name, problem id)."""


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One task of a run in progress.

    `allocation` holds the samples of each problem where that is not k for each: an allocation by
    history, or published responses, of which one problem may have more than another. `orders` are
    those in which the choices were shown for published samples.
    """

    task: Task
    protocol: Protocol
    problems: Mapping[str, Problem]
    sampling: Sampling
    folder: TaskFolder
    allocation: Mapping[str, int] | None = None
    orders: Mapping[tuple[str, int], tuple[int, ...]] = field(default_factory=dict)

    @property
    def asked(self) -> Mapping[str, int]:
        """The samples asked of each problem."""
        return (
            uniform(self.problems, self.sampling.k) if self.allocation is None else self.allocation
        )

    def problem_of(self, sample: Sample) -> Problem:
        """The problem of a stored sample; DataError where the task has none of its id."""
        problem = self.problems.get(sample.problem_id)
        if problem is None:
            raise DataError(
                f"{self.folder.path / 'samples.jsonl'}: a sample is of problem {sample.problem_id!r}, "
                "which the protocol does not have; the file was changed or damaged: restore it"
            )
        return problem

    def stopped_at(self, counts: Mapping[str, int]) -> TaskRun:
        """The task with these samples of each problem in place of its own; k is their mean."""
        k = round(sum(counts.values()) / max(1, len(counts)))
        allocation = None if set(counts.values()) <= {k} else counts
        return replace(self, sampling=replace(self.sampling, k=k), allocation=allocation)


@dataclass(frozen=True, slots=True)
class Unit:
    """One sample to draw."""

    run: TaskRun
    problem: Problem
    index: int

    @property
    def place(self) -> Place:
        """Its problem."""
        return self.run.task.name, self.problem.id


def missing(run: TaskRun, lengths: Lengths[Place] | None = None) -> dict[Place, Sequence[int]]:
    """By problem, in the task's order, the indices without a stored sample.

    Args:
        run: the task.
        lengths: those of the stored samples are added to them.
    """
    done, name = SampleSet(), run.task.name
    for sample in run.folder.read("samples.jsonl", TokensRow):
        done.add(sample.key)
        if lengths is not None:
            lengths.record((name, sample.problem_id), sample.n_tokens)
    due: dict[Place, Sequence[int]] = {}
    asked = run.asked
    for id in run.problems:
        rows: Sequence[int] = range(asked.get(id, 0))
        if any((id, index) in done for index in rows):
            rows = array("I", (index for index in rows if (id, index) not in done))
        if rows:
            due[name, id] = rows
    return due


def measured_lengths(path: Path, tasks: Collection[str]) -> Lengths[Place]:
    """The lengths in tokens of each problem's samples in a run, for these of its tasks."""
    found: Lengths[Place] = Lengths()
    for folder in RunFolder(path).tasks():
        if folder.name in tasks:
            for sample in folder.read("samples.jsonl", TokensRow):
                found.record((folder.name, sample.problem_id), sample.n_tokens)
    return found


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to draw, the lengths to expect, and by task where these come from."""

    missing: Mapping[Place, Sequence[int]]
    lengths: Lengths[Place]
    sources: Mapping[str, str]

    def schedule(self) -> Schedule[Place]:
        """All of it, in order."""
        return Schedule(self.missing, self.lengths)

    def record(self) -> PlanRecord:
        """As written to the manifest: by task, the samples to draw and the tokens to expect."""
        tasks: dict[str, list[tuple[int, float | None]]] = {}
        for place, rows in self.missing.items():
            tasks.setdefault(place[0], []).append((len(rows), self.lengths.expected(place)))
        return PlanRecord(ORDER, {task: self._expected(task, due) for task, due in tasks.items()})

    def _expected(self, task: str, due: Sequence[tuple[int, float | None]]) -> ExpectedSamples:
        samples = sum(n for n, _ in due)
        known = [(n, length) for n, length in due if length is not None]
        if not known:
            return ExpectedSamples(samples=samples)
        mean = sum(n * length for n, length in known) / sum(n for n, _ in known)
        return ExpectedSamples(
            samples=samples,
            lengths_from=self.sources[task],
            problems_known=f"{len(known)} of {len(due)}",
            mean_tokens=round(mean),
            longest_tokens=round(max(length for _, length in known)),
            tokens=round(mean * samples),
        )


@waiting_for("the stored samples to be read")
def make_plan(
    runs: Sequence[TaskRun],
    earlier: Mapping[str, Path] | None = None,
) -> Plan:
    """What is left to draw of these tasks.

    Args:
        runs: the tasks.
        earlier: by task, the run folder whose lengths to expect of problems without a sample.
    """
    lengths: Lengths[Place] = Lengths()
    due: dict[Place, Sequence[int]] = {}
    for run in runs:
        due |= missing(run, lengths)
    sources = {task: "this run" for task, _ in lengths.means()}
    names = {run.task.name for run in runs}
    for path in dict.fromkeys((earlier or {}).values()):
        wanted = {task for task in names if (earlier or {}).get(task) == path}
        measured = measured_lengths(path, wanted)
        for task in {place[0] for place in lengths.assume_measured(measured)}:
            sources[task] = " and ".join([*([sources[task]] if task in sources else []), str(path)])
    return Plan(due, lengths, sources)


def units(runs: Sequence[TaskRun], schedule: Schedule[Place]) -> Iterator[Unit]:
    """The samples left in a schedule, each taken from it when the iterator reaches it."""
    by_name = {run.task.name: run for run in runs}
    while (taken := schedule.take()) is not None:
        (name, id), index = taken
        yield Unit(by_name[name], by_name[name].problems[id], index)


def make_request(unit: Unit) -> tuple[Request, tuple[int, ...] | None]:
    """The request to the engine, and the order in which the choices are shown."""
    run, problem = unit.run, unit.problem
    order = run.orders.get((problem.id, unit.index))
    if run.protocol.choice_order not in (None, "published") and problem.choices:
        order = choice_order(
            len(problem.choices),
            run.protocol.choice_order,
            seed=run.protocol.choice_seed or 0,
            problem_id=problem.id,
            index=unit.index,
        )
    prompt = render(run.protocol.prompt, problem, order=order, system=run.protocol.system_prompt)
    seed = None
    if run.sampling.seeded:
        seed = derive_seed("sample", run.sampling.seed, run.task.name, problem.id, unit.index)
    return Request(problem.id, unit.index, prompt, run.sampling, seed), order


def reasoning_tokens(
    reasoning: str | None, n_tokens: int | None, count: Callable[[str], int | None]
) -> int | None:
    """Tokens of a completion's reasoning, at most its own; None where nobody counts them.

    Args:
        reasoning: None where it has none.
        n_tokens: of the completion.
        count: tokens of a text.
    """
    if reasoning is None:
        return 0 if n_tokens is not None else None
    found = count(reasoning)
    return found if found is None or n_tokens is None else min(found, n_tokens)


def make_sample(
    request: Request,
    completion: Completion,
    order: tuple[int, ...] | None,
    protocol: Protocol,
    engine: Engine,
    *,
    opened: bool | None = None,
) -> Sample:
    """The sample of a completion: split the reasoning off and count its tokens.

    Args:
        request: what the engine was asked.
        completion: its answer; reasoning that a server has split off is kept.
        order: in which the choices were shown.
        protocol: how reasoning ends.
        engine: counts the tokens of the reasoning where the completion does not say.
        opened: whether the prompt opens the reasoning, where the run knows more than the engine.
    """
    if opened is None:
        opened = engine.opens_reasoning
    reasoning, response = completion.reasoning, completion.text
    n_reasoning = completion.n_reasoning_tokens
    if reasoning is None:
        reasoning, split = split_reasoning(
            completion.text,
            think_end=protocol.think_end,
            thinking=protocol.thinking,
            opened=bool(opened),
        )
    else:
        # A server that splits reasoning sends no text when the cap was hit inside the reasoning.
        split = response or None
    if n_reasoning is None:
        n_reasoning = reasoning_tokens(reasoning, completion.n_tokens, engine.count_tokens)
    return Sample(
        problem_id=request.problem_id,
        index=request.index,
        reasoning=reasoning,
        response=split,
        finish_reason=completion.finish_reason,
        n_prompt_tokens=completion.n_prompt_tokens,
        n_reasoning_tokens=n_reasoning,
        n_tokens=completion.n_tokens,
        seconds=completion.seconds,
        choice_order=order,
        seed=request.seed,
        looped=completion.looped,
        cost=completion.cost,
    )
