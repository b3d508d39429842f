"""CPU time of a test's processes, from wait4 and from /proc.

wait4 is exact for the program's main process and for every descendant that somebody waited for.
The other ones are seen in /proc alone, by whole ticks of the clock, at the moments at which the
watcher looks:

    ended, not waited for    its time stays readable until the test ends: orphans as well
    running when killed      its time when it was last seen
    discarded by the kernel  (of a parent that ignores SIGCHLD) its time when it was last seen, unless
                             an ancestor's time grew by it

What a discarded child uses after the watcher's last look at it is not seen. Looks are 50 ms apart, and
5 ms once a child was discarded; times are cut to 10 ms. The limit of wall time bounds the rest.
Time asleep counts nowhere.
"""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from typing import NamedTuple

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

_LOOK_SECONDS = 0.05
_CLOSE_LOOK_SECONDS = 0.005
_ROUNDING = 2 * TICK  # of user and system time, each cut to whole ticks


class Process(NamedTuple):
    """A process as /proc shows it: times in seconds, sizes in bytes."""

    pid: int
    started: int
    state: str
    parent: int
    session: int
    own: float
    waited: float  # of the children that it has waited for
    rss: int
    faulted: int  # of the pages that it and the children that it has waited for faulted in

    @property
    def cpu(self) -> float:
        """Its own time and that of the children that it has waited for."""
        return self.own + self.waited


class Usage:
    """What a test has used so far: `cpu` in seconds, `peak` in KiB of its largest process.

    `pause` is how many seconds the next look may wait.

    Args:
        parent: the watcher's process id as the processes see it: 0 from another namespace.
    """

    def __init__(self, parent: int) -> None:
        self.cpu = 0.0
        self.peak = 0
        self.pause = _LOOK_SECONDS
        self._parent = parent
        self._seen: dict[int, Process] = {}
        self._main: float | None = None  # seconds of the main process, once it has ended
        self._waiting = self._alive = 0.0
        self._missing: dict[int, float] = {}  # seconds that an ancestor may still come to count

    def add(self, used: resource.struct_rusage) -> None:
        """Count a process that the watcher has waited for."""
        seconds = used.ru_utime + used.ru_stime
        self.cpu += seconds
        self._main = seconds if self._main is None else self._main
        self.peak = max(self.peak, used.ru_maxrss)

    def look(self, running: list[Process]) -> float:
        """Take what /proc shows now; all CPU seconds so far."""
        now = {process.pid: process for process in running}
        self._count_discarded(now)
        self._seen = now
        self.peak = max([self.peak, *(process.rss >> 10 for process in running)])
        return self.cpu + sum(process.cpu for process in running)

    def end(self, running: list[Process]) -> None:
        """Take what /proc shows of the processes that are about to be killed with PID 1."""
        self.look(running)
        for process in running:
            if process.state == "Z" and process.parent == 1:
                self._waiting += process.cpu
            elif process.parent != self._parent:
                self._alive += process.cpu

    def add_first(self, used: resource.struct_rusage) -> None:
        """Count the children of PID 1 that had ended before it, and the others as they were seen.

        Those that ended between `end` and its death are among both.
        """
        seconds = used.ru_utime + used.ru_stime
        both = max(0.0, seconds - self._waiting)
        self.cpu += seconds + max(0.0, self._alive - both)

    def _count_discarded(self, now: dict[int, Process]) -> None:
        """Count the time of processes that have vanished where no ancestor's time grew by it.

        An ancestor is given until the next look: it may have been read before it waited.
        """
        due = dict(self._missing)
        for gone in self._seen.values():
            if not self._remains(gone, now):
                above = self._above(gone, now)
                if above is not None:
                    due[above] = due.get(above, 0.0) + gone.cpu
        missing = {}
        for pid, time in due.items():
            there = pid in now and pid in self._seen and self._remains(self._seen[pid], now)
            grown = now[pid].waited - self._seen[pid].waited if there else self._main_grown(pid)
            left = max(0.0, time - grown - (_ROUNDING if grown else 0.0))
            lost = min(left, self._missing.get(pid, 0.0)) if there else left
            self.cpu += lost
            if left:
                self.pause = _CLOSE_LOOK_SECONDS
            missing[pid] = left - lost
        self._missing = {pid: time for pid, time in missing.items() if time}

    def _above(self, gone: Process, now: dict[int, Process]) -> int | None:
        """The nearest ancestor that remains, else the main process if that is one, else 0.

        None for what the watcher has waited for itself.
        """
        if gone.parent == self._parent:
            return None
        while gone.parent in self._seen:
            gone = self._seen[gone.parent]
            if self._remains(gone, now) or gone.parent == 0:
                return gone.pid
        return None if gone.parent == self._parent else 0

    def _main_grown(self, pid: int) -> float:
        """Seconds by which the main process has grown since the last look, once it has ended."""
        main = self._seen.get(pid)
        if main is None or main.parent != 0 or self._main is None:
            return 0.0
        return max(0.0, self._main - main.cpu)

    def _remains(self, process: Process, now: dict[int, Process]) -> bool:
        there = now.get(process.pid)
        return there is not None and there.started == process.started


def reap(used: Usage, main: int) -> int | None:
    """Reap all ended processes; the status of the main one if it has ended or stopped."""
    found = None
    while True:
        try:
            done, status, spent = os.wait4(-1, os.WNOHANG | os.WUNTRACED)
        except ChildProcessError:
            return found
        if done == 0:
            return found
        if not os.WIFSTOPPED(status):
            used.add(spent)
        if done == main:
            found = status


def processes(root: int | None) -> list[Process]:
    """The processes of the namespace except PID 1, or the descendants of `root`."""
    return list(_processes(root))


def _processes(root: int | None) -> Iterator[Process]:
    family = {root}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208
        if root is None and pid == 1:
            continue
        try:
            with open(f"/proc/{pid}/stat", "rb") as numbers:  # noqa: PTH123
                fields = numbers.read().rpartition(b")")[2].split()
        except OSError:
            continue
        parent = int(fields[1])
        if root is not None and parent not in family:
            continue
        family.add(pid)
        yield Process(
            pid=pid,
            started=int(fields[19]),
            state=fields[0].decode(),
            parent=parent,
            session=int(fields[3]),
            own=(int(fields[11]) + int(fields[12])) * TICK,
            waited=(int(fields[13]) + int(fields[14])) * TICK,
            rss=int(fields[21]) * PAGE,
            faulted=sum(map(int, fields[7:11])) * PAGE,
        )


def delay(pid: int) -> float:
    """Seconds that a process was ready to run and had no core: the most of any of its threads."""
    total = 0
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{task}/schedstat") as numbers:  # noqa: PTH123
                total = max(total, int(numbers.read().split()[1]))
    return total / 1e9
