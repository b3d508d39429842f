"""A grading process killed at any moment: while it starts, waits, grades or answers."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import pytest

from harness.errors import Incomplete
from harness.interfaces import Grader
from harness.pipeline import grading_process
from harness.pipeline.grading_pool import GradingPool, Job
from harness.pipeline.grading_process import LocalWorker, WorkerLost
from harness.types import Grade, Problem, Sample, Verdict
from tests.support.processes import children, processes
from tests.support.runs import PROBLEMS


@dataclass(frozen=True)
class TimedGrader(Grader):
    """Takes so many seconds; a response "die" ends its process."""

    seconds: float = 0.0
    version: str = "timed/1"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        time.sleep(self.seconds)
        if sample.response == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        return Grade(*sample.key, Verdict.CORRECT, detail=str(os.getpid()), grader=self.version)


def grading_processes() -> set[int]:
    return children() & processes("spawn_main").keys()


@contextmanager
def killer(pause: Callable[[], float], most: int) -> Iterator[list[int]]:
    """Kill a grading process after every pause, so many in all; those that were."""
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while len(killed) < most and not over.wait(pause()):
            for pid in grading_processes() - set(killed):
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield killed
    finally:
        over.set()
        thread.join()


def grade(texts: Iterable[str], grader: Grader, workers: int = 1) -> list[Grade]:
    grades: list[Grade] = []

    async def work() -> None:
        async with GradingPool(workers) as pool:
            for index, text in enumerate(texts):
                sample = Sample("0", index, None, text, "stop")
                await pool.put(Job(grader, PROBLEMS[0], sample, grades.append))
            await pool.drain()

    asyncio.run(asyncio.wait_for(work(), 300))
    return sorted(grades, key=lambda grade: grade.index)


def test_a_process_killed_while_it_starts_is_started_again() -> None:
    with killer(lambda: 0.02, 3) as killed:
        grades = grade(["fine"] * 40, TimedGrader())
    assert [(grade.index, grade.verdict) for grade in grades] == [
        (index, Verdict.CORRECT) for index in range(40)
    ]
    assert len(killed) == 3
    assert not {grade.detail for grade in grades} & {str(pid) for pid in killed}


def test_starts_that_are_all_killed_end_in_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading_process, "_MAX_KILLED", 3)
    with killer(lambda: 0.01, 100), pytest.raises(Incomplete) as caught:
        grade(["fine"], TimedGrader())
    assert "3 tries in a row failed (at last: the grading worker was ended by SIGKILL)" in str(
        caught.value
    )
    assert not grading_processes()


def exit_at_once(channel: Connection, position: Any) -> None:
    os._exit(7)


def test_a_start_that_ends_by_itself_is_not_tried_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grading_process, "serve", exit_at_once)
    with pytest.raises(Incomplete, match=r"3 tries in a row .* exited with code 7"):
        grade(["fine"], TimedGrader())


def test_a_start_that_the_system_refuses_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    refusals = iter([OSError(11, "Resource temporarily unavailable")] * 2)
    launch = LocalWorker._launch

    def refuse(self: LocalWorker) -> None:
        if error := next(refusals, None):
            raise error
        launch(self)

    monkeypatch.setattr(LocalWorker, "_launch", refuse)
    assert [each.verdict for each in grade(["fine"], TimedGrader())] == [Verdict.CORRECT]
    assert next(refusals, None) is None


def test_the_sample_in_work_is_named_and_what_was_sent_is_kept() -> None:
    texts = ["fine"] * 10 + ["die"] + ["fine"] * 5

    async def work() -> WorkerLost:
        worker = LocalWorker()
        chunk = [
            (TimedGrader(0.03), PROBLEMS[0], Sample("0", index, None, text, "stop"))
            for index, text in enumerate(texts)
        ]
        try:
            with pytest.raises(WorkerLost) as caught:
                await worker.grade(chunk, 60)
        finally:
            await worker.close()
        return caught.value

    lost = asyncio.run(work())
    assert (len(lost.grades), lost.in_work) == (10, 10)
    assert str(lost) == "the grading worker was ended by SIGKILL"


def test_a_sample_that_kills_its_worker_costs_three_processes_and_no_neighbour() -> None:
    texts = ["fine"] * 100
    texts[50] = "die"
    grades = grade(texts, TimedGrader())
    assert Counter(grade.verdict for grade in grades) == {Verdict.CORRECT: 99, Verdict.ERROR: 1}
    assert grades[50].detail == "the grading worker was ended by SIGKILL"
    assert len({grade.detail for grade in grades} - {grades[50].detail}) <= 4


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_kills_at_random_moments_lose_and_double_nothing(
    workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading_process, "_MAX_KILLED", 1_000)  # most kills may meet a start
    began = time.monotonic()
    grade(["fine"], TimedGrader())
    start = time.monotonic() - began
    moments = random.Random(workers)
    with killer(lambda: moments.uniform(0.0, 3 * start), 20) as killed:
        endless = iter(lambda: "fine" if len(killed) < 20 else None, None)
        grades = grade(endless, TimedGrader(0.02), workers)
    assert len(killed) >= 20
    assert [grade.index for grade in grades] == list(range(len(grades)))
    assert [grade.detail for grade in grades if grade.verdict is not Verdict.CORRECT] == []
