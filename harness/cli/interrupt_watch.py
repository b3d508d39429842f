"""Says what an interrupted command waits for, and ends it where nothing is lost by that.

A process of its own, started by `harness.cli.interrupt`: while a library in C works, no thread of the
command itself may run, for a second and more where torch is loaded from a cold disk. It reads a
pipe, its standard input, to which the command writes what it waits for, a line each, and to which the
signal handler in C writes the number of each signal, at once. It ends when the command has ended. It
uses the standard library alone and imports nothing of the harness.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress

LINE_SECONDS = 1.0  # from the signal to the line, if the command has not ended by then
END_SECONDS = 1.6  # and to the end, where nothing is lost by it
NUMBERS = (int(signal.SIGINT), int(signal.SIGTERM))
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

    def read(self, data: bytes) -> None:
        """Take in lines and signal numbers; a number may stand in the middle of a line."""
        for number in NUMBERS:
            if data.count(number) and not self.number:
                self.number, self._since = number, time.monotonic()
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
            return
        watch.read(data)


if __name__ == "__main__":
    main()
