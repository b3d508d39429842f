"""CPU time and memory of a test's processes, from /proc and from wait4."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Iterator
from typing import Any

TICK = 1 / os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")

Process = dict[str, Any]


class Usage:
    """What a test has used so far: `cpu` in seconds, `peak` in KiB of its largest process."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.peak = 0

    def add(self, used: resource.struct_rusage) -> None:
        """Count a process that has ended."""
        self.cpu += used.ru_utime + used.ru_stime
        self.peak = max(self.peak, used.ru_maxrss)


def reap(used: Usage, main: int) -> int | None:
    """Reap all ended processes; the wait status of the main one if it is among them."""
    found = None
    while True:
        try:
            done, status, spent = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if done == 0:
            return found
        used.add(spent)
        if done == main:
            found = status


def processes(root: int | None) -> Iterator[Process]:
    """The running processes of the namespace except init, or the descendants of `root`."""
    family = {root}
    for pid in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):  # noqa: PTH208
        try:
            with open(f"/proc/{pid}/stat", "rb") as numbers:  # noqa: PTH123
                fields = numbers.read().rpartition(b")")[2].split()
        except OSError:
            continue
        if pid == 1 or (root is not None and int(fields[1]) not in family):
            continue
        family.add(pid)
        yield {
            "pid": pid,
            "state": fields[0].decode(),
            "cpu": sum(map(int, fields[11:15])) * TICK,
            "rss": int(fields[21]) * PAGE,
        }


def memory(running: list[Process], limit: int, used: Usage) -> int:
    """Resident bytes of all processes together; shared pages count once when that matters."""
    used.peak = max([used.peak, *(process["rss"] >> 10 for process in running)])
    total: int = sum(process["rss"] for process in running)
    if total <= limit or len(running) == 1:
        return total
    total = 0
    for process in running:
        with contextlib.suppress(OSError), open(f"/proc/{process['pid']}/smaps_rollup") as lines:  # noqa: PTH123
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def delay(pid: int) -> float:
    """Seconds that a process was ready to run and had no core: the most of any of its threads."""
    total = 0
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{task}/schedstat") as numbers:  # noqa: PTH123
                total = max(total, int(numbers.read().split()[1]))
    return total / 1e9
