"""Says what an interrupted command waits for, and ends it where nothing is lost by that.

A process of its own, started by `harness.cli.signals`: while a library in C works, no thread of the
command itself may run, for a second and more where torch is loaded from a cold disk. It reads a
pipe, its standard input, to which the command writes what it waits for, a line each, and to which the
signal handler in C writes the number of each signal, at once. It ends when the command has ended, and
releases the run folders that an interrupted one has left locked. It uses the standard library alone and
imports nothing of the harness.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

LINE_SECONDS = 1.0  # from the signal to the line, if the command has not ended by then
END_SECONDS = 1.6  # and to the end, where nothing is lost by it
_RELEASE_SECONDS = 1.0  # the system may close the pipe before the lock
NUMBERS = (int(signal.SIGINT), int(signal.SIGTERM))
LOCK = ".lock"
DROPPABLE = "+"
"""Begins a line about what may end in the middle; another one begins with a blank."""


class Watch:
    """The state of the command, from what it has written so far."""

    def __init__(self, command: int) -> None:
        self._command = command
        self._partial = b""
        self.what, self.droppable = "", False
        self.number = 0  # of the first signal
        self._since = 0.0
        self._said = self._ended = False
        self._locks: set[Path] = set()

    def read(self, data: bytes) -> None:
        """Take in lines and signal numbers; a number may stand in the middle of a line."""
        for number in NUMBERS:
            if data.count(number) and not self.number:
                self.number, self._since = number, time.monotonic()
                self._locks = locks_of(self._command)
            data = data.replace(bytes([number]), b"")
        *lines, self._partial = (self._partial + data).split(b"\n")
        if lines:
            last = lines[-1].decode(errors="replace")
            self.what, self.droppable = last[1:], last.startswith(DROPPABLE)

    def due(self) -> float | None:
        """Seconds until there is something to do; None where nothing will be."""
        if not self.number or self._ended or (self._said and not self.droppable):
            return None
        after = END_SECONDS if self._said else LINE_SECONDS
        return max(0.0, self._since + after - time.monotonic())

    def act(self) -> None:
        """Say what the command waits for; later end it, where it may be ended."""
        if not self._said:
            self._said = True
            word = "Ctrl-C" if self.number == signal.SIGINT else "a second signal"
            line = (f"stopping: waiting for {self.what} ({word} again ends at once; "
                    "everything stored is kept)\n")  # fmt: skip
            with suppress(OSError):
                os.write(2, line.encode())
        elif self.droppable and os.getppid() == self._command:
            self._ended = True
            os.kill(self._command, self.number)

    def release(self) -> None:
        """Release what the command has left locked; it must have ended."""
        deadline = time.monotonic() + _RELEASE_SECONDS
        for path in self._locks:
            with suppress(OSError):
                while not _release(path, self._command) and time.monotonic() < deadline:
                    time.sleep(0.02)


def locks_of(process: int) -> set[Path]:
    """The lock files that a process has open; nothing where the system does not tell."""
    found = set()
    with suppress(OSError):
        for link in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                found.add(link.readlink())
    return {path for path in found if path.name == LOCK}


def _release(path: Path, process: int) -> bool:
    """Release the lock of a process that has ended; False while it is held.

    As `harness.storage.lock` does it: where nothing else is in the folder, it goes too.
    """
    fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if f'"pid":{process},' in os.pread(fd, 4096, 0).decode(errors="replace"):
            os.ftruncate(fd, 0)
            if [other.name for other in path.parent.iterdir()] == [LOCK]:
                path.unlink()
                path.parent.rmdir()
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def main() -> None:
    """Watch the parent until it closes the pipe."""
    for number in (*NUMBERS, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    watch = Watch(int(sys.argv[1]))
    while True:
        ready, _, _ = select.select([0], [], [], watch.due())
        if not ready:
            if watch.due() == 0:
                watch.act()
            continue
        data = os.read(0, 4096)
        if not data:
            watch.release()
            return
        watch.read(data)


if __name__ == "__main__":
    main()
