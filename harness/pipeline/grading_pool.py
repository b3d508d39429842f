"""Grading in worker processes, while the engine goes on.

A sample is handed over with `put` and its grade comes back through a callback, in any order. The
queue is bounded: `offer` refuses when it is full, and the caller grades that sample later from
the stored ones, so that grading never holds up an engine and memory stays flat.

When a worker exits or hangs, the sample in work is graded again, alone in a process here; one that
keeps stopping its worker ends in `error`, an internal error and never the model's. The others of its
chunk keep their grades, or are graded as if nothing had happened. Workers elsewhere
(`harness.pipeline.grading_ray`) take from the same queue beside the processes here, as they come and
go.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.interfaces import Grader
from harness.pipeline.grading_process import Chunk, LocalWorker, WorkerLost, error_grade
from harness.types import Grade, Problem, Sample

_CHUNK = 32  # samples per message to a worker: hides the cost of the message, bounds what is lost
_SECONDS = 60.0  # wall time for one sample, far above any grader's own limits
_TRIES = 3  # of a sample whose worker exits: somebody else may have killed it
_TRIES_HUNG = 2  # of one whose worker does not answer
_TRIES_UNREAD = 10  # losses before a chunk was read, which imports what its samples need
_BACKLOG_SECONDS = 1.0  # about what starting a process costs


class Worker(Protocol):
    """What grades one chunk at a time."""

    async def ready(self) -> bool:
        """Wait until it can take a chunk; False when it never will again."""
        ...

    async def grade(self, chunk: Chunk, seconds: float) -> list[Grade]:
        """Grade a chunk within that time. WorkerLost when there is no answer."""
        ...


class Elsewhere(Protocol):
    """Workers on other machines."""

    def workers(self) -> AsyncIterator[Worker]:
        """Yield each as it becomes known; end when there will be no more."""
        ...


@dataclass(frozen=True, slots=True)
class Job:
    """One sample to grade, and what is called with the grade."""

    grader: Grader
    problem: Problem
    sample: Sample
    done: Callable[[Grade], None] = field(compare=False)


def default_workers() -> int:
    """One worker per core that this process may use, at most eight: graders are quick."""
    return max(1, min(8, len(os.sched_getaffinity(0))))


class GradingPool:
    """Worker processes and the bounded queue before them; an async context manager.

    It starts one process, and the others when jobs keep waiting: each start costs about a second
    of CPU, and one alone keeps up with most engines where answers are compared and no code is run.

    Args:
        workers: processes here at most; one per core by default.
        seconds: for one sample, beside what its grader claims.
        elsewhere: further workers.
    """

    def __init__(
        self,
        workers: int | None = None,
        *,
        seconds: float = _SECONDS,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._workers = workers or default_workers()
        self._seconds = seconds
        self._elsewhere = elsewhere
        self._queue: asyncio.Queue[Job] = asyncio.Queue(maxsize=self._workers * _CHUNK * 4)
        self._emptied = True  # whether the queue was empty since the last check
        self._here = LocalWorker()
        self._local = [self._here]
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: asyncio.Future[None]

    async def __aenter__(self) -> GradingPool:
        from multiprocessing import resource_tracker

        # Started with the first worker instead, it would unblock the signals that are blocked there.
        resource_tracker.ensure_running()
        self._failure = asyncio.get_running_loop().create_future()
        self._keep(self._consume(self._here))
        if self._workers > 1:
            self._keep(self._start_others(self._workers - 1))
        if self._elsewhere is not None:
            self._keep(self._add_elsewhere(self._elsewhere))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._local:  # every job that counts was drained before
            await worker.close()

    def offer(self, job: Job) -> bool:
        """Queue a job without waiting; False when the queue is full."""
        try:
            self._queue.put_nowait(job)
        except asyncio.QueueFull:
            return False
        return True

    async def put(self, job: Job) -> None:
        """Queue a job, waiting for room; raises what ended a worker, as `drain` does."""
        self.check()
        if not self.offer(job):
            await self._wait(asyncio.create_task(self._queue.put(job)))

    async def drain(self) -> None:
        """Wait until every job that was queued is graded."""
        await self._wait(asyncio.create_task(self._queue.join()))

    async def _wait(self, waited: asyncio.Task[None]) -> None:
        """Wait for the workers, or until one has failed."""
        try:
            await asyncio.wait([waited, self._failure], return_when=asyncio.FIRST_COMPLETED)
            self.check()
        finally:
            waited.cancel()

    def check(self) -> None:
        """Raise what ended a worker: a full disk, a bug of ours."""
        if self._failure.done():
            self._failure.result()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._record_failure)

    def _record_failure(self, task: asyncio.Task[None]) -> None:
        """Keep the first failure, for `check` and for those that wait."""
        error = None if task.cancelled() else task.exception()
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # retrieved: the run may be ending already

    async def _start_others(self, processes: int) -> None:
        """Start the other processes once the queue has not been empty for a while."""
        await self._here.ready()
        while self._emptied or self._queue.empty():
            self._emptied = self._queue.empty()
            await asyncio.sleep(_BACKLOG_SECONDS)
        for _ in range(processes):
            self._local.append(LocalWorker())
            self._keep(self._consume(self._local[-1]))

    async def _add_elsewhere(self, elsewhere: Elsewhere) -> None:
        async for worker in elsewhere.workers():
            self._keep(self._consume(worker))

    async def _consume(self, worker: Worker) -> None:
        while await worker.ready():
            jobs = [await self._queue.get()]
            while len(jobs) < _CHUNK and not _budget(jobs[-1]) and not self._queue.empty():
                jobs.append(self._queue.get_nowait())
            self._emptied = self._emptied or self._queue.empty()
            for job, grade in zip(jobs, await self._grade(jobs, worker), strict=True):
                job.done(grade)
                self._queue.task_done()

    async def _grade(self, jobs: Sequence[Job], worker: Worker) -> list[Grade]:
        grades: list[Grade] = []
        suspect, losses = -1, 0  # the sample that was in work when a worker was lost, and how often
        unread = 0  # losses in a row of a worker that had not read what it was sent: nobody's fault
        while (done := len(grades)) < len(jobs):
            end = max(suspect, done + 1) if suspect >= done else len(jobs)
            try:
                grades += await self._try(jobs[done:end], worker)
            except WorkerLost as error:
                grades += error.grades
                worker = worker if worker in self._local else self._here
                unread = unread + 1 if error.in_work < 0 else 0
                if 0 < unread < _TRIES_UNREAD:
                    continue
                losses = losses + 1 if done == suspect else 1
                suspect = done + max(0, error.in_work)
                if losses >= (_TRIES if error.ended else _TRIES_HUNG):
                    grades.append(_error(jobs[suspect], str(error)))
        return grades

    async def _try(self, jobs: Sequence[Job], worker: Worker) -> list[Grade]:
        chunk = [(job.grader, job.problem, job.sample) for job in jobs]
        opening = max(job.grader.startup_seconds for job in jobs)  # may be its first
        seconds = self._seconds + opening + sum(_budget(job) for job in jobs)
        return await worker.grade(chunk, seconds)


def _budget(job: Job) -> float:
    """Seconds that the grader asks for one sample; above 0 where it runs programs.

    Such a sample ends its chunk, so that its grade does not wait for those behind it.
    """
    return job.grader.budget(job.problem)


def _error(job: Job, what: str) -> Grade:
    return error_grade(job.grader, job.sample, what)
