"""The pipeline: plan, sample, store, grade and score the tasks of one run.

    plan (missing samples of all tasks, longest expected first)
      -> engine.generate, one coroutine per sample, many in flight
      -> samples.jsonl, as each sample ends
      -> grading workers, while the engine goes on
      -> grades.jsonl -> scores.json

The files are the only state: a run that was killed at any moment is completed by planning again
from what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from harness.errors import EngineDown, EngineError
from harness.interfaces import Engine
from harness.pipeline.drawing import Drawing, StoppingRule
from harness.pipeline.equal_draws import DrawCheck
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
from harness.pipeline.schedule import Schedule
from harness.pipeline.splitting import Splitting
from harness.pipeline.stages import RecordLength, Stages, StageSampler, together
from harness.pipeline.stored_scores import score
from harness.pipeline.task_files import TaskFiles, record_error
from harness.pipeline.untagged import check_settled
from harness.stats.scores import TaskScores
from harness.stats.usage import Usage, usage_of
from harness.storage.files import write_lines
from harness.storage.projections import KeyRow, SampleRow
from harness.storage.run_folder import ErrorRow, TaskFolder
from harness.storage.sample_set import SampleSet
from harness.types import Grade, Sample, Verdict

_SYNC_SECONDS = 5.0

Observer = Callable[[str, str, Verdict | None], None]
"""Notified of every event: ("sampled" | "failed" | "graded", task name, verdict or None)."""


def silent(event: str, task: str, verdict: Verdict | None) -> None:
    """Observe nothing."""


@dataclass(frozen=True, slots=True)
class _Line:
    """What a sample passes through, and what is called once it is graded or has failed."""

    engine: Engine
    pool: GradingPool
    ended: Callable[[Place, int], None]


class Runner:
    """Completes the tasks of one run: samples what is missing, grades it, writes the scores.

    Args:
        runs: the tasks, each with its folder.
        engine: draws the samples; None only grades what is stored.
        pool: grades; it is started and stopped by `run`.
        drawing: how samples are drawn.
        observe: notified of every event, for a progress bar.
        learned: told where samples show whether the prompt opens the reasoning.
        notify: called with one line that the user should read.
    """

    def __init__(
        self,
        runs: Sequence[TaskRun],
        engine: Engine | None,
        pool: GradingPool,
        *,
        drawing: Drawing | None = None,
        observe: Observer = silent,
        learned: Callable[[bool], None] = lambda _: None,
        notify: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._runs = runs
        self._engine = engine
        self._pool = pool
        self._drawing = drawing or Drawing()
        self._observe, self._notify = observe, notify
        self._splitting = Splitting(runs, engine, learned)
        self._draws = DrawCheck(runs, engine)
        self._files: dict[str, TaskFiles] = {}
        self._queued: dict[str, SampleSet] = {}  # by task, the samples that the pool was given
        self._left_over = {run.task.name for run in runs}  # tasks with samples to grade from disk
        self.discarded: dict[str, Usage] = {}  # by task, what samples beyond an early stop used

    @cached_property
    def plan(self) -> Plan:
        """What is left to draw, read from the folders when it is first asked for."""
        return make_plan(self._runs if self._engine else (), self._drawing.lengths)

    async def run(self) -> list[TaskScores]:
        """Sample, grade and score; returns what each scores.json holds, in the tasks' order.

        Raises:
            EngineDown: the engine cannot go on; every finished sample is kept.
            UsageError: samples may be reasoning, and nothing tells; every one is kept.
        """
        rule = self._drawing.rule if self._engine else None
        self._splitting.begin()
        self._check_stored()
        for run in self._runs:
            self._files[run.task.name] = TaskFiles(run.folder)
            self._queued[run.task.name] = SampleSet(
                row.key for row in run.folder.read("grades.jsonl", KeyRow)
            )
        syncing = asyncio.create_task(self._sync_files())
        try:
            async with self._pool:
                if self._engine is None:
                    await self._grade_stored()
                    runs = self._runs
                elif rule is None:
                    await self._draw_all(_Line(self._engine, self._pool, lambda *_: None))
                    runs = self._runs
                else:
                    runs = await self._draw_stages(self._engine, rule)
        finally:
            syncing.cancel()
            for files in self._files.values():
                for file in files.all():
                    file.close()
        if rule is not None:
            used = {run.task.name: cut(run.folder, run.asked) for run in runs}
            self.discarded = {task: usage for task, usage in used.items() if usage.samples}
        for run in runs:
            self._draws.report(run, self._notify)
        check_settled(runs)
        return [score(run) for run in runs]

    def _check_stored(self) -> None:
        """Read what is stored; EngineDown where all draws of a task are equal."""
        _ = self.plan
        for run in self._runs:
            self._draws.read(run)
            self._draws.check(run)

    async def _draw_stages(self, engine: Engine, rule: StoppingRule) -> list[TaskRun]:
        """Sample in stages until each task is decided; the tasks, each with the samples it came to."""
        await self._grade_stored()
        lanes = self._drawing.concurrency or engine.concurrency
        analyses = rule.watch(self._runs, self.plan, lanes)
        sampler = StageSampler(Stages(self.plan, analyses.ends), self._runs, analyses.decided)
        line = _Line(engine, self._pool, sampler.ended)
        last = await sampler.run(
            lanes,
            draw=lambda unit, record: self._draw(unit, record, line),
            grade_rest=lambda run: self._grade_rest(run, line.ended),
        )
        await self._pool.drain()
        return [run.stopped_at(analyses.ends[run.task.name][last[run.task.name] - 1])
                for run in self._runs]  # fmt: skip

    async def _draw_all(self, line: _Line) -> None:
        """Draw everything that is planned, and grade all that is stored."""
        schedule = self.plan.schedule()
        lanes = min(self._drawing.concurrency or line.engine.concurrency, len(schedule))
        await together(self._lane(schedule, line) for _ in range(lanes))
        await self._grade_stored()

    async def _grade_stored(self) -> None:
        for run in self._runs:
            await self._grade_rest(run, lambda *_: None)
        await self._pool.drain()

    async def _lane(self, schedule: Schedule[Place], line: _Line) -> None:
        """Draw one sample after another, until none is left to take."""
        for unit in units(self._runs, schedule):
            await self._draw(unit, partial(schedule.record, unit.place), line)

    async def _draw(self, unit: Unit, record: RecordLength, line: _Line) -> None:
        """Draw one sample, store it and hand it over for grading."""
        run, name = unit.run, unit.run.task.name
        request, order = make_request(unit)
        try:
            completion = await line.engine.generate(request)
        except EngineDown:
            raise
        except EngineError as error:
            key = request.problem_id, request.index
            record_error(self._files[name].errors, "engine", key, str(error))
            self._observe("failed", name, Verdict.ERROR)
            line.ended(unit.place, request.index)
            return
        record(completion.n_tokens)
        learned = self._learn()
        sample = make_sample(
            request, completion, order, run.protocol, line.engine, opened=self._splitting.opens
        )
        self._files[name].samples.append([sample])
        self._splitting.note(run, sample, completion)
        self._draws.add(run, sample)
        self._draws.check(run)
        self._observe("sampled", name, None)
        if self._splitting.is_held(run, sample):
            self._left_over.add(name)
        elif line.pool.offer(self._job(run, sample, line.ended)):
            self._queued[name].add(sample.key)
        else:
            self._left_over.add(name)
        if learned and self._drawing.rule is not None:  # an analysis counts what is graded by then
            await together(self._grade_rest(other, lambda *_: None) for other in self._runs)

    def _learn(self) -> bool:
        """Split stored samples again where a completion shows what they are; whether it does."""
        for name, keys in (found := self._splitting.learn(self._files)).items():
            for key in keys:
                self._queued[name].discard(key)
            self._left_over.add(name)
        return bool(found)

    async def _grade_rest(self, run: TaskRun, ended: Callable[[Place, int], None]) -> None:
        """Grade the stored samples without a grade, left over from a kill or a full queue."""
        self._pool.check()
        name = run.task.name
        if name not in self._left_over:
            return
        self._left_over.remove(name)
        for sample in run.folder.samples():
            if sample.key not in self._queued[name] and not self._splitting.is_held(run, sample):
                self._queued[name].add(sample.key)
                await self._pool.put(self._job(run, sample, ended))

    def _job(self, run: TaskRun, sample: Sample, ended: Callable[[Place, int], None]) -> Job:
        files = self._files[run.task.name]

        def done(grade: Grade) -> None:
            if self._splitting.is_superseded(run, sample):
                ended((run.task.name, grade.problem_id), grade.index)
                return
            if grade.verdict is Verdict.ERROR:
                record_error(files.errors, "grader", grade.key, grade.detail)
            else:
                files.grades.append([grade])
            self._observe("graded", run.task.name, grade.verdict)
            ended((run.task.name, grade.problem_id), grade.index)

        return Job(run.task.grader, run.problem_of(sample), sample, done)

    async def _sync_files(self) -> None:
        while True:
            await asyncio.sleep(_SYNC_SECONDS)
            for files in self._files.values():
                for file in files.all():
                    await asyncio.to_thread(file.sync)


def cut(folder: TaskFolder, counts: Mapping[str, int]) -> Usage:
    """Remove what was stored beyond the first samples of each problem, as many as `counts` has.

    Samples go last: after a kill in between, every grade still has its sample.

    Returns:
        What the removed samples had used.
    """

    def beyond(row: Sample | Grade | ErrorRow) -> bool:
        return row.index >= counts.get(row.problem_id, 0)

    used = usage_of(
        row
        for row in folder.read("samples.jsonl", SampleRow)
        if row.index >= counts.get(row.problem_id, 0)
    )
    kinds: dict[str, type[Sample | Grade | ErrorRow]]
    kinds = {"grades": Grade, "errors": ErrorRow, "samples": Sample}
    for name, kind in kinds.items():
        file = f"{name}.jsonl"
        if any(map(beyond, folder.read(file, kind))):
            kept = (row for row in folder.read(file, kind) if not beyond(row))
            write_lines(folder.path / file, kept)
    return used
