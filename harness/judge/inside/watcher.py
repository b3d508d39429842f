"""Runs the tests of one submission, out of their reach: the watcher and the processes that it watches.

    watcher (own mount namespace)
      PID 1 of the program's namespace: sleeps; when it is killed, the kernel kills all others
      the program's main process, see `harness.judge.inside.program`, and what it starts

The watcher is the parent of the main process and in no namespace that the program can see, so that a
program names it neither for a signal nor for a limit. /proc is the program's, and the watcher
reads it as well. Without a sandbox there are no namespaces, and a program that harms its watcher
fails for that.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time
from typing import Protocol

from harness.judge.inside import channel, ending, program, syscalls, usage
from harness.judge.inside.channel import Job
from harness.judge.inside.memory import Memory

_MAX_WALL_FACTOR = 8  # of the wall limit, however long the test had to wait for a core


class Server(Protocol):
    """What a watcher has of the fork server."""

    channel: socket.socket
    isolated: bool
    filter: syscalls.SyscallFilter | None
    base_memory: int
    next: tuple[Job, list[int]]
    sleeper: syscalls.Sleeper

    def mount_proc(self) -> None:
        """Mount /proc of the pid namespace of the caller's children."""

    def has_sockets(self) -> bool:
        """Whether programs that have ended left sockets."""


class SupervisorGone(Exception):
    """The supervisor has closed the channel: nobody waits for the result."""


class Watcher:
    """Runs the test cases of one submission in order, and ends every process that they leave."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.code = os.memfd_create("code")  # the compiled program, from the first test on
        self.folder = "/tmp"  # noqa: S108
        self.first = 0  # the process id of PID 1 of the program's namespace
        if server.isolated:
            syscalls.unshare(syscalls.CLONE_NEWPID)
            self.first = server.sleeper.start()
            server.mount_proc()
            syscalls.mount_tmp(server.next[0]["disk"])
        else:
            syscalls.become_subreaper()
            self.folder = f"/tmp/harness-judge-{os.getpid()}"  # noqa: S108
            os.mkdir(self.folder, 0o700)  # noqa: PTH102
        os.chdir(self.folder)
        if server.filter is not None:
            server.filter.install()

    def close(self) -> None:
        """End what is left: PID 1, or the folder where it is not in a namespace of its own."""
        if self.first:
            self._kill_all()
        if not self.server.isolated:
            _remove(self.folder)

    def serve(self, job: Job, fds: list[int]) -> None:
        """Run tests until one is the last, or leaves something behind, or no more are sent.

        After a test that leaves files, processes or sockets the next one gets a fresh watcher.
        """
        while True:
            report = self.run(job, fds)
            done = job["last"] or self._is_used()
            channel.send(self.server.channel, report)
            if done:
                return
            channel.close(fds)
            following, fds = channel.receive(self.server.channel)
            if following is None or "end" in following:
                return
            job = following

    def _is_used(self) -> bool:
        """Whether a next test would find something of this one."""
        try:
            left = bool(os.listdir(self.folder))  # noqa: PTH208
        except OSError:  # the program has taken its rights away
            left = True
        return left or (self.server.isolated and not self.first) or self.server.has_sockets()

    def run(self, job: Job, fds: list[int]) -> Job:
        """Run one test case to its end and kill every process that it leaves behind.

        Raises:
            SupervisorGone: the channel was closed meanwhile.
        """
        for name, fd in zip(job["files"], fds[program.FIRST_FILE :], strict=True):
            _write_file(name, fd)
        folder = self.folder if self.server.isolated else ""
        memory = Memory(job["memory"], job["output"], folder, [self.code, *fds])
        used = usage.Usage(0 if self.server.isolated else os.getpid())
        ending.clear()
        started = time.monotonic()
        main = os.fork()
        if main == 0:
            program.start(job, fds, self.code, self.server.base_memory)
        status, ended, delay = self._watch(job, main, started, used, memory)
        self._end_rest(ended, used)
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
            "exhausted": ending.ran_out_of_memory(),
        }

    def _watch(
        self, job: Job, main: int, started: float, used: usage.Usage, memory: Memory
    ) -> tuple[int | None, str, float | None]:
        """Wait until the main process ends or a limit is exceeded.

        Args:
            job: the limits.
            main: the process id of the main process.
            started: when it was started, by the monotonic clock.
            used: counts what it uses.
            memory: counts what it holds.

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
                for fd, event in watched.poll(used.pause * 1000):
                    if fd != pidfd and event & (select.POLLHUP | select.POLLERR):
                        raise SupervisorGone
                status = usage.reap(used, main)
                if status is not None:
                    stopped = os.WIFSTOPPED(status)
                    return (None, "stopped", None) if stopped else (status, "exit", None)
                running = self._processes()
                if used.look(running) > job["cpu"]:
                    return None, "cpu", None
                if memory.exceeded(running):
                    return None, "memory", None
                wall = time.monotonic() - started
                if wall > job["wall"]:
                    delay = sum(usage.delay(process.pid) for process in running)
                    if wall - delay > job["wall"] or wall > _MAX_WALL_FACTOR * job["wall"]:
                        return None, "wall", delay
        finally:
            os.close(pidfd)

    def _processes(self) -> list[usage.Process]:
        return usage.processes(None if self.server.isolated else os.getpid())

    def _has_orphans(self) -> bool:
        """Whether any process outlives the main one; all of them descend from children of PID 1."""
        try:
            with open("/proc/1/task/1/children", "rb") as pids:  # noqa: PTH123
                return not self.server.isolated or bool(pids.read(1))
        except OSError:  # of a kernel that does not tell
            return True

    def _end_rest(self, ended: str, used: usage.Usage) -> None:
        """Kill and count every process of the test that is still there, orphans included."""
        running = self._processes() if ended != "exit" or self._has_orphans() else []
        if self.server.isolated:
            used.end(running)
        if running or not self.server.isolated:
            self._kill_all(used)

    def _kill_all(self, used: usage.Usage | None = None) -> None:
        """Kill every process of the test and wait for its end."""
        while True:
            try:
                done, _, spent = os.wait4(-1, os.WNOHANG)
                if done == 0:
                    self._kill()
                    done, _, spent = os.wait4(-1, 0)
            except ChildProcessError:
                return
            if used is not None:
                (used.add_first if done == self.first else used.add)(spent)
            if done == self.first:
                self.first = 0

    def _kill(self) -> None:
        """Send SIGKILL to PID 1, with whom the kernel kills its namespace; else to each process."""
        victims = [self.first] if self.first else [p.pid for p in usage.processes(os.getpid())]
        for pid in victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _remove(folder: str) -> None:
    """Remove a folder and what a program left in it, rights or none."""
    import shutil

    os.chdir("/")
    for path, folders, _ in os.walk(folder):
        with contextlib.suppress(OSError):
            os.chmod(path, 0o700)  # noqa: PTH101
        for name in folders:
            with contextlib.suppress(OSError):
                os.chmod(os.path.join(path, name), 0o700, follow_symlinks=False)  # noqa: PTH101, PTH118
    shutil.rmtree(folder, ignore_errors=True)


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
