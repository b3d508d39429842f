"""The client of the symbolic worker: computer algebra with hard limits on time and memory.

    this process -pipe-> worker (sympy imported once) -fork-> child (compares pairs, killable)

The worker is started at first use, one per process and shared by its threads; it exits when this
process ends, even by SIGKILL. A child that takes too much CPU time or memory is killed and the next
one forked in milliseconds, without importing sympy again.
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

from harness.graders.sympy_worker import MEMORY_MIB, wall_seconds

SECONDS = 0.6
"""CPU seconds of one pair: a verdict does not depend on how busy the machine is."""

LIMITS = f"symbolic-{SECONDS:g}s-{MEMORY_MIB}mib"
"""The limits of one pair, as they stand in a grader's version: others may give other verdicts."""

_START_SECONDS = 300.0  # wall time; an import on a busy machine, without compiled modules
_GRACE_SECONDS = 1.0

Pair = tuple[str, str]


def start() -> None:
    """Start the worker and wait for its imports, so that the first comparison does not."""
    same([])


def same(pairs: Sequence[Pair], *, seconds: float = SECONDS) -> list[bool | None]:
    """Whether each (reference, answer) is equal; None where that is not known.

    Safe in any thread and event loop (it blocks), and in a daemonic pool worker.

    Args:
        pairs: texts of answers.
        seconds: CPU seconds of each pair; its wall time may be many times that on a busy machine.
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
            limit = len(pairs) * wall_seconds(seconds) + _GRACE_SECONDS
            for _ in range(2):  # once more if the worker had exited since the last request
                process = self._start()
                limit += 0.0 if self.ready else _START_SECONDS
                try:
                    self._send(process, request)
                    reply = self._line(process, limit)
                except OSError:
                    reply = None
                if reply is not None:
                    self.ready = True
                    results: list[bool | None] = json.loads(reply)
                    return results
                self._stop()
            return [None] * len(pairs)

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

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes | None:
        """The worker's next line, or None when it does not arrive in time."""
        if process.stdout is None:
            return None
        source = process.stdout.fileno()
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                return None
            chunk = os.read(source, 1 << 16)
            if not chunk:
                return None
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
