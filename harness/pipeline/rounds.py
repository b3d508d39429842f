"""Sampling in rounds, for tasks with an interim analysis after every round.

A round is one sample of every problem. Its last sample may take many times as long as its first,
and an engine that waited for it would idle; so samples of later rounds are drawn ahead, at most as
many as are in flight at once. Samples drawn ahead of the deciding round are discarded: an
unfinished round holds only its short samples, which would bias the score.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, cast

from harness.pipeline.pending import Place, Plan, TaskRun, Unit

_RETRY_SECONDS = 1.0

Decided = Callable[[TaskRun, int], bool]
"""Called after each round of a task with the round's number: whether it is the last one."""

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


class Rounds:
    """Which sample is drawn next, and which rounds have ended. Pure.

    Args:
        plan: the samples to draw.
        ks: by task, the number of its last round.
        ahead: how many samples of later rounds may be drawn ahead, over all tasks.
    """

    def __init__(self, plan: Plan, ks: Mapping[str, int], ahead: int) -> None:
        self._ks, self._ahead, self._lengths = ks, ahead, plan.lengths
        self.waiting = dict.fromkeys(ks, 1)
        """By task that is not closed, the first round that was not analysed."""
        self._untaken: dict[tuple[str, int], list[Place]] = {}
        for place, rows in plan.missing.items():
            for index in rows:
                self._untaken.setdefault((place[0], index + 1), []).append(place)
        self._unended = Counter({key: len(places) for key, places in self._untaken.items()})
        self._sorted: set[tuple[str, int]] = set()
        self._taken_ahead: Counter[tuple[str, int]] = Counter()

    def take(self) -> tuple[Place, int] | None:
        """The next sample as (problem, index); None until an analysis, or when none is left."""
        for task, number in sorted(self._next_rounds(), key=self._rank):
            ahead = number > self.waiting[task]
            if ahead and self._taken_ahead.total() >= self._ahead:
                continue
            self._taken_ahead[task, number] += ahead
            return self._longest_first(task, number).pop(), number - 1
        return None

    def record(self, place: Place, tokens: int | None) -> None:
        """Add the length of a sample that was stored."""
        self._lengths.record(place, tokens)

    def end(self, task: str, index: int) -> None:
        """Count a sample that is graded, or has failed."""
        self._unended[task, index + 1] -= 1

    def has_ended(self, task: str) -> bool:
        """Whether every sample of the round waited for is graded, or has failed."""
        return self._unended[task, self.waiting[task]] <= 0

    def advance(self, task: str) -> None:
        """Wait for the next round: the analysis of this one does not decide."""
        self.waiting[task] += 1
        del self._taken_ahead[task, self.waiting[task]]

    def close(self, task: str) -> None:
        """End the sampling of a task."""
        del self.waiting[task]
        for number in range(1, self._ks[task] + 1):
            del self._taken_ahead[task, number]

    def _longest_first(self, task: str, number: int) -> list[Place]:
        """What is left of a round: the longest expected last, and unknown lengths after it."""
        places = self._untaken[task, number]
        if (task, number) not in self._sorted:
            self._sorted.add((task, number))
            places.reverse()  # equals are taken in the task's order
            places.sort(key=self._expected)
        return places

    def _expected(self, place: Place) -> float:
        length = self._lengths.expected(place)
        return math.inf if length is None else length

    def _next_rounds(self) -> Iterator[tuple[str, int]]:
        """By task, the first round with samples left to take."""
        for task, waited in self.waiting.items():
            for number in range(waited, self._ks[task] + 1):
                if self._untaken.get((task, number)):
                    yield task, number
                    break

    def _rank(self, found: tuple[str, int]) -> tuple[int, int, float]:
        """How far ahead, which round, and of equals the longest expected first."""
        task, number = found
        longest = self._expected(self._longest_first(task, number)[-1])
        return number - self.waiting[task], number, -longest


class RoundSampler:
    """Draws the samples of rounds in lanes, and analyses each round as it ends.

    Args:
        rounds: of these tasks.
        runs: the tasks.
        decided: whether a round of a task, all of whose samples have ended, is its last one.
    """

    def __init__(self, rounds: Rounds, runs: Sequence[TaskRun], decided: Decided) -> None:
        self._rounds, self._runs = rounds, {run.task.name: run for run in runs}
        self._decided = decided
        self._last_rounds: dict[str, int] = {}
        self._drawing: dict[asyncio.Task[None], str] = {}
        self._analysed, self._sample_ended = asyncio.Event(), asyncio.Event()

    async def run(
        self,
        lanes: int,
        *,
        draw: Callable[[Unit, RecordLength], Awaitable[None]],
        grade_rest: Callable[[TaskRun], Awaitable[None]],
    ) -> Mapping[str, int]:
        """Complete the rounds.

        Args:
            lanes: samples drawn at once.
            draw: draws one sample, stores it and has it graded; it calls `ended` afterwards.
            grade_rest: grades what is stored of a task and was not queued yet; raises what keeps
                samples from being graded.

        Returns:
            By task, the number of its last round.
        """
        # The analyses of stored rounds come first, so that no lane draws what is not needed.
        analyses = [self._analyse(run, grade_rest) for run in self._runs.values()]
        await together([*analyses, *(self._lane(draw) for _ in range(lanes))])
        return self._last_rounds

    def ended(self, task: str, index: int) -> None:
        """Count a sample that is graded, or has failed."""
        self._rounds.end(task, index)
        self._sample_ended.set()

    async def _analyse(
        self, run: TaskRun, grade_rest: Callable[[TaskRun], Awaitable[None]]
    ) -> None:
        """Analyse each round of a task as it ends, until one decides."""
        rounds, name = self._rounds, run.task.name
        while name in rounds.waiting:
            if not rounds.has_ended(name):
                self._sample_ended.clear()
                with suppress(TimeoutError):  # a grader that failed ends no sample any more
                    # wait_for of Python 3.11 loses a cancellation that arrives with the event.
                    async with asyncio.timeout(_RETRY_SECONDS):
                        await self._sample_ended.wait()
                await grade_rest(run)
                continue
            number = rounds.waiting[name]
            if self._decided(run, number) or number >= run.sampling.k:
                self._last_rounds[name] = number
                rounds.close(name)
                for lane, task in self._drawing.items():
                    if task == name:
                        lane.cancel()
            else:
                rounds.advance(name)
            self._analysed.set()

    async def _lane(self, draw: Callable[[Unit, RecordLength], Awaitable[None]]) -> None:
        """Draw one sample after another, while a task needs more."""
        rounds, lane = self._rounds, cast("asyncio.Task[None]", asyncio.current_task())
        while rounds.waiting:
            taken = rounds.take()
            if taken is None:
                self._analysed.clear()
                await self._analysed.wait()
                continue
            (task, id), index = taken
            unit = Unit(self._runs[task], self._runs[task].problems[id], index)
            self._drawing[lane] = task
            try:
                await draw(unit, partial(rounds.record, unit.place))
            except asyncio.CancelledError:
                # Unless the whole lane is cancelled, only a sample of a decided task was.
                if task in rounds.waiting or lane.uncancel():
                    raise
            finally:
                del self._drawing[lane]
