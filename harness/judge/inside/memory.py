"""Memory that a test's processes hold, counted by what can be read in /proc.

    resident      what the processes have in memory, shared pages once
    files         its folder, which /tmp and /dev/shm are: a file system in memory
    memory files  memfds, by the blocks of those that a process has open
    unseen        mappings of memory files that no process has open, and descriptors on their way
                  through a socket, at their full size; shared memory without a file at what was
                  faulted in; never more than the machine's shared memory has grown by from look to
                  look since the test began (what others free between two looks hides as much)
    buffers       of sockets and pipes, at what they hold at most (pipes at their usual size: the
                  kernel bounds enlarged ones to 64 MiB for all of a user's)

Pages that are both resident and of a file count once. A process whose descriptors cannot be read
has made itself so, and is charged at its limit. Pages that were swapped out count as resident.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
from collections.abc import Sequence

from harness.judge.inside.usage import Process

_SOCKET = 416 << 10  # twice the kernel's default of wmem_max, as SO_SNDBUF counts
_PIPE = 64 << 10

_libc = ctypes.CDLL(None)


class Memory:
    """The memory of one test, from its start on.

    Args:
        limit: bytes that it may hold.
        file_limit: bytes that one file may have.
        folder: its folder, where that is a file system of its own; else an empty string.
        given: descriptors that the judge gave it, the first of which is a memory file.
    """

    def __init__(self, limit: int, file_limit: int, folder: str, given: Sequence[int]) -> None:
        self._limit, self._file_limit, self._folder = limit, file_limit, folder
        self._given = given
        self._files_before = self._files()
        self._shared, _ = _of_the_machine()
        self._grown = 0

    def exceeded(self, running: Sequence[Process]) -> bool:
        """Whether the processes hold more than the limit."""
        shared, swaps = _of_the_machine()
        self._grown, self._shared = self._grown + max(0, shared - self._shared), shared
        known = [os.fstat(fd) for fd in self._given]
        device, own = known[0].st_dev, {info.st_ino for info in known}
        seen = _Descriptors(running, own, device)
        if seen.unreadable:
            return True
        files = max(0, self._files() - self._files_before) + sum(seen.files.values())
        buffers = len(seen.sockets) * _SOCKET + len(seen.pipes) * _PIPE
        unseen = max(0, self._grown - files)
        resident = sum(process.rss for process in running)
        if resident + files + buffers + unseen <= self._limit and not swaps:
            return False
        if unseen:
            own.update(seen.files)
            most = seen.on_their_way() * self._file_limit + _mapped(running, own, device)
            unseen = min(unseen, most)
        apart, mapped = _resident(running)
        return apart + max(mapped, files + unseen) + buffers > self._limit

    def _files(self) -> int:
        """Bytes that the folder's file system holds."""
        if not self._folder:
            return 0
        info = os.statvfs(self._folder)
        return (info.f_blocks - info.f_bfree) * info.f_frsize


def _mapped(running: Sequence[Process], known: set[int], device: int) -> int:
    """Bytes of the shared mappings of memory files, those with a known inode left out.

    Of those that never were a file no more than has been faulted in: they may be large and empty.
    """
    place = f"{os.major(device):02x}:{os.minor(device):02x}"
    files: dict[int, int] = {}
    nameless: dict[int, int] = {}
    for process in running:
        sizes: dict[int, int] = {}
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/maps") as lines:  # noqa: PTH123
            for line in lines:
                span, rights, _, on, number, *name = line.split(maxsplit=5)
                inode = int(number)
                if rights[3] == "s" and on == place and inode not in known:
                    low, high = span.split("-")
                    sizes[inode] = sizes.get(inode, 0) + int(high, 16) - int(low, 16)
                    found = nameless if name[0].startswith("/dev/zero") else files
                    found[inode] = max(found.get(inode, 0), sizes[inode])
    faulted = sum(process.faulted for process in running)
    return sum(files.values()) + min(faulted, sum(nameless.values()))


