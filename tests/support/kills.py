"""A command that is killed at each of its writes in turn, and called again.

In this process: at one write the half of it is done, and from then on nothing is written any more,
whatever still unwinds. What a killed process leaves is left: temporary files, torn lines.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.storage import lock
from tests.support.checkpoints import Trained
from tests.support.fakes import InlinePool


class Killed(BaseException):
    """The process ends here."""


class Kills:
    """Counts what is written below a folder, and ends the process at one of these steps.

    A step is an appended line, a file put in place, a file removed, or a folder made.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
        self._root = str(root.resolve())
        self.at: int | None = None  # None: count only
        self.end: Callable[[], object] | None = None  # ends the process; None raises Killed
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
            if self.end is not None:
                self.end()
            raise Killed(what)


def every_kill(
    kills: Kills, prepare: Callable[[], None], command: Callable[[], object], stride: int = 1
) -> Iterator[tuple[str, object]]:
    """For every step of a command: killed there and called again, the step and what the last call returned.

    Args:
        kills: at what.
        prepare: makes the state before the command anew.
        command: what is killed.
        stride: only every so manieth step.
    """
    for step in count(1, stride):
        prepare()
        if not kills.run(command, at=step):
            assert step > 1, "nothing was written"
            return
        what = f"step {step}: {kills.steps[-1]}"
        yield what, command()


def main() -> None:
    """`python -m tests.support.kills STEP ARGUMENTS..`: a command with a fake engine that is killed for real."""
    step, *arguments = sys.argv[1:]
    patch = pytest.MonkeyPatch()
    with_fakes(patch)
    kills = Kills(patch, Path.cwd())
    kills.end = lambda: os.kill(os.getpid(), signal.SIGKILL)
    from harness.cli import run_command

    kills.at = int(step)
    raise SystemExit(run_command(arguments))


def with_fakes(patch: pytest.MonkeyPatch) -> None:
    """An engine that answers at once, grading in this process, and no figures."""
    patch.setattr(
        "harness.workflows.engine_loading.make_engine", lambda settings: Trained(settings.model)
    )
    for module in ("evaluate", "regrade"):
        patch.setattr(f"harness.workflows.{module}.GradingPool", InlinePool)
    for name in ("sweep.write_figures", "style.write_plots"):
        patch.setattr(f"harness.reports.figures.{name}", lambda *_: [])
    patch.setattr("harness.workflows.provenance._git_revision", lambda: None)


if __name__ == "__main__":
    main()
