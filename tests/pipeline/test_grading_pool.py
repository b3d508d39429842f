"""Workers elsewhere, beside the processes here: what they take, and what becomes of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, ClassVar

import pytest

from harness.engines.ray.cluster import Node
from harness.errors import DataError
from harness.interfaces import Grader
from harness.pipeline import grading_pool as grading
from harness.pipeline import grading_ray
from harness.pipeline.grading_pool import GradingPool, Job, Worker
from harness.pipeline.grading_process import Chunk, WorkerLost, grade_chunk
from harness.pipeline.grading_ray import RayGrading, worker_count
from harness.types import Grade, Problem, Sample, Verdict
from tests.support.runs import PROBLEMS, FragileGrader

TEXTS = [f"fine {number}" for number in range(400)]


class FakeWorker:
    """Grades in this process; `fail` is asked before every chunk."""

    def __init__(self, fail: Callable[[int], None] = lambda chunks: None, lives: int = 1) -> None:
        self.chunks: list[Chunk] = []
        self._fail, self._lives = fail, lives
        self.up = asyncio.Event()
        self.up.set()

    async def ready(self) -> bool:
        await self.up.wait()
        return self._lives > 0

    async def grade(self, chunk: Chunk, seconds: float) -> list[Grade]:
        self.chunks.append(chunk)
        await asyncio.sleep(0)
        try:
            self._fail(len(self.chunks))
        except WorkerLost:
            self._lives -= 1
            raise
        return grade_chunk(chunk)


class SlowGrader(Grader):
    """Takes the seconds that a response asks for; the detail names the process."""

    version = "slow/1"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        time.sleep(float(sample.response or 0))
        return Grade(*sample.key, Verdict.CORRECT, detail=str(os.getpid()), grader=self.version)


class Fakes:
    """Brings these workers and then no more."""

    def __init__(self, *workers: FakeWorker) -> None:
        self._workers = workers

    async def workers(self) -> AsyncIterator[Worker]:
        for worker in self._workers:
            yield worker


def grade_all(make: Callable[[], Sequence[FakeWorker]], texts: Sequence[str]) -> tuple[
    list[FakeWorker], dict[str, list[Verdict]]
]:  # fmt: skip
    verdicts: dict[str, list[Verdict]] = {}
    workers: list[FakeWorker] = []

    async def work() -> None:
        workers.extend(make())
        async with GradingPool(1, seconds=20, elsewhere=Fakes(*workers)) as pool:
            for index, text in enumerate(texts):
                sample = Sample("0", index, None, text, "stop")

                def done(grade: Grade, text: str = text) -> None:
                    verdicts.setdefault(text, []).append(grade.verdict)

                await pool.put(Job(FragileGrader(), PROBLEMS[0], sample, done))
            await asyncio.wait_for(pool.drain(), 60)

    asyncio.run(work())
    return workers, verdicts


def test_workers_elsewhere_take_from_the_same_queue_and_nothing_is_graded_twice() -> None:
    workers, verdicts = grade_all(lambda: [FakeWorker(), FakeWorker()], TEXTS)
    assert verdicts == {text: [Verdict.CORRECT] for text in TEXTS}
    assert sum(len(chunk) for worker in workers for chunk in worker.chunks) > 300


def test_what_a_lost_worker_held_is_graded_here_and_the_worker_is_done() -> None:
    def lose(chunks: int) -> None:
        if chunks == 2:
            raise WorkerLost("the node is gone")

    workers, verdicts = grade_all(lambda: [FakeWorker(lose)], TEXTS)
    assert verdicts == {text: [Verdict.CORRECT] for text in TEXTS}
    assert len(workers[0].chunks) == 2


def test_a_sample_that_kills_every_worker_is_an_error_and_its_neighbours_are_graded() -> None:
    def lose(chunks: int) -> None:
        raise WorkerLost("it died")

    texts = list(TEXTS)
    texts[200] = "die"
    workers, verdicts = grade_all(lambda: [FakeWorker(lose) for _ in range(3)], texts)
    assert verdicts == {t: [Verdict.ERROR if t == "die" else Verdict.CORRECT] for t in texts}
    assert [len(worker.chunks) for worker in workers] == [1, 1, 1]


def test_a_worker_that_never_comes_up_holds_nothing_up() -> None:
    def make() -> list[FakeWorker]:
        worker = FakeWorker()
        worker.up.clear()
        return [worker]

    workers, verdicts = grade_all(make, TEXTS[:50])
    assert verdicts == {text: [Verdict.CORRECT] for text in TEXTS[:50]}
    assert workers[0].chunks == []


def test_a_fault_of_ours_elsewhere_ends_the_run() -> None:
    def fail(chunks: int) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        grade_all(lambda: [FakeWorker(fail)], TEXTS)


def test_a_full_disk_ends_who_waits_for_room_in_the_queue() -> None:
    def full(grade: Grade) -> None:
        raise DataError("grades.jsonl: cannot be written")

    async def work() -> None:
        async with GradingPool(1, seconds=20) as pool:
            for index in range(1_000):
                sample = Sample("0", index, None, "fine", "stop")
                await pool.put(Job(FragileGrader(), PROBLEMS[0], sample, full))

    with pytest.raises(DataError, match="cannot be written"):
        asyncio.run(asyncio.wait_for(work(), 30))


@pytest.mark.parametrize(
    ("cpus", "gpus", "here", "count"),
    [
        (64, 8, False, 48),  # two CPUs a GPU stay with the engines
        (64, 8, True, 40),  # and eight with the processes here
        (4, 8, False, 1),
        (4, 0, True, 0),
        (0, 8, False, 0),
    ],
)
def test_a_nodes_workers_leave_room(cpus: int, gpus: int, here: bool, count: int) -> None:
    assert worker_count(Node("n", "host", cpus, gpus, here), local=8) == count


def test_a_fault_of_a_worker_that_joins_while_all_is_waited_for_ends_the_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Never(FakeWorker):
        """The process here takes longer to start than the one elsewhere."""

        def __init__(self) -> None:
            super().__init__()
            self.up.clear()

        async def close(self) -> None:
            pass

    class Later:
        def __init__(self) -> None:
            self.join = asyncio.Event()

        async def workers(self) -> AsyncIterator[Worker]:
            await self.join.wait()
            yield FakeWorker()
            await asyncio.Event().wait()

    def full(grade: Grade) -> None:
        raise DataError("grades.jsonl: cannot be written")

    async def work() -> None:
        later = Later()
        async with GradingPool(1, elsewhere=later) as pool:
            sample = Sample("0", 0, None, "fine", "stop")
            await pool.put(Job(FragileGrader(), PROBLEMS[0], sample, full))
            draining = asyncio.create_task(pool.drain())
            await asyncio.sleep(0.05)
            later.join.set()
            await asyncio.wait_for(draining, 10)

    monkeypatch.setattr(grading, "LocalWorker", Never)
    with pytest.raises(DataError, match="cannot be written"):
        asyncio.run(work())


class FakeLocal(FakeWorker):
    """Processes as they are hired; the first of them can be kept from its end."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.hired.append(self)

    hired: ClassVar[list[FakeLocal]]

    async def grade(self, chunk: Chunk, seconds: float) -> list[Grade]:
        grades = await super().grade(chunk, seconds)
        await self.go_on.wait()
        return grades

    async def close(self) -> None:
        pass


