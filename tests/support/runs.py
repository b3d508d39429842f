"""A run of five problems through the pipeline, and a grader that can fail in every way."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.interfaces import Completion, Grader, Request
from harness.pipeline.drawing import Drawing
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import Plan, TaskRun
from harness.pipeline.runner import Runner
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.stats.metrics import cons_at, pass_at
from harness.stats.scores import TaskScores
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter, TaskFolder
from harness.task import Task
from harness.tasks.kinds import KINDS
from harness.types import Grade, Problem, Sample, Verdict
from tests.support.fakes import FakeEngine, InlinePool, answer

PROBLEMS = [Problem(id=str(i), statement=f"What is {i}+{i}?", answer=str(2 * i)) for i in range(5)]


def make_run(path: Path, *, k: int = 4, task: Task | None = None, **sampling: object) -> TaskRun:
    """A task over PROBLEMS in a new or existing run folder."""
    task = replace(task or KINDS["integer"], prompt="{statement}", metrics=(pass_at(1), cons_at(2)))
    settings = Sampling(k=k, temperature=0.6, **sampling)  # type: ignore[arg-type]
    protocol = make_protocol(task, PROBLEMS, settings)
    with RunWriter(path) as writer:
        writer.begin(Manifest(model="m", fingerprint={"engine": "fake"}), Start())
        folder = writer.add_task(protocol, PROBLEMS, k)
    return TaskRun(task, protocol, {p.id: p for p in PROBLEMS}, settings, folder)


def right(request: Request) -> Completion:
    return answer(str(2 * int(request.problem_id)))


def complete(
    run: TaskRun, engine: FakeEngine | None, pool: GradingPool | InlinePool | None = None
) -> TaskScores:
    """The scores of a run, graded in one process unless a pool is given."""
    return asyncio.run(Runner([run], engine, pool or GradingPool(1)).run())[0]


def complete_inline(run: TaskRun, engine: FakeEngine) -> TaskScores:
    """The scores of a run, graded at once in this process."""
    return complete(run, engine, InlinePool())


class Rule:
    """A stopping rule that asks a function, over every task, after each sample of every problem."""

    def __init__(self, decided: Callable[[TaskRun, int], bool]) -> None:
        self._decided = decided
        self.bases: dict[str, Path] = {}
        self.ends: dict[str, list[dict[str, int]]] = {}

    def watch(self, runs: Sequence[TaskRun], plan: Plan, lanes: int) -> Rule:
        self.ends = {
            run.task.name: [dict.fromkeys(run.problems, r + 1) for r in range(run.sampling.k)]
            for run in runs
        }
        return self

    def decided(self, run: TaskRun, stage: int) -> bool:
        return self._decided(run, stage)


def in_stages(
    run: TaskRun, engine: FakeEngine, decided: Callable[[TaskRun, int], bool]
) -> Coroutine[Any, Any, list[TaskScores]]:
    """Complete a run in stages until `decided` says so, graded at once in this process."""
    return Runner([run], engine, InlinePool(), drawing=Drawing(rule=Rule(decided))).run()


def keys(folder: TaskFolder) -> list[tuple[str, int]]:
    return [sample.key for sample in folder.samples()]


@dataclass(frozen=True)
class FragileGrader(Grader):
    """Right when the response says so; can hang, die or raise in its worker."""

    version: str = "fragile/1"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        response = sample.response or ""
        if "hang" in response:
            time.sleep(60)
        if "die" in response:
            os.kill(os.getpid(), signal.SIGKILL)
        if "raise" in response:
            raise ValueError("oops")
        if "exit" in response:
            raise SystemExit(3)
        return Grade(*sample.key, Verdict.CORRECT, answer="x", grader=self.version)

    def classes(self, answers: Sequence[str]) -> list[int]:
        return [0] * len(answers)
