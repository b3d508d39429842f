"""A worker: one sandbox, the jobs it runs, and the supervisor's end of the channel to it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

from harness.judge import sandbox

Mode = Literal["script", "function", "official", "exec"]
Ended = Literal["exit", "cpu", "wall", "memory", "stopped"]

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_DETAIL = 300
_MAX_WALL_FACTOR = 8  # as in the server
_GRACE_SECONDS = 15.0
_STDERR_TAIL = 4096
_PAGE = 4096


class WorkerFailed(Exception):
    """The sandbox exited or stopped answering, by its own fault or by what the program did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One process to run. Sizes in bytes, times in seconds; descriptors stay the caller's.

    Args:
        mode: a Python script, a function of one, the official wrapping, or a binary.
        program: descriptor of the source, or of the binary that an empty argv[0] stands for.
        stdin: descriptor of its standard input.
        cpu: limit of CPU seconds.
        wall: limit of wall seconds.
        memory: limit of all its processes together.
        output: limit of its output, and of any file that it writes.
        processes: limit of its processes and threads.
        disk: size of its folder, which is held in memory, beside the files that are put there.
        argv: arguments; for "exec" with the path of the binary before them.
        function: for "function" the name of the function to call.
        runner: for "official" the scoring, which tells LiveCodeBench's runners apart.
        restricted: remove the functions that LiveCodeBench's runner removes.
        prelude: run LiveCodeBench's import header first.
        numpy: the program mentions numpy: run it where that is imported already.
        files: (name, descriptor) of files in its folder.
        collect: name of a file that it writes, which then counts as its output.
        kept: a descriptor that stays open in it as `sandbox.PCH_FD`.
        last: no further job belongs to this submission.
    """

    mode: Mode
    program: int
    stdin: int
    cpu: float
    wall: float
    memory: int
    output: int
    processes: int
    disk: int = 64 << 20
    argv: Sequence[str] = ()
    function: str = ""
    runner: str = ""
    restricted: bool = False
    prelude: bool = False
    numpy: bool = False
    files: Sequence[tuple[str, int]] = ()
    collect: str = ""
    kept: int | None = None
    last: bool = True


@dataclass(frozen=True, slots=True)
class JobResult:
    """What came of a job.

    `delay` is how long it waited for a core, where that was measured; `compiled` whether a
    Python program got past its compilation; `exhausted` whether the interpreter ended it for a
    MemoryError that nobody caught; `stderr` the end of what it wrote there.
    """

    status: int | None
    ended: Ended
    cpu: float
    wall: float
    peak_kib: int
    delay: float | None
    compiled: bool
    exhausted: bool
    output: bytes
    stderr: bytes


def deadline(wall: float) -> float:
    """Seconds within which a sandbox must answer a job with this wall limit in seconds."""
    return wall * _MAX_WALL_FACTOR + _GRACE_SECONDS


class Worker:
    """A sandbox, started at its first job and restarted after a failure.

    Programs that mention numpy run in a second one, where it is imported: importing it takes as
    long as twenty tests, and having it imported makes every fork slower.

    Args:
        python: the interpreter of Python programs; see `harness.judge.sandbox.interpreter`.
        unsafe: no sandbox, resource limits alone.
    """

    def __init__(self, *, python: str | None = None, unsafe: bool = False) -> None:
        self._python, self._unsafe = python, unsafe
        self._sandboxes: dict[bool, sandbox.Sandbox] = {}
        self._current: sandbox.Sandbox | None = None

    def start(self, *, numpy: bool = False) -> sandbox.Sandbox:
        """The sandbox for programs with or without numpy, started unless it is running.

        Raises:
            JudgeUnavailable: it cannot be started.
        """
        if numpy not in self._sandboxes:
            self._sandboxes[numpy] = sandbox.start(
                python=self._python, unsafe=self._unsafe, numpy=numpy
            )
        return self._sandboxes[numpy]

    def close(self) -> None:
        """Stop the sandboxes. A later job starts them again."""
        for running in self._sandboxes.values():
            running.close()
        self._sandboxes.clear()
        self._current = None

    def run(self, job: Job) -> JobResult:
        """Run one job to its end.

        Raises:
            WorkerFailed: the sandbox failed; it is closed, and the job may be retried.
            JudgeUnavailable: it cannot be started.
        """
        self._current = self.start(numpy=job.numpy)
        stdout, stderr = _memfd(), _memfd()
        try:
            kept = job.program if job.kept is None else job.kept
            fds = [job.program, job.stdin, stdout, stderr, kept, *(fd for _, fd in job.files)]
            self._send(_message(job), fds)
            answer = self._receive(deadline(job.wall))
            size = os.fstat(stderr).st_size
            return JobResult(
                status=answer["status"],
                ended=answer["ended"],
                cpu=answer["cpu"],
                wall=answer["wall"],
                peak_kib=answer["peak"],
                delay=answer["delay"],
                compiled=answer["compiled"],
                exhausted=answer["exhausted"],
                output=os.pread(stdout, os.fstat(stdout).st_size, 0),
                stderr=os.pread(stderr, _STDERR_TAIL, max(0, size - _STDERR_TAIL)),
            )
        except BaseException:  # interrupted: an answer may still come, and is not the next one's
            self.close()
            raise
        finally:
            os.close(stdout)
            os.close(stderr)

    def end_submission(self) -> None:
        """Notify the sandbox that the submission ends without a job marked `last`."""
        with contextlib.suppress(WorkerFailed):
            self._send({"end": True}, [])

    def _send(self, message: dict[str, Any], fds: list[int]) -> None:
        try:
            socket.send_fds(self._running().channel, [json.dumps(message).encode()], fds)
        except OSError as error:
            self._fail(str(error))

    def _receive(self, seconds: float) -> dict[str, Any]:
        channel = self._running().channel
        channel.settimeout(seconds)
        try:
            data = channel.recv(1 << 16)
        except OSError as error:
            self._fail(f"no answer within {seconds:.0f} s ({error})")
        answer: dict[str, Any] = json.loads(data) if data else {}
        if "status" not in answer:
            self._fail(str(answer or "the sandbox has exited"))
        return answer

    def _running(self) -> sandbox.Sandbox:
        if self._current is None:
            raise WorkerFailed("the sandbox was closed")
        return self._current

    def _fail(self, what: str) -> NoReturn:
        self._running().process.kill()
        reason = self._running().last_log_line()
        self.close()
        raise WorkerFailed(f"{what}: {reason}")


def _message(job: Job) -> dict[str, Any]:
    return {
        "mode": job.mode, "argv": list(job.argv), "function": job.function,
        "runner": job.runner, "restricted": job.restricted, "prelude": job.prelude, "cpu": job.cpu, "wall": job.wall,
        "memory": job.memory, "output": job.output, "processes": job.processes,
        "disk": job.disk + sum(_PAGE + os.fstat(fd).st_size for _, fd in job.files),
        "files": [name for name, _ in job.files], "collect": job.collect,
        "keep": job.kept is not None, "last": job.last,
    }  # fmt: skip


def _memfd() -> int:
    return os.memfd_create("judge", os.MFD_CLOEXEC)


@contextlib.contextmanager
def sealed(content: bytes) -> Iterator[int]:
    """`sealed_fd` for the length of a with statement."""
    fd = sealed_fd(content)
    try:
        yield fd
    finally:
        os.close(fd)


def sealed_fd(content: bytes) -> int:
    """A descriptor of memory that holds `content` and can never be changed."""
    fd = os.memfd_create("judge", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    done = 0
    while done < len(content):
        done += os.pwrite(fd, content[done:], done)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


def encoded(text: str) -> bytes:
    """A text as the bytes of a file or input: UTF-8, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")


def last_line(stderr: bytes) -> str:
    """The last line of a program's standard error, cut to a size that can be shown."""
    lines = stderr.decode(errors="replace").strip().splitlines()
    return lines[-1][:_DETAIL] if lines else ""
