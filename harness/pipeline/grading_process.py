"""One process that grades, and is started again when it ends.

    event loop -> thread of the worker -pipe-> process (imports once; chunks in, grades out)

Each process has a pipe of its own, so that one that is killed at any moment, while it starts, reads
or answers, breaks nothing that another one uses. Grades are sent while the chunk is in work, and the
position in the chunk stands in shared memory: when a process ends, it is known which sample was in
work.
"""

from __future__ import annotations

import asyncio
import atexit
import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from harness.errors import Incomplete
from harness.interfaces import Grader
from harness.types import Grade, Problem, Sample, Verdict

_START_SECONDS = 300.0  # wall time; imports on a busy machine, without compiled modules
_MAX_KILLED = 10  # starts in a row that a signal ended, or that the system refused
_MAX_EXITED = 3  # starts in a row that ended by themselves: the next one would too
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # seconds between two failed starts
_LOOK_SECONDS = 1.0  # between two looks whether the worker is being closed
_SEND_SECONDS = 0.02  # of grading per message: sending each grade alone costs as much as making it

Chunk = Sequence[tuple[Grader, Problem, Sample]]
T = TypeVar("T")


class WorkerLost(Exception):
    """A worker exited or hung with a chunk; the message says how.

    Args:
        what: what happened.
        grades: of the chunk's first samples.
        in_work: position in the chunk of the sample in work, -1 where the process had not read the
            chunk; those between them and it are to be graded again.
        ended: whether the worker ended by itself; False when it gave no answer in time.
    """

    def __init__(
        self, what: str, grades: Sequence[Grade] = (), in_work: int = 0, *, ended: bool = True
    ) -> None:
        super().__init__(what)
        self.ended = ended
        self.grades = grades
        self.in_work = max(in_work, len(grades)) if grades else in_work


class LocalWorker:
    """A process here, started at the first use and again after its end."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "grading", initializer=_block_interrupts)
        self._process: SpawnProcess | None = None
        self._channel: Connection | None = None
        self._position: Any = None  # in the chunk, of the sample in work: the process writes it
        self._closing = threading.Event()

    async def ready(self) -> bool:
        """Wait until the process is up.

        Raises:
            Incomplete: it cannot be started.
        """
        await self._call(self._start)
        return True

    async def grade(self, chunk: Chunk, seconds: float) -> list[Grade]:
        """Grade a chunk; `seconds` are for each of its samples.

        Raises:
            WorkerLost: the process exited, or did not answer in time.
            Incomplete: it cannot be started.
        """
        return await self._call(lambda: self._exchange(chunk, seconds))

    async def close(self) -> None:
        """Stop the process at once."""
        self._closing.set()
        process = self._process
        if process is not None:
            process.kill()
        await asyncio.to_thread(self._thread.shutdown)
        self._stop()

    async def _call(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _start(self) -> Connection:
        """The pipe to a process that is up."""
        failures, pause = 0, _FIRST_PAUSE
        while self._channel is None or self._process is None or not self._process.is_alive():
            self._stop()
            try:
                self._launch()
                self._receive(_START_SECONDS)
            except (WorkerLost, OSError) as error:
                exited = self._process is not None and (self._process.exitcode or 0) > 0
                failures += 1
                self._stop()
                if self._closing.is_set():
                    raise WorkerLost("it is being stopped") from None
                if failures >= (_MAX_EXITED if exited else _MAX_KILLED):
                    raise Incomplete(
                        f"no grading worker can be started, {failures} tries in a row failed (at "
                        f"last: {error}): see that the machine has memory, processes and open "
                        "files left; what is finished is kept, and the same command continues"
                    ) from error
                self._closing.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        return self._channel

    def _launch(self) -> None:
        # spawn: a forked child of a process that holds an engine's threads may deadlock.
        context = multiprocessing.get_context("spawn")
        self._channel, theirs = context.Pipe()
        self._position = context.RawValue("i", -1)
        try:
            process = context.Process(
                target=serve, args=[theirs, self._position], name="grading worker"
            )
            process.start()
            self._process = process
        finally:
            theirs.close()
        atexit.register(self._kill)  # multiprocessing would wait for it

    def _exchange(self, chunk: Chunk, seconds: float) -> list[Grade]:
        channel = self._start()
        grades: list[Grade] = []
        try:
            self._position.value = -1
            channel.send(chunk)
            while len(grades) < len(chunk):
                grades += self._receive(seconds)
        except (WorkerLost, OSError) as error:
            lost = error if isinstance(error, WorkerLost) else WorkerLost(self._how_it_ended())
            self._stop()
            in_work = min(self._position.value, len(chunk) - 1)
            raise WorkerLost(str(lost), grades, in_work, ended=lost.ended) from error
        return grades

    def _receive(self, seconds: float) -> list[Grade]:
        """The next grades; the first message has none and says that the process is up.

        Raises:
            WorkerLost: the process ended, or sent nothing within that time.
        """
        deadline = time.monotonic() + seconds
        channel, process = self._channel, self._process
        if channel is None or process is None:
            raise WorkerLost("the grading worker has not been started")
        while not self._closing.is_set():
            left = deadline - time.monotonic()
            if left <= 0:
                what = f"the grader did not answer within {seconds:.0f} s"
                raise WorkerLost(what, ended=False)
            ready = wait([channel, process.sentinel], min(left, _LOOK_SECONDS))
            if channel in ready:
                try:
                    message: list[Grade] = channel.recv()
                except (EOFError, OSError):
                    raise WorkerLost(self._how_it_ended()) from None
                return message
            if ready:
                raise WorkerLost(self._how_it_ended())
        raise WorkerLost("it is being stopped")

    def _how_it_ended(self) -> str:
        if self._process is not None:
            self._process.join(_LOOK_SECONDS)
        code = None if self._process is None else self._process.exitcode
        if code is None:
            return "the grading worker closed its pipe"
        if code < 0:
            with suppress(ValueError):
                return f"the grading worker was ended by {signal.Signals(-code).name}"
        return f"the grading worker exited with code {code}"

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def _stop(self) -> None:
        """End the process, if there is one, and close the pipe."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            atexit.unregister(self._kill)
        if self._channel is not None:
            self._channel.close()
        self._process = self._channel = None


def _block_interrupts() -> None:
    """A process started by this thread inherits its mask and never sees Ctrl-C: the driver stops it."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def serve(channel: Connection, position: Any) -> None:
    """Grade chunks in this process until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(EOFError, OSError):
        channel.send([])
        while True:
            grades, sent = [], time.monotonic()
            for number, item in enumerate(channel.recv()):
                position.value = number
                grades.append(grade_one(*item))
                if time.monotonic() - sent > _SEND_SECONDS:
                    channel.send(grades)
                    grades, sent = [], time.monotonic()
            channel.send(grades)


def grade_chunk(chunk: Chunk) -> list[Grade]:
    """Grade samples in this process."""
    return [grade_one(*item) for item in chunk]


def grade_one(grader: Grader, problem: Problem, sample: Sample) -> Grade:
    """Grade a sample in this process; a grader that raises gives `error`."""
    try:
        return grader.grade(problem, sample)
    except (Exception, SystemExit) as error:  # an internal error, not the model's
        return error_grade(grader, sample, f"the grader raised {error!r}")


def error_grade(grader: Grader, sample: Sample, what: str) -> Grade:
    """The grade of a sample that could not be graded."""
    return Grade(*sample.key, Verdict.ERROR, detail=what, grader=grader.version)
