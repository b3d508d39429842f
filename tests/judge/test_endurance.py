"""What thousands of tests in a row leave behind: nothing. A short form runs by default."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.judge import Judge, Submission
from harness.types import Limits, TestCase, Verdict

SUM = "print(sum(map(int, input().split())))\n"
LEAVES = (
    "import os, time\nopen('left', 'w').write('x')\nif os.fork() == 0:\n    os.setsid()\n"
    "    time.sleep(1000)\nprint(6)\n"
)
PROGRAMS = (
    (SUM, Verdict.CORRECT),
    (LEAVES, Verdict.CORRECT),
    ("raise SystemExit(3)", Verdict.RUNTIME_ERROR),
    ("print(7)", Verdict.WRONG_ANSWER),
)
TESTS = [TestCase("1 2 3\n", "6\n")] * 10


def _descendants() -> dict[int, int]:
    """Resident KiB of every living process below this one, by process id."""
    parents: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            fields = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(path.name)] = int(fields[1]), int(fields[21]) * 4
    found: dict[int, int] = {}
    family = {os.getpid()}
    while more := {pid for pid, (parent, _) in parents.items() if parent in family} - family:
        family |= more
        found |= {pid: parents[pid][1] for pid in more}
    return found


def _settled() -> dict[int, int]:
    """The descendants once the last submission's init has gone: it answers before it leaves."""
    deadline = time.monotonic() + 5
    found = _descendants()
    while time.monotonic() < deadline:
        time.sleep(0.2)
        again = _descendants()
        if set(again) == set(found):
            break
        found = again
    return found


def _held() -> tuple[int, int, list[str]]:
    """Descriptors and mounts of this process, temporary files of the judge."""
    files = sorted(path.name for path in Path(tempfile.gettempdir()).iterdir())
    return (
        len(os.listdir("/proc/self/fd")),  # noqa: PTH208
        len(Path("/proc/self/mountinfo").read_text().splitlines()),
        files,
    )


def _run(judge: Judge, tests: int) -> None:
    for number in range(tests // len(TESTS)):
        source, due = PROGRAMS[0 if number % 20 else (number // 20) % len(PROGRAMS)]
        result = judge.judge(Submission(source), TESTS, Limits(2.0, 256))
        assert result.verdict is due, result


@pytest.fixture
def _own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder for temporary files that no other process writes to."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # the sandbox's user passes through it
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


@pytest.mark.usefixtures("judge", "_own_folder")
@pytest.mark.parametrize("tests", [600, pytest.param(20_000, marks=pytest.mark.exhaustive)])
def test_nothing_leaks(tests: int) -> None:
    before, below = _held(), _settled()
    with Judge() as judge:
        _run(judge, 400)
        started, held = _settled(), _held()
        _run(judge, tests)
        ended = _settled()
        assert set(ended) == set(started)
        assert _held() == held
        own_groups = Path("/proc/self/cgroup").read_text()  # the judge makes none of its own
        assert {Path(f"/proc/{pid}/cgroup").read_text() for pid in ended} == {own_groups}
        for pid, size in ended.items():
            assert size < started[pid] + 1024, (pid, started[pid], size)
    assert set(_settled()) <= set(below)
    assert _held() == before
