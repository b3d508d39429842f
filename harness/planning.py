"""What is left to draw: a task of a run, its missing samples, requests, and samples from completions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.answers import split_thought
from harness.exam import Exam
from harness.parts import Engine
from harness.prompts import choice_order, derive_seed, render
from harness.store import TaskFolder
from harness.types import Completion, Problem, Request, Sample, Sampling, Task


@dataclass(frozen=True, slots=True)
class TaskRun:
    """One task of a run that is being worked on.

    `only` names the samples that can be drawn at all where that is not all of them: published
    responses may be more for one problem than for another.
    """

    task: Task
    exam: Exam
    problems: Mapping[str, Problem]
    sampling: Sampling
    folder: TaskFolder
    only: frozenset[tuple[str, int]] | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One sample to be drawn."""

    run: TaskRun
    problem: Problem
    index: int


def plan(run: TaskRun) -> list[Unit]:
    """The (problem, index) pairs that have no sample yet, longest expected problem first.

    A problem's expected length is the mean of its stored samples; one without any comes after
    those, in the task's order, its samples together so that the engine's prefix cache serves them.
    """
    done: set[tuple[str, int]] = set()
    lengths: dict[str, list[int]] = {}
    for sample in run.folder.samples():
        done.add(sample.key)
        if sample.n_tokens is not None:
            lengths.setdefault(sample.problem_id, []).append(sample.n_tokens)
    expected = {id: sum(values) / len(values) for id, values in lengths.items()}
    units = [
        Unit(run, problem, index)
        for problem in run.problems.values()
        for index in range(run.sampling.k)
        if (problem.id, index) not in done and (run.only is None or (problem.id, index) in run.only)
    ]
    return sorted(units, key=lambda unit: -expected.get(unit.problem.id, 0.0))


def make_request(unit: Unit) -> tuple[Request, tuple[int, ...] | None]:
    """What the engine is asked, and the order in which the choices are shown."""
    run, problem = unit.run, unit.problem
    order = None
    if run.exam.choice_order and problem.choices:
        order = choice_order(
            len(problem.choices),
            run.exam.choice_order,
            seed=run.exam.choice_seed or 0,
            problem_id=problem.id,
            index=unit.index,
        )
    prompt = render(run.exam.prompt, problem, order=order, system=run.exam.system_prompt)
    seed = None
    if run.sampling.seeded:
        seed = derive_seed("sample", run.sampling.seed, run.task.name, problem.id, unit.index)
    return Request(problem.id, unit.index, prompt, run.sampling, seed), order


def make_sample(
    request: Request,
    completion: Completion,
    order: tuple[int, ...] | None,
    exam: Exam,
    engine: Engine,
) -> Sample:
    """Split the thought off and count its tokens, if the engine has not done so."""
    thought, response = completion.thought, completion.text
    n_thought = completion.n_thought_tokens
    if thought is None:
        thought, split = split_thought(
            completion.text,
            think_end=exam.think_end,
            thinking=exam.thinking,
            opened=engine.thinks,
        )
    else:
        # A server that splits thoughts sends no text when the cap was hit inside the thought.
        split = response or None
    if n_thought is None:
        nothing = 0 if completion.n_tokens is not None else None
        n_thought = nothing if thought is None else engine.count_tokens(thought)
        if n_thought is not None and completion.n_tokens is not None:
            n_thought = min(n_thought, completion.n_tokens)
    return Sample(
        problem_id=request.problem_id,
        index=request.index,
        thought=thought,
        response=split,
        finish_reason=completion.finish_reason,
        n_prompt_tokens=completion.n_prompt_tokens,
        n_thought_tokens=n_thought,
        n_tokens=completion.n_tokens,
        seconds=completion.seconds,
        choice_order=order,
        seed=request.seed,
    )
