"""The client of the symbolic worker: computer algebra with hard limits on time and memory.

    this process -pipe-> worker (sympy imported once) -fork-> child (compares pairs, killable)

The worker is started at first use, one per process and shared by its threads; it exits when this
process ends, even by SIGKILL. A child that takes too much CPU time or memory is killed and the next
one forked in milliseconds, without importing sympy again. A worker that somebody else kills or stops
says nothing about an answer: the request goes to a fresh one.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from harness.errors import HarnessError
from harness.graders.sympy_worker import CHILDREN, MEMORY_MIB, wall_seconds

SECONDS = 0.6
"""CPU seconds of one pair: a verdict does not depend on how busy the machine is."""

LIMITS = f"symbolic-{SECONDS:g}s-{MEMORY_MIB}mib"
"""The limits of one pair, as they stand in a grader's version: others may give other verdicts."""

_START_SECONDS = 300.0  # wall time; an import on a busy machine, without compiled modules
_GRACE_SECONDS = 1.0
_TRIES = 6  # of one request, each with a fresh worker: somebody else may have killed it
_PAUSE_SECONDS = 0.1  # after the first try, and so much longer after each further one

Pair = tuple[str, str]


class WorkerLost(HarnessError):
    """The worker was lost again and again for a reason that is not the answer's: an internal error."""

    exit_code = 4


def start() -> None:
    """Start the worker and wait for its imports, so that the first comparison does not."""
    same([])


def same(pairs: Sequence[Pair], *, seconds: float = SECONDS) -> list[bool | None]:
    """Whether each (reference, answer) is equal; None where that is not known, or takes too much.

    Safe in any thread and event loop (it blocks), and in a daemonic pool worker.

    Args:
        pairs: texts of answers.
        seconds: CPU seconds of each pair; its wall time may be many times that on a busy machine.

    Raises:
        WorkerLost: workers were killed, stopped or could not be started, several times in a row.
    """
    return _worker().ask(pairs, seconds)


class _Worker:
    """One worker process and the lock that its users share."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None
        self.ready = False
        self.buffer = b""

    def ask(self, pairs: Sequence[Pair], seconds: float) -> list[bool | None]:
        with self.lock:
            request = json.dumps({"pairs": list(pairs), "seconds": seconds}).encode() + b"\n"
            pause = 0.0
            for _ in range(_TRIES):
                time.sleep(pause)
                try:
                    return self._results(self._exchange(request, len(pairs), seconds))
                except OSError as error:
                    why = error
                    self._stop()
                pause += _PAUSE_SECONDS
            raise WorkerLost(
                f"the symbolic worker was lost {_TRIES} times, at last: {why}"
            ) from why

    def _exchange(self, request: bytes, n_pairs: int, seconds: float) -> bytes:
        """The worker's reply. OSError when it could not be started, ended, or gave none."""
        process = self._start()
        limit = n_pairs * CHILDREN * wall_seconds(seconds) + _GRACE_SECONDS
        if not self.ready:  # so that a start that is killed costs no wait
            self._send(process, b'{"pairs": [], "seconds": 0}\n')
            self._line(process, _START_SECONDS)
            self.ready = True
        self._send(process, request)
        return self._line(process, limit)

    @staticmethod
    def _results(reply: bytes) -> list[bool | None]:
        """The answers of a reply. WorkerLost where one is a text: why there is none."""
        results: list[bool | str | None] = json.loads(reply)
        for result in results:
            if isinstance(result, str):
                raise WorkerLost(f"the process that compares by computer algebra {result}")
        return [result for result in results if not isinstance(result, str)]

    def _start(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self._stop()
            paths = [path or os.getcwd() for path in sys.path]  # noqa: PTH109
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "harness.graders.sympy_worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={
                    "PYTHONPATH": os.pathsep.join(paths),
                    "PYTHONHASHSEED": "0",
                    "LC_ALL": "C.UTF-8",
                },
            )
        return self.process

    @staticmethod
    def _send(process: subprocess.Popen[bytes], request: bytes) -> None:
        if process.stdin is not None:
            process.stdin.write(request)
            process.stdin.flush()

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """The worker's next line. OSError when it ends, or does not send one in time."""
        if process.stdout is None:
            raise OSError("it has no pipe")
        source = process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                raise OSError(f"it did not answer within {seconds:.0f} s")
            chunk = os.read(source, 1 << 16)
            if not chunk:
                raise OSError(f"it ended with code {process.wait()}")
            self.buffer += chunk
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def stop(self) -> None:
        """Stop the worker, if this process started it."""
        if self.owner == os.getpid():
            self._stop()

    def discard(self) -> None:
        """Close the pipes to the worker of the process that this one was forked from."""
        if self.process is not None:
            self.process.returncode = 0  # not a child of this process: nothing to wait for
            self._close()

    def _close(self) -> None:
        for pipe in (self.process.stdin, self.process.stdout) if self.process else ():
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self._close()
            self.process.wait()
        self.process, self.ready, self.buffer = None, False, b""


_shared = _Worker()
atexit.register(_shared.stop)


def _worker() -> _Worker:
    """The worker of this process; after a fork a new one, since the parent uses its own."""
    global _shared
    if _shared.owner != os.getpid():
        _shared.discard()
        _shared = _Worker()
        atexit.register(_shared.stop)
    return _shared
