"""The lock of a run folder: one writer at a time, named in the lock file."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import orjson

from harness.errors import DataError, UsageError
from harness.storage.files import dump
from harness.storage.plain_files import open_to_read, open_to_write

LOCK = ".lock"
_held: list[FolderLock] = []  # by this process
_LONGEST = 4096  # bytes that are read of it


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that a lock file names; what is damaged there is None."""

    pid: int | None
    host: str | None

    def __str__(self) -> str:
        return f"process {self.pid or '?'} on host {self.host or '?'}"


class FolderLock:
    """The exclusive lock of a folder, which is created if missing.

    The system releases it when the process ends. The file names that process; another host cannot
    check whether it still runs, so its lock counts as held until `take_over`.

    Args:
        folder: the run folder.
        take_over: ignore a lock that another host has left.

    Raises:
        UsageError: the folder cannot be written or locked; another process writes here (its pid and
            host are named); or another host's lock is found and `take_over` is not set.
    """

    def __init__(self, folder: Path, *, take_over: bool = False) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._fd = open_to_write(folder / LOCK)
        except DataError as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            raise UsageError(f"{folder}: cannot be written ({error.strerror})") from error
        try:
            self._take(take_over)
        except BaseException:
            os.close(self._fd)
            raise
        _held.append(self)

    def release(self, *, leave: bool) -> None:
        """Release the lock; without `leave` delete its file too, and the folder if it is empty."""
        _held.remove(self)
        os.ftruncate(self._fd, 0)
        if not leave:
            (self.folder / LOCK).unlink(missing_ok=True)
            with suppress(OSError):
                self.folder.rmdir()
        os.close(self._fd)

    def _take(self, take_over: bool) -> None:
        here = {"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(os.pread(self._fd, _LONGEST, 0))
            raise UsageError(
                f"{self.folder} is being written by {holder or 'another process'}; wait for it, or "
                "use another -o folder"
            ) from error
        except OSError as error:
            raise UsageError(
                f"{self.folder}: its file system does not support locks ({error.strerror}), without "
                "which two runs could write here; use an -o folder on another one"
            ) from error
        if not os.fstat(self._fd).st_nlink:  # its holder has just released it and deleted the file
            raise UsageError(f"{self.folder} was released this moment: run the same command again")
        holder = _holder(os.pread(self._fd, _LONGEST, 0))
        if holder and holder.host != here["host"] and not take_over:
            raise UsageError(
                f"{self.folder} was left locked by {holder}; if that process has ended, add "
                "--take-over"
            )
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, dump(here), 0)
        except OSError as error:
            raise UsageError(
                f"{self.folder / LOCK}: cannot be written ({error.strerror}); make room and run the "
                "same command again"
            ) from error


def release_all() -> None:
    """Release the locks of this process, which is about to end."""
    for lock in tuple(_held):
        with suppress(OSError):
            lock.release(leave=any(path.name != LOCK for path in lock.folder.iterdir()))


def holder(folder: Path) -> Holder | None:
    """Who holds the lock of a folder; None where nobody does, or the file cannot be read."""
    try:
        with open_to_read(folder / LOCK) as file:
            return _holder(file.read(_LONGEST))
    except (OSError, DataError):
        return None


def _holder(data: bytes) -> Holder | None:
    try:
        found = orjson.loads(data or b"{}")
    except orjson.JSONDecodeError:
        return None
    if not isinstance(found, dict) or not found:
        return None
    pid, host = found.get("pid"), found.get("host")
    known = isinstance(pid, int) and 0 < pid < 1 << 31
    return Holder(pid if known else None, host if isinstance(host, str) else None)
