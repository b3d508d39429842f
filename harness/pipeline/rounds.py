"""Sampling in rounds, for tasks that are looked at after every round.

A round is one sample of every problem. Its last sample may take many times as long as its first,
and an engine that waited for it would stand idle; so samples of later rounds are drawn ahead, at
most as many as are in flight at once. What was drawn ahead of the round that decides is not used:
of an unfinished round only the quick samples are there, and they are not like the others.
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

_PATIENCE = 1.0  # seconds

Learn = Callable[[int | None], None]
"""Told how long a sample is, in tokens."""


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all of it at once; the first fault ends the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for part in work:
                group.create_task(part)
    except BaseExceptionGroup as faults:
        raise faults.exceptions[0] from None


class Rounds:
    """What is drawn next, and which rounds have ended. Pure.

    Args:
        plan: what is to be drawn.
        ks: by task, the number of its last round.
        ahead: samples of rounds after the one that is waited for, over all tasks.
    """

    def __init__(self, plan: Plan, ks: Mapping[str, int], ahead: int) -> None:
        self._ks, self._ahead, self._lengths = ks, ahead, plan.lengths
        self.waiting = dict.fromkeys(ks, 1)
        """By task that is not closed, the round that has not been looked at."""
        self._untaken: dict[tuple[str, int], list[Place]] = {}
        for place, rows in plan.missing.items():
            for index in rows:
                self._untaken.setdefault((place[0], index + 1), []).append(place)
        self._unended = Counter({key: len(places) for key, places in self._untaken.items()})
        self._sorted: set[tuple[str, int]] = set()
        self._taken_ahead: Counter[tuple[str, int]] = Counter()

    def take(self) -> tuple[Place, int] | None:
        """The next sample as (problem, index); None where it must wait for a look, or none is left."""
        for task, number in sorted(self._next_rounds(), key=self._rank):
            ahead = number > self.waiting[task]
            if ahead and self._taken_ahead.total() >= self._ahead:
                continue
            self._taken_ahead[task, number] += ahead
            return self._longest_first(task, number).pop(), number - 1
        return None

    def learn(self, place: Place, tokens: int | None) -> None:
        """Count the length of a sample that is stored."""
        self._lengths.learn(place, tokens)

    def end(self, task: str, index: int) -> None:
        """Count a sample that is graded, or has failed."""
        self._unended[task, index + 1] -= 1

    def has_ended(self, task: str) -> bool:
        """Whether every sample of the round that is waited for is graded, or has failed."""
        return self._unended[task, self.waiting[task]] <= 0

    def advance(self, task: str) -> None:
        """The round was looked at and does not decide: wait for the next one."""
        self.waiting[task] += 1
        del self._taken_ahead[task, self.waiting[task]]

    def close(self, task: str) -> None:
        """Nothing more is wanted of a task."""
        del self.waiting[task]
        for number in range(1, self._ks[task] + 1):
            del self._taken_ahead[task, number]

    def _longest_first(self, task: str, number: int) -> list[Place]:
        """What is left of a round, the longest expected last, and after it those of no known length."""
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
        """By task, the first round that has samples to be taken."""
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


class RoundWork:
    """Draws the samples of rounds in lanes, and asks after each round whether it decides.

    Args:
        rounds: of these tasks.
        runs: the tasks.
        draw: draws one sample, stores it and has it graded; `ended` is to be called of it.
        grade_rest: grades what is stored of a task and was not handed over for grading; raises
            what keeps samples from being graded.
        decided: whether a round of a task, all of whose samples have ended, is the last one.
    """

    def __init__(
        self,
        rounds: Rounds,
        runs: Sequence[TaskRun],
        *,
        draw: Callable[[Unit, Learn], Awaitable[None]],
        grade_rest: Callable[[TaskRun], Awaitable[None]],
        decided: Callable[[TaskRun, int], bool],
    ) -> None:
        self._rounds, self._runs = rounds, {run.task.name: run for run in runs}
        self._draw, self._grade_rest, self._decided = draw, grade_rest, decided
        self._came_to: dict[str, int] = {}
        self._drawing: dict[asyncio.Task[None], str] = {}
        self._looked, self._news = asyncio.Event(), asyncio.Event()

    async def run(self, lanes: int) -> Mapping[str, int]:
        """Complete the rounds in so many lanes; by task, the round that was its last one."""
        # Those who follow look at what is stored before a lane begins.
        followers = [self._follow(run) for run in self._runs.values()]
        await together([*followers, *(self._lane() for _ in range(lanes))])
        return self._came_to

    def ended(self, task: str, index: int) -> None:
        """A sample is graded, or has failed."""
        self._rounds.end(task, index)
        self._news.set()

    async def _follow(self, run: TaskRun) -> None:
        """Look at each round of a task as it ends, until one decides."""
        rounds, name = self._rounds, run.task.name
        while name in rounds.waiting:
            if not rounds.has_ended(name):
                self._news.clear()
                with suppress(TimeoutError):  # whoever grades may have failed, and no news come
                    # wait_for of Python 3.11 swallows a cancellation that comes with the news.
                    async with asyncio.timeout(_PATIENCE):
                        await self._news.wait()
                await self._grade_rest(run)
                continue
            number = rounds.waiting[name]
            if self._decided(run, number) or number >= run.sampling.k:
                self._came_to[name] = number
                rounds.close(name)
                for lane, task in self._drawing.items():
                    if task == name:
                        lane.cancel()
            else:
                rounds.advance(name)
            self._looked.set()

    async def _lane(self) -> None:
        """Draw one sample after another, while there is a task that wants more."""
        rounds, lane = self._rounds, cast("asyncio.Task[None]", asyncio.current_task())
        while rounds.waiting:
            taken = rounds.take()
            if taken is None:
                self._looked.clear()
                await self._looked.wait()
                continue
            (task, id), index = taken
            unit = Unit(self._runs[task], self._runs[task].problems[id], index)
            self._drawing[lane] = task
            try:
                await self._draw(unit, partial(rounds.learn, unit.place))
            except asyncio.CancelledError:
                # Only a sample that nobody wants any more was called off, and not the whole lane.
                if task in rounds.waiting or lane.uncancel():
                    raise
            finally:
                del self._drawing[lane]
