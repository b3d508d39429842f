"""Sampling in stages, for tasks with interim analyses on the way.

A stage is what is drawn between two interim analyses. Its samples go first, longest expected first
over the whole stage, so that it ends with short ones. A lane that finds nothing left of it draws from
the stages after it, so that none ever waits for the last samples of a stage. What was drawn beyond the
stage that decides is discarded: an unfinished stage holds only its short samples, which would bias the
score.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from harness.pipeline.pending import Place, Plan, TaskRun, Unit
from harness.pipeline.schedule import Rank, Schedule

_RETRY_SECONDS = 1.0

Decided = Callable[[TaskRun, int], bool]
"""Called after each stage of a task with the stage's number, from 1 on: whether it is the last one."""

Counts = Mapping[str, int]
"""Samples per problem, by id."""

RecordLength = Callable[[int | None], None]
"""Takes the length of a sample that has ended, in tokens."""


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run coroutines at once; the first exception cancels the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None


class Stages:
    """Which sample is drawn next, and which stages have ended. Pure.

    Args:
        plan: the samples to draw.
        ends: by task, the samples of each problem up to the end of each stage; never fewer than in
            the stage before.
    """

    def __init__(self, plan: Plan, ends: Mapping[str, Sequence[Counts]]) -> None:
        self._lengths, self._ends = plan.lengths, ends
        self.waiting = dict.fromkeys(ends, 1)
        """By task that is not closed, the first stage that was not analysed."""
        missing: dict[tuple[str, int], dict[Place, Sequence[int]]] = {}
        for place, rows in plan.missing.items():
            task, id = place
            done = 0
            for stage, counts in enumerate(ends[task], 1):
                end = bisect_left(rows, counts[id])
                if end > done:
                    missing.setdefault((task, stage), {})[place] = rows[done:end]
                done = max(done, end)
        self._schedules = {key: Schedule(rows, plan.lengths) for key, rows in missing.items()}
        self._unended = {key: len(schedule) for key, schedule in self._schedules.items()}

    def take(self) -> tuple[Place, int] | None:
        """The next sample as (problem, index); None when none is left of the tasks that go on."""
        found = [
            ((ahead, rank), schedule)
            for task, waited in self.waiting.items()
            for ahead, rank, schedule in self._next(task, waited)
        ]
        return min(found, key=lambda pair: pair[0])[1].take() if found else None

    def record(self, place: Place, tokens: int | None) -> None:
        """Add the length of a sample that was stored."""
        self._lengths.record(place, tokens)
        for (task, _), schedule in self._schedules.items():
            if task == place[0]:
                schedule.move(place)

    def end(self, place: Place, index: int) -> None:
        """Count a sample that is graded, or has failed."""
        task, id = place
        stage = next(n for n, counts in enumerate(self._ends[task], 1) if index < counts[id])
        self._unended[task, stage] -= 1

    def has_ended(self, task: str) -> bool:
        """Whether every sample of the stage waited for is graded, or has failed."""
        return self._unended.get((task, self.waiting[task]), 0) <= 0

    def is_last(self, task: str) -> bool:
        """Whether the stage waited for is the last one."""
        return self.waiting[task] >= len(self._ends[task])

    def advance(self, task: str) -> None:
        """Wait for the next stage: the analysis of this one does not decide."""
        self.waiting[task] += 1

    def close(self, task: str) -> None:
        """End the sampling of a task."""
        del self.waiting[task]

    def _next(self, task: str, waited: int) -> Iterable[tuple[int, Rank, Schedule[Place]]]:
        """The first stage with samples left to take: how far ahead it is, and where they stand."""
        for stage in range(waited, len(self._ends[task]) + 1):
            schedule = self._schedules.get((task, stage))
            rank = None if schedule is None else schedule.rank()
            if schedule is not None and rank is not None:
                return [(stage - waited, rank, schedule)]
        return []


class StageSampler:
    """Draws the samples of stages in lanes, and analyses each stage as it ends.

    Args:
        stages: of these tasks.
        runs: the tasks.
        decided: whether a stage of a task, all of whose samples have ended, is its last one.
    """

    def __init__(self, stages: Stages, runs: Sequence[TaskRun], decided: Decided) -> None:
        self._stages, self._runs = stages, {run.task.name: run for run in runs}
        self._decided = decided
        self._last_stages: dict[str, int] = {}
        self._drawing: dict[asyncio.Task[None], str] = {}
        self._sample_ended = asyncio.Event()

    async def run(
        self,
        lanes: int,
        *,
        draw: Callable[[Unit, RecordLength], Awaitable[None]],
        grade_rest: Callable[[TaskRun], Awaitable[None]],
    ) -> Mapping[str, int]:
        """Complete the stages.

        Args:
            lanes: samples drawn at once.
            draw: draws one sample, stores it and has it graded; it calls `ended` afterwards.
            grade_rest: grades what is stored of a task and was not queued yet; raises what keeps
                samples from being graded.

        Returns:
            By task, the number of its last stage.
        """
        # The analyses of stored stages come first, so that no lane draws what is not needed.
        analyses = [self._analyse(run, grade_rest) for run in self._runs.values()]
        await together([*analyses, *(self._lane(draw) for _ in range(lanes))])
        return self._last_stages

    def ended(self, place: Place, index: int) -> None:
        """Count a sample that is graded, or has failed."""
        self._stages.end(place, index)
        self._sample_ended.set()

    async def _analyse(
        self, run: TaskRun, grade_rest: Callable[[TaskRun], Awaitable[None]]
    ) -> None:
        """Analyse each stage of a task as it ends, until one decides."""
        stages, name = self._stages, run.task.name
        while name in stages.waiting:
            if not stages.has_ended(name):
                self._sample_ended.clear()
                with suppress(TimeoutError):  # a grader that failed ends no sample any more
                    # wait_for of Python 3.11 loses a cancellation that arrives with the event.
                    async with asyncio.timeout(_RETRY_SECONDS):
                        await self._sample_ended.wait()
                await grade_rest(run)
                continue
            if not self._decided(run, stages.waiting[name]) and not stages.is_last(name):
                stages.advance(name)
                continue
            self._last_stages[name] = stages.waiting[name]
            stages.close(name)
            for lane, task in self._drawing.items():
                if task == name:
                    lane.cancel()

    async def _lane(self, draw: Callable[[Unit, RecordLength], Awaitable[None]]) -> None:
        """Draw one sample after another, until none is left to take."""
        stages, lane = self._stages, cast("asyncio.Task[None]", asyncio.current_task())
        while (taken := stages.take()) is not None:
            (task, id), index = taken
            unit = Unit(self._runs[task], self._runs[task].problems[id], index)
            self._drawing[lane] = task
            try:
                await draw(unit, partial(stages.record, unit.place))
            except asyncio.CancelledError:
                # Unless the whole lane is cancelled, only a sample of a decided task was.
                if task in stages.waiting or lane.uncancel():
                    raise
            finally:
                del self._drawing[lane]
