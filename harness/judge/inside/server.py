"""The fork server, and the init process of each submission, inside the sandbox.

    supervisor =socket=> server (imports done)
                           -fork, own pid and mount namespace-> init of one submission (PID 1)
                               -fork-> one process per test case, see `harness.judge.inside.program`

The server starts a fresh init for the first job of each submission; the init answers on the same
socket until a job is marked last. Neither ever reads a program or an input: those are descriptors
that are passed on.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from typing import Any

from harness.judge.inside import program, syscalls, usage

_POLL_SECONDS = 0.05
_MAX_WALL_FACTOR = 8  # of the wall limit, however long the test had to wait for a core
_THREAD_STACK = 8 << 20
_MAX_FDS = 64
_MEASURES_STACKS = (3, 14)  # from here on Python checks its stack pointer against the main stack
_MESSAGE = 1 << 16

Job = dict[str, Any]


def send(channel: socket.socket, message: Job) -> None:
    """Send a message to the supervisor."""
    channel.send(json.dumps(message).encode())


def receive(channel: socket.socket) -> tuple[Job | None, list[int]]:
    """The next job with its descriptors; None when the supervisor has closed the channel."""
    data, fds, _, _ = socket.recv_fds(channel, _MESSAGE, _MAX_FDS)
    return (json.loads(data) if data else None), fds


def close(fds: list[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)


class Server:
    """Starts one init per submission.

    In a sandbox the init shares the server's memory and costs almost nothing; else it is a fork.

    Args:
        channel: the socket to the supervisor.
        isolated: whether this is a sandbox, with namespaces of its own.
        filter_code: the seccomp filter as BPF instructions; empty for none.
    """

    def __init__(self, channel: socket.socket, isolated: bool, filter_code: bytes) -> None:
        self.channel = channel
        self.isolated = isolated
        self.filter = syscalls.SyscallFilter(filter_code) if filter_code else None
        self.base_memory = 0
        self.next: tuple[Job, list[int]] = ({}, [])
        self._sharing = None
        if isolated and sys.version_info < _MEASURES_STACKS:
            self._sharing = syscalls.SharedProcess(self._init)
        with contextlib.suppress(OSError), open("/proc/self/statm") as numbers:  # noqa: PTH123
            self.base_memory = int(numbers.read().split()[0]) * usage.PAGE

    def serve(self) -> None:
        """Take jobs until the supervisor closes the channel."""
        own = os.open("/proc/self/ns/pid", os.O_RDONLY) if self.isolated else -1
        while True:
            job, fds = receive(self.channel)
            if job is None:
                return
            if "end" in job:
                continue
            self.next = job, fds
            status = self._sharing.run() if self._sharing is not None else self._fork(own)
            close(fds)
            if status:
                send(self.channel, {"init failed": status})

    def _fork(self, own: int) -> int:
        if self.isolated:
            syscalls.unshare(syscalls.CLONE_NEWPID)
        init = os.fork()
        if init == 0:
            if self.isolated:
                syscalls.unshare(syscalls.CLONE_NEWNS)
            os._exit(self._init())
        if self.isolated:
            syscalls.setns(own, syscalls.CLONE_NEWPID)
        return os.waitpid(init, 0)[1]

    def _init(self) -> int:
        try:
            Init(self).serve(*self.next)
        except SupervisorGone:
            return 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            return 1
        return 0


class SupervisorGone(Exception):
    """The supervisor has closed the channel: nobody waits for the result."""


class Init:
    """Runs the test cases of one submission in order, and reaps every process that they leave."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.code = os.memfd_create("code")  # the compiled program, from the first test on
        self.folder = "/tmp"  # noqa: S108
        if server.isolated:
            syscalls.mount_proc()
            syscalls.mount_tmp(server.next[0]["disk"])
        else:
            syscalls.become_subreaper()
            self.folder = f"/tmp/harness-judge-{os.getpid()}"  # noqa: S108
            os.mkdir(self.folder, 0o700)  # noqa: PTH102
        os.chdir(self.folder)
        if server.filter is not None:
            server.filter.install()

    def serve(self, job: Job, fds: list[int]) -> None:
        """Run tests until one is the last, or leaves files behind, or no more are sent.

        After a test that leaves files the next one gets a fresh init, and with it an empty folder.
        """
        try:
            while True:
                report = self.run(job, fds)
                done = job["last"] or bool(os.listdir(self.folder))  # noqa: PTH208
                send(self.server.channel, report)
                if done:
                    return
                close(fds)
                following, fds = receive(self.server.channel)
                if following is None or "end" in following:
                    return
                job = following
        finally:
            if not self.server.isolated:
                import shutil

                os.chdir("/")
                shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, job: Job, fds: list[int]) -> Job:
        """Run one test case to its end and kill every process that it leaves behind.

        Raises:
            SupervisorGone: the channel was closed meanwhile.
        """
        for name, fd in zip(job["files"], fds[program.FIRST_FILE :], strict=True):
            _write_file(name, fd)
        started = time.monotonic()
        main = os.fork()
        if main == 0:
            program.start(job, fds, self.code, self.server.base_memory)
        used = usage.Usage()
        status, ended, delay = self._watch(job, main, started, used)
        self._kill_rest(used)
        wall = time.monotonic() - started
        if job["collect"]:
            _collect(job["collect"], fds[program.STDOUT], job["output"])
        return {
            "status": status,
            "ended": ended,
            "cpu": used.cpu,
            "wall": wall,
            "peak": used.peak,
            "delay": delay,
            "compiled": os.fstat(self.code).st_size > 0,
        }

    def _watch(
        self, job: Job, main: int, started: float, used: usage.Usage
    ) -> tuple[int | None, str, float | None]:
        """Wait until the main process ends or a limit is exceeded.

        Returns:
            The wait status (None when it had to be killed), what ended the test ("exit", "cpu",
            "wall", "memory", "stopped"), and the seconds that it waited for a core, if known.

        Raises:
            SupervisorGone: the channel was closed meanwhile.
        """
        watched = select.poll()
        pidfd = os.pidfd_open(main)
        watched.register(pidfd, select.POLLIN)
        watched.register(self.server.channel.fileno(), 0)
        try:
            while True:
                for fd, event in watched.poll(_POLL_SECONDS * 1000):
                    if fd != pidfd and event & (select.POLLHUP | select.POLLERR):
                        raise SupervisorGone  # the kernel kills every process of the namespace with init
                status = usage.reap(used, main)
                if status is not None:
                    return status, "exit", None
                running = list(usage.processes(None if self.server.isolated else os.getpid()))
                cpu = used.cpu + sum(process["cpu"] for process in running)
                if cpu > job["cpu"]:
                    return None, "cpu", None
                if usage.memory(running, job["memory"], used) > job["memory"]:
                    return None, "memory", None
                if any(p["pid"] == main and p["state"] == "T" for p in running):
                    return None, "stopped", None
                wall = time.monotonic() - started
                if wall > job["wall"]:
                    delay = sum(usage.delay(process["pid"]) for process in running)
                    if wall - delay > job["wall"] or wall > _MAX_WALL_FACTOR * job["wall"]:
                        return None, "wall", delay
        finally:
            os.close(pidfd)

    def _kill_rest(self, used: usage.Usage) -> None:
        """Kill and reap every process of the test that is still running, orphans included."""
        while True:
            try:
                done, _, spent = os.wait4(-1, os.WNOHANG)
                if done == 0:
                    self._kill_all()
                    _, _, spent = os.wait4(-1, 0)
            except ChildProcessError:
                return
            used.add(spent)

    def _kill_all(self) -> None:
        if self.server.isolated:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            return
        for process in usage.processes(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process["pid"], signal.SIGKILL)


def _write_file(name: str, source: int) -> None:
    target = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    size, offset = os.fstat(source).st_size, 0
    while offset < size:
        offset += os.sendfile(target, source, offset, size - offset)
    os.close(target)


def _collect(name: str, target: int, limit: int) -> None:
    """Copy a file that the program wrote; not a link or a pipe, and at most `limit` bytes."""
    try:
        source = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    info = os.fstat(source)
    if info.st_mode & 0o170000 == 0o100000:
        size, offset = min(info.st_size, limit), 0
        while offset < size:
            offset += os.sendfile(target, source, offset, size - offset)
    os.close(source)


def main() -> None:
    """Import what programs use, report that the server is ready, and serve."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    isolated = sys.argv[2] == "isolated"
    filter_code = os.pread(int(sys.argv[3]), 1 << 20, 0)
    program.prepare(numpy="numpy" in sys.argv)
    syscalls.set_default_thread_stack(_THREAD_STACK)
    if isolated:
        syscalls.set_dumpable(False)
    gc.collect()
    gc.freeze()
    server = Server(channel, isolated, filter_code)
    send(channel, {"ready": True})
    server.serve()


if __name__ == "__main__":
    main()