@pytest.fixture
def hired(monkeypatch: pytest.MonkeyPatch) -> list[FakeLocal]:
    FakeLocal.hired = []
    monkeypatch.setattr(grading, "LocalWorker", FakeLocal)
    monkeypatch.setattr(grading, "_BACKLOG_SECONDS", 0.01)
    return FakeLocal.hired


def job(index: int, response: str, done: Callable[[Grade], object], grader: Any) -> Job:
    return Job(grader, PROBLEMS[0], Sample("0", index, None, response, "stop"), done)


def test_one_process_grades_alone_while_it_keeps_up(hired: list[FakeLocal]) -> None:
    async def work() -> None:
        async with GradingPool(3) as pool:
            for index in range(20):
                await pool.put(job(index, "fine", lambda grade: None, FragileGrader()))
                await pool.drain()
                await asyncio.sleep(0.015)

    asyncio.run(work())
    assert len(hired) == 1


def test_the_other_processes_start_when_samples_keep_waiting(hired: list[FakeLocal]) -> None:
    done: list[int] = []

    async def work() -> None:
        async with GradingPool(3) as pool:
            hired[0].go_on.clear()
            for index in range(100):
                await pool.put(
                    job(index, "fine", lambda grade: done.append(grade.index), FragileGrader())
                )
            while len(done) < 100 - 32:
                await asyncio.sleep(0.01)
            hired[0].go_on.set()
            await pool.drain()

    asyncio.run(asyncio.wait_for(work(), 30))
    assert len(hired) == 3
    assert sorted(done) == list(range(100))


@pytest.mark.slow
def test_samples_that_keep_waiting_are_graded_by_all_processes() -> None:
    pids: set[str] = set()

    async def work() -> None:
        async with GradingPool(3) as pool:
            for index in range(300):
                await pool.put(
                    job(index, "0.1", lambda grade: pids.add(grade.detail), SlowGrader())
                )
            await pool.drain()

    asyncio.run(work())
    assert len(pids) == 3


def test_a_cluster_that_is_lost_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lost:
        def __init__(self, address: str | None) -> None:
            pass

        def nodes(self) -> list[Node]:
            raise ConnectionError("the head node does not answer")

    monkeypatch.setattr(grading_ray, "Cluster", Lost)
    told: list[str] = []

    async def work() -> list[Worker]:
        return [worker async for worker in RayGrading("a:1", [], told.append).workers()]

    assert asyncio.run(work()) == []
    assert told == ["the Ray cluster grades no more: the head node does not answer"]
