"""The pipeline: plan, sample, store, grade and score the tasks of one run.

    plan (missing samples of all tasks, longest expected first)
      -> engine.generate, one coroutine per sample, many in flight
      -> samples.jsonl, as each sample ends
      -> grading workers, while the engine goes on
      -> grades.jsonl -> scores.json

What is on disk is the only state: a run that was killed at any moment is completed by planning
again from what is missing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from harness.errors import EngineDown, EngineError
from harness.interfaces import Engine
from harness.pipeline.grading_pool import GradingPool, Job
from harness.pipeline.pending import (
    Place,
    Plan,
    TaskRun,
    Unit,
    make_plan,
    make_request,
    make_sample,
    units,
)
from harness.pipeline.rounds import Learn, Rounds, RoundWork, together
from harness.pipeline.schedule import Schedule
from harness.pipeline.scoring import SampleStatistics, score_task
from harness.stats.breakdown import breakdown, open_range
from harness.stats.metrics import tallies
from harness.storage.files import Appender, read_lines, write_json, write_lines
from harness.storage.run_folder import TaskFolder
from harness.storage.sample_set import SampleSet
from harness.types import Grade, Sample, Verdict

_SYNC_SECONDS = 5.0

Decided = Callable[[TaskRun, int], bool]
"""Asked after each round of a task (a run, samples of every problem): is that enough?"""

Observer = Callable[[str, str, Verdict | None], None]
"""Told of every event: ("sampled" | "failed" | "graded", task name, verdict or None)."""


def silent(event: str, task: str, verdict: Verdict | None) -> None:
    """Observe nothing."""


@dataclass(slots=True)
class _Files:
    """The append-only files of one task, open for writing."""

    folder: TaskFolder
    samples: Appender = field(init=False)
    grades: Appender = field(init=False)
    errors: Appender = field(init=False)

    def __post_init__(self) -> None:
        self.samples, self.grades, self.errors = (
            Appender(self.folder.path / f"{name}.jsonl") for name in ("samples", "grades", "errors")
        )

    def all(self) -> tuple[Appender, ...]:
        return self.samples, self.grades, self.errors


def record_fault(errors: Appender, stage: str, key: tuple[str, int], message: str) -> None:
    """Write down a fault of ours: the stage ("engine", "grader"), the sample and what happened."""
    row = {"stage": stage, "problem_id": key[0], "index": key[1], "message": message}
    errors.append([{**row, "time": time.time()}])


class Runner:
    """Completes the tasks of one run: samples what is missing, grades it, writes the scores.

    Args:
        runs: the tasks, each with its folder.
        engine: draws the samples; None only grades what is there.
        concurrency: samples in flight; the engine's own number by default.
        workers: grading processes; one per core by default.
        pool: grades in their place, such as on a cluster too.
        observe: told of every event, for a progress bar.
        plan: what is to be drawn; by default what is missing, its lengths learned on the way.
        decided: sample in rounds, one sample of every problem each, until this says so of a task;
            it is asked last after round k. What was drawn beyond that round is thrown away.
    """

    def __init__(
        self,
        runs: Sequence[TaskRun],
        engine: Engine | None,
        *,
        concurrency: int | None = None,
        workers: int | None = None,
        observe: Observer = silent,
        plan: Plan | None = None,
        decided: Decided | None = None,
        pool: GradingPool | None = None,
    ) -> None:
        self._runs = runs
        self._plan = plan
        self._engine = engine
        self._concurrency = concurrency
        self._workers = workers
        self._pool = pool
        self._observe = observe
        self._files: dict[str, _Files] = {}
        self._decided = decided
        self._offered: dict[str, SampleSet] = {}
        self._left_over = {run.task.name for run in runs}  # tasks with samples to grade from disk
        self._ended: Callable[[str, int], None] = lambda task, index: None

    async def run(self) -> list[dict[str, Any]]:
        """Sample, grade and score; returns what each scores.json holds, in the tasks' order."""
        for run in self._runs:
            self._files[run.task.name] = _Files(run.folder)
            self._offered[run.task.name] = SampleSet(grade.key for grade in run.folder.grades())
        syncing = asyncio.create_task(self._sync_files())
        try:
            async with self._pool or GradingPool(self._workers) as pool:
                plan = self._plan or make_plan(self._runs if self._engine else ())
                if self._decided is None or self._engine is None:
                    await self._work(plan.schedule(), pool)
                else:
                    await self._rounds(plan, self._engine, self._decided, pool)
        finally:
            syncing.cancel()
            for files in self._files.values():
                for file in files.all():
                    file.close()
        for run in self._runs if self._decided else ():
            cut(run.folder, run.sampling.k)
        return [write_scores(run) for run in self._runs]

    async def _rounds(
        self, plan: Plan, engine: Engine, decided: Decided, pool: GradingPool
    ) -> None:
        """Sample in rounds until each task is decided, which leaves it with the k it came to."""
        for run in self._runs:
            await self._grade_rest(run, pool)
        await pool.drain()
        lanes = self._concurrency or engine.concurrency
        work = RoundWork(
            Rounds(plan, {run.task.name: run.sampling.k for run in self._runs}, ahead=lanes),
            self._runs,
            draw=lambda unit, learn: self._draw(unit, learn, engine, pool),
            grade_rest=lambda run: self._grade_rest(run, pool),
            decided=decided,
        )
        self._ended = work.ended
        came_to = await work.run(lanes)
        await pool.drain()
        self._runs = [
            replace(run, sampling=replace(run.sampling, k=came_to[run.task.name]))
            for run in self._runs
        ]

    async def _work(self, schedule: Schedule[Place], pool: GradingPool) -> None:
        """Draw these samples, and grade all that is stored."""
        if self._engine is not None:
            await self._sample(schedule, self._engine, pool)
        for run in self._runs:
            await self._grade_rest(run, pool)
        await pool.drain()

    async def _sample(self, schedule: Schedule[Place], engine: Engine, pool: GradingPool) -> None:
        lanes = min(self._concurrency or engine.concurrency, len(schedule))
        await together(self._lane(schedule, engine, pool) for _ in range(lanes))

    async def _lane(self, schedule: Schedule[Place], engine: Engine, pool: GradingPool) -> None:
        """Draw one sample after another, until none is left to be taken."""
        for unit in units(self._runs, schedule):
            await self._draw(unit, partial(schedule.learn, unit.place), engine, pool)

    async def _draw(self, unit: Unit, learn: Learn, engine: Engine, pool: GradingPool) -> None:
        """Draw one sample, store it and offer it for grading."""
        run, name = unit.run, unit.run.task.name
        request, order = make_request(unit)
        try:
            completion = await engine.generate(request)
        except EngineDown:
            raise
        except EngineError as error:
            key = request.problem_id, request.index
            record_fault(self._files[name].errors, "engine", key, str(error))
            self._observe("failed", name, Verdict.ERROR)
            self._ended(name, request.index)
            return
        learn(completion.n_tokens)
        sample = make_sample(request, completion, order, run.protocol, engine)
        self._files[name].samples.append([sample])
        self._observe("sampled", name, None)
        if pool.offer(self._job(run, sample)):
            self._offered[name].add(sample.key)
        else:
            self._left_over.add(name)

    async def _grade_rest(self, run: TaskRun, pool: GradingPool) -> None:
        """Grade the stored samples that have no grade: left over from a kill or a full queue."""
        pool.check()
        name = run.task.name
        if name not in self._left_over:
            return
        self._left_over.remove(name)
        for sample in run.folder.samples():
            if sample.key not in self._offered[name]:
                self._offered[name].add(sample.key)
                await pool.put(self._job(run, sample))

    def _job(self, run: TaskRun, sample: Sample) -> Job:
        files = self._files[run.task.name]

        def done(grade: Grade) -> None:
            if grade.verdict is Verdict.ERROR:
                record_fault(files.errors, "grader", grade.key, grade.detail)
            else:
                files.grades.append([grade])
            self._observe("graded", run.task.name, grade.verdict)
            self._ended(run.task.name, grade.index)

        return Job(run.task.grader, run.problems[sample.problem_id], sample, done)

    async def _sync_files(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_SECONDS)
            for files in self._files.values():
                for file in files.all():
                    await asyncio.to_thread(file.sync)


