"""A command that is killed at each of its writes in turn, and called again.

In this process: at one write the half of it is done, and from then on nothing is written any more,
whatever still unwinds. What a killed process leaves is left: temporary files, torn lines.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness.storage import lock


class Killed(BaseException):
    """The process ends here."""


class Kills:
    """Counts what is written below a folder, and ends the process at one of these steps.

    A step is an appended line, a file put in place, a file removed, or a folder made.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self._root = str(root.resolve())
        self.at: int | None = None  # None: count only
        self.steps: list[str] = []
        self._dead = False
        for name in ("replace", "rename", "unlink", "remove", "mkdir"):
            monkeypatch.setattr(os, name, self._counted(name, getattr(os, name)))
        self._real_write = os.write
        monkeypatch.setattr(os, "write", self._write)

    def run(self, command: Callable[[], object], at: int | None = None) -> bool:
        """Call a command; whether it was killed at that step before its end."""
        self.at, self.steps, self._dead = at, [], False
        try:
            command()
        except Killed:
            self.at, self._dead = None, False
            for held in tuple(lock._held):  # the system closes its files
                with suppress(OSError):
                    os.close(held._fd)
            lock._held.clear()
            return True
        finally:
            self.at, self._dead = None, False
        return False

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            target = str(arguments[-1]) if name in ("replace", "rename") else str(path)
            self._step(f"{name} {Path(target).name}", target)
            return real(path, *arguments, **options)

        return call

    def _write(self, fd: int, data: bytes) -> int:
        try:
            target = str(Path(f"/proc/self/fd/{fd}").readlink())
        except OSError:
            return self._real_write(fd, data)
        try:
            self._step(f"write {Path(target).name}", target)
        except Killed:
            if len(self.steps) == self.at:
                self._real_write(fd, data[: len(data) // 2])
            raise
        return self._real_write(fd, data)

    def _step(self, what: str, target: str) -> None:
        inside = os.path.realpath(target).startswith(self._root)
        if not inside or Path(target).name == lock.LOCK:
            return
        if self._dead:
            raise Killed(what)
        self.steps.append(what)
        if self.at is not None and len(self.steps) == self.at:
            self._dead = True
            raise Killed(what)


def every_kill(
    kills: Kills, prepare: Callable[[], None], command: Callable[[], object]
) -> Iterator[tuple[str, object]]:
    """For every step of a command: killed there and called again, the step and what the last call returned.

    Args:
        kills: at what.
        prepare: makes the state before the command anew.
        command: what is killed.
    """
    step = 0
    while True:
        step += 1
        prepare()
        if not kills.run(command, at=step):
            assert step > 1, "nothing was written"
            return
        what = f"step {step}: {kills.steps[-1]}"
        yield what, command()
