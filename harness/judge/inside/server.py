"""The fork server, inside the sandbox.

    supervisor =socket=> server (imports done)
                           -fork, own mount namespace-> watcher of one submission
                               -fork, own pid namespace-> one process per test case

The server starts a fresh watcher (`harness.judge.inside.watcher`) for the first job of each
submission; the watcher answers on the same socket until a job is marked last. Neither ever reads a
program or an input: those are descriptors that are passed on.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import signal
import socket
import sys
from collections.abc import Callable

from harness.judge.inside import program, syscalls, usage
from harness.judge.inside.channel import Job, close, receive, send
from harness.judge.inside.watcher import SupervisorGone, Watcher

_THREAD_STACK = 8 << 20
_WATCHER_STACK = 1 << 30  # the program's as well, which is forked from it
_SMALL_STACK = 1 << 20
_MEASURES_STACKS = (3, 14)  # from here on Python checks its stack pointer against the main stack
_SOCKET_COUNTS = ("/proc/net/sockstat", "/proc/net/sockstat6")


class Server:
    """Starts one watcher per submission.

    In a sandbox the watcher shares the server's memory and costs almost nothing; else it is a fork.

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
        self.sleeper = syscalls.Sleeper()
        self._sharing = self._mounting = None
        if isolated and sys.version_info < _MEASURES_STACKS:
            self._sharing = syscalls.SharedProcess(
                self._watch, _WATCHER_STACK, syscalls.CLONE_NEWNS
            )
            self._mounting = syscalls.SharedProcess(self._mount, _SMALL_STACK)
        self._network = _Network() if isolated else None
        with contextlib.suppress(OSError), open("/proc/self/statm") as numbers:  # noqa: PTH123
            self.base_memory = int(numbers.read().split()[0]) * usage.PAGE

    def serve(self) -> None:
        """Take jobs until the supervisor closes the channel."""
        while True:
            job, fds = receive(self.channel)
            if job is None:
                return
            if "end" in job:
                continue
            self.next = job, fds
            if self.has_sockets() and self._network is not None:
                self._network = self._network.replaced()
            status = self._sharing.run() if self._sharing is not None else self._fork()
            close(fds)
            if status:
                send(self.channel, {"watcher failed": status})

    def has_sockets(self) -> bool:
        """Whether programs that have ended left sockets: a port that waits, for instance."""
        return self._network is not None and self._network.is_used()

    def mount_proc(self) -> None:
        """Mount /proc of the pid namespace of the caller's children, from a child."""
        status = self._mounting.run() if self._mounting is not None else _forked(self._mount)
        if status:
            raise OSError(f"a process that mounts /proc ended with {status}")

    def _fork(self) -> int:
        def run() -> int:
            if self.isolated:
                syscalls.unshare(syscalls.CLONE_NEWNS)
            return self._watch()

        return _forked(run)

    def _watch(self) -> int:
        try:
            watcher = Watcher(self)
            try:
                watcher.serve(*self.next)
            finally:
                watcher.close()
        except SupervisorGone:
            return 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
            return 1
        return 0

    def _mount(self) -> int:
        try:
            syscalls.mount_proc()
        except OSError:
            sys.excepthook(*sys.exc_info())
            return 1
        return 0


def _forked(function: Callable[[], int]) -> int:
    """The wait status of a fork that runs a function."""
    child = os.fork()
    if child == 0:
        os._exit(function())
    return os.waitpid(child, 0)[1]


class _Network:
    """The network namespace that programs use: loopback alone, and nobody else's."""

    def __init__(self) -> None:
        self._counts = []
        for path in _SOCKET_COUNTS:
            with contextlib.suppress(OSError):  # there may be no IPv6
                self._counts.append(os.open(path, os.O_RDONLY))
        self._unused = self._read()

    def _read(self) -> list[bytes]:
        """Sockets in use, and those that wait for the end of a connection, of this namespace."""
        text = b"".join(os.pread(fd, 4096, 0) for fd in self._counts)
        words = text.split()
        pairs = itertools.pairwise(words)
        return [number for name, number in pairs if name in (b"used", b"inuse", b"tw")]

    def is_used(self) -> bool:
        """Whether sockets are there that were not at first."""
        return self._read() != self._unused

    def replaced(self) -> _Network:
        """A fresh namespace in place of this one, for this process and its children."""
        for fd in self._counts:
            os.close(fd)
        syscalls.unshare(syscalls.CLONE_NEWNET)
        syscalls.start_loopback()
        return _Network()


def main() -> None:
    """Import what programs use, report that the server is ready, and serve."""
    channel = socket.socket(fileno=int(sys.argv[1]))
    isolated = sys.argv[2] == "isolated"
    filter_code = os.pread(int(sys.argv[3]), 1 << 20, 0)
    program.prepare(numpy="numpy" in sys.argv)
    syscalls.set_default_thread_stack(_THREAD_STACK)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # no handler: see `syscalls.Sleeper`
    if isolated:
        syscalls.set_dumpable(False)
    gc.collect()
    gc.freeze()
    server = Server(channel, isolated, filter_code)
    send(channel, {"ready": True})
    server.serve()


if __name__ == "__main__":
    main()