def cut(folder: TaskFolder, k: int) -> None:
    """Take away what was stored beyond the k samples per problem that a task came to.

    Samples go last: what a kill in between leaves has its samples, and no grade is left alone.
    """
    for name in ("grades", "errors", "samples"):
        path = folder.path / f"{name}.jsonl"
        if any(row["index"] >= k for _, row in read_lines(path)):
            write_lines(path, (row for _, row in read_lines(path) if row["index"] < k))


def compute_scores(run: TaskRun) -> dict[str, Any]:
    """The scores of a task from its folder, over the problems of its protocol."""
    statistics = SampleStatistics()
    for sample in run.folder.samples():
        if sample.problem_id in run.protocol.problems:
            statistics.add(sample)
    scores = score_task(
        run.protocol,
        run.sampling.k,
        run.task.grader,
        run.task.metrics,
        run.folder.grades(),
        {key for key in failed_keys(run.folder.errors()) if key[0] in run.protocol.problems},
        statistics,
    )
    found = tallies(run.folder.grades())
    return {
        **scores,
        "stopped": run.folder.stopping(),
        "breakdown": breakdown(run.problems, found),
        "range": open_range(run.problems, found),
    }


def write_scores(run: TaskRun) -> dict[str, Any]:
    """Compute the scores of a task from its folder and write scores.json."""
    scores = compute_scores(run)
    write_json(run.folder.path / "scores.json", scores)
    return scores


def failed_keys(errors: Iterable[Mapping[str, object]]) -> set[tuple[str, int]]:
    """(problem id, index) of every fault on record; those with a grade by now are no longer."""
    return {(str(e["problem_id"]), int(str(e["index"]))) for e in errors}