class _Descriptors:
    """What the open descriptors of processes refer to, each object once.

    `files` are the bytes of memory files, `sockets` what /proc tells about one descriptor, both by
    inode; `pipes` are inodes. Memory files are those on a device, less the judge's own.
    """

    def __init__(self, running: Sequence[Process], own: set[int], device: int) -> None:
        self.files: dict[int, int] = {}
        self.sockets: dict[int, str] = {}
        self.pipes: set[int] = set()
        self.unreadable = False
        for process in running:
            try:
                names = os.listdir(f"/proc/{process.pid}/fd")  # noqa: PTH208
            except PermissionError:
                # One of the judge until it has its own session, and one that ends has no memory.
                self.unreadable |= process.session != 0 and _is_running(process.pid)
                continue
            except OSError:
                continue
            for name in names:
                with contextlib.suppress(OSError):
                    self._add(process.pid, name, own, device)

    def _add(self, pid: int, name: str, own: set[int], device: int) -> None:
        info = os.stat(f"/proc/{pid}/fd/{name}")  # noqa: PTH116
        if stat.S_ISSOCK(info.st_mode):
            self.sockets[info.st_ino] = f"/proc/{pid}/fdinfo/{name}"
        elif stat.S_ISFIFO(info.st_mode):
            self.pipes.add(info.st_ino)
        elif info.st_dev == device and info.st_ino not in own:
            self.files[info.st_ino] = info.st_blocks * 512

    def on_their_way(self) -> int:
        """Descriptors that were sent over the sockets and not received."""
        total = 0
        for path in self.sockets.values():
            with contextlib.suppress(OSError), open(path) as lines:  # noqa: PTH123
                total += sum(int(line.split()[1]) for line in lines if line.startswith("scm_fds:"))
        return total


def _is_running(pid: int) -> bool:
    """Whether a process has memory of its own: not one that is ending."""
    try:
        with open(f"/proc/{pid}/statm") as numbers:  # noqa: PTH123
            return int(numbers.read().split()[0]) > 0
    except OSError:
        return False


def _resident(running: Sequence[Process]) -> tuple[int, int]:
    """Bytes in memory or swapped out, shared pages once: (of no memory file, of memory files)."""
    apart = mapped = 0
    for process in running:
        sizes = {"Pss": process.rss, "Pss_Shmem": 0, "SwapPss": 0}
        with contextlib.suppress(OSError), open(f"/proc/{process.pid}/smaps_rollup") as lines:  # noqa: PTH123
            for line in lines:
                name, _, value = line.partition(":")
                if name in sizes:
                    sizes[name] = int(value.split()[0]) << 10
        mapped += sizes["Pss_Shmem"]
        whole = process.rss if len(running) == 1 else sizes["Pss"]
        apart += max(0, whole - sizes["Pss_Shmem"]) + sizes["SwapPss"]
    return apart, mapped


class _Machine(ctypes.Structure):
    """The kernel's struct sysinfo."""

    _fields_ = (
        ("uptime", ctypes.c_long), ("loads", ctypes.c_ulong * 3), ("total", ctypes.c_ulong),
        ("free", ctypes.c_ulong), ("shared", ctypes.c_ulong), ("buffers", ctypes.c_ulong),
        ("swap", ctypes.c_ulong), ("free_swap", ctypes.c_ulong), ("processes", ctypes.c_ushort),
        ("high", ctypes.c_ulong), ("free_high", ctypes.c_ulong), ("unit", ctypes.c_uint),
        ("spare", ctypes.c_char * 64),
    )  # fmt: skip


def _of_the_machine() -> tuple[int, bool]:
    """Bytes of the machine's shared memory, and whether it has space to swap."""
    found = _Machine()
    _libc.sysinfo(ctypes.byref(found))
    return found.shared * found.unit, found.swap > 0
