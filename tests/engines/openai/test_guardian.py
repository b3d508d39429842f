"""The guardians of a server: whatever is killed, nothing of the server is left."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.engines.openai import guardian
from tests.support.processes import children, processes, wait_for

SECONDS = 30  # for a hang, not for a busy machine; a server that obeys is gone in a fraction of one
# It starts what `vllm serve` starts: a process that outlives it, with a session of its own.
SERVER = """
import os, signal, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", MARK], start_new_session=True)
if sys.argv[2] == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
time.sleep(float(sys.argv[3]))
sys.exit(7)
""".replace("MARK", "sys.argv[1]")


@dataclass
class Guarded:
    """A server with a child, under its guardians."""

    mark: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by part: outer and inner guardian, server."""
        (inner,) = children(self.process.pid)
        (server,) = children(inner)
        return {"outer": self.process.pid, "inner": inner, "server": server}

    def left(self) -> dict[int, str]:
        """Its processes that still run."""
        return processes(self.mark)

    def all_ended(self) -> bool:
        """Whether standard output was closed within the limit: nothing may run after that."""
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], SECONDS)[0]) and not self.left()


@contextmanager
def started(tmp_path: Path, *server: str) -> Iterator[Guarded]:
    """A server under its guardians, whose processes are ended afterwards."""
    mark, log = f"guarded-{os.getpid()}-{time.monotonic_ns()}", tmp_path / "log"
    command = [sys.executable, "-c", SERVER, mark, *server]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-I", guardian.__file__, *command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output, start_new_session=True,
        )  # fmt: skip
    guarded = Guarded(mark, process, log)
    wait_for(lambda: "started" in log.read_text(), SECONDS)
    assert len(guarded.left()) == 4
    with process:  # closes its pipes, and waits for it
        yield guarded
        for pid in guarded.left():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    with started(tmp_path, "obedient", "600") as made:
        yield made


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize(
    "parts",
    [["server"], ["inner"], ["outer"], ["inner", "server"], ["outer", "server"]],
    ids="+".join,
)
def test_nothing_is_left_whatever_is_ended(
    guarded: Guarded, parts: list[str], number: signal.Signals
) -> None:
    pids = guarded.pids
    for part in parts:
        with suppress(ProcessLookupError):  # the first signal may have ended it already
            os.kill(pids[part], number)
    assert guarded.all_ended()
    assert guarded.process.wait(SECONDS) != 0


def test_the_end_of_the_harness_ends_the_server(guarded: Guarded) -> None:
    """Its end of the pipe closes, in whatever way it ends."""
    assert guarded.process.stdin is not None
    guarded.process.stdin.close()
    assert guarded.all_ended()
    assert guarded.process.wait(SECONDS) == 128 + signal.SIGTERM


def test_the_server_is_told_to_end_when_both_guardians_are_killed(guarded: Guarded) -> None:
    """What it started is then its own affair: vLLM ends its engine core at SIGTERM."""
    pids = guarded.pids
    os.kill(pids["outer"], signal.SIGSTOP)  # so that it cannot act before it is killed
    for part in ("inner", "outer"):
        os.kill(pids[part], signal.SIGKILL)
    wait_for(lambda: pids["server"] not in guarded.left(), SECONDS)


def test_a_server_that_does_not_obey_is_killed(tmp_path: Path) -> None:
    with started(tmp_path, "deaf", "600") as guarded:
        began = time.monotonic()
        assert guarded.process.stdin is not None
        guarded.process.stdin.close()
        assert guarded.all_ended()
        assert time.monotonic() - began > 0.9 * guardian._GRACE_SECONDS
        assert guarded.process.wait(SECONDS) == 128 + signal.SIGKILL


def test_the_exit_code_is_that_of_the_server(tmp_path: Path) -> None:
    with started(tmp_path, "obedient", "2") as guarded:
        assert guarded.process.wait(SECONDS) == 7
        assert guarded.all_ended()


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-I", guardian.__file__, str(tmp_path / "absent")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with process:
        assert process.wait(SECONDS) == 127
        assert process.stderr is not None
        assert b"absent: [Errno 2] No such file or directory" in process.stderr.read()
