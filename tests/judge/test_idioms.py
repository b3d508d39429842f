"""What the judge makes of a program is what `python3 solution.py` makes of it: output and status."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.judge import sandbox
from harness.judge.worker import Job, Worker, encoded, sealed
from tests.support.idioms import STDIN, programs

PROGRAMS = programs()
QUICK = list(PROGRAMS)[::14]
Ended = tuple[bytes, int]


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    try:
        worker.start()
    except sandbox.JudgeUnavailable as reason:
        pytest.skip(f"no sandbox here: {reason}")
    yield worker
    worker.close()


def judged(worker: Worker, source: str) -> Ended:
    """(output, exit status) in the sandbox; the status of a process that a signal ended is below 0."""
    with sealed(encoded(source)) as program, sealed(encoded(STDIN)) as stdin:
        job = Job(mode="script", program=program, stdin=stdin, cpu=10, wall=40, memory=512 << 20,
                  output=64 << 20, processes=128)  # fmt: skip
        result = worker.run(job)
    assert result.status is not None, result
    return result.output, os.waitstatus_to_exitcode(result.status)


def plain(folder: Path, source: str) -> Ended:
    """(output, exit status) of `python3 solution.py`."""
    folder.mkdir()
    (folder / "solution.py").write_bytes(encoded(source))
    (folder / "stdin").write_bytes(encoded(STDIN))
    with (folder / "stdin").open() as stdin, (folder / "stdout").open("wb+") as stdout:
        (folder / "stdin").unlink()
        done = subprocess.run(
            [sandbox.interpreter().executable, "-s", "solution.py"],
            stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, cwd=folder,
            env=sandbox._ENVIRONMENT, timeout=60, preexec_fn=_no_core,
        )  # fmt: skip
        stdout.seek(0)
        return stdout.read(), done.returncode


def _no_core() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


ORDINARY = {
    "nothing": "print(6)",
    "reading": "import sys\nit = iter(sys.stdin.read().split())\nprint(next(it))",
    "file": "data = open(0).read()\nprint(6)",
    "fast input": "import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline",
    "classes": "from dataclasses import dataclass\n@dataclass\nclass A: x: int = 6\na = A()",
    "enumeration": "from enum import Enum\nclass A(Enum): x = 6\nprint(A.x)",
    "abstract classes": "from collections.abc import Iterable\nprint(isinstance([], Iterable))",
    "cache": "from functools import *\n@lru_cache(None)\ndef f(n): return n\nprint(f(6))",
    "a generator that ended": "x = (i for i in range(3))\nprint(sum(x))",
    "a thread": "import threading\nt = threading.Thread(target=print)\nt.start()\nt.join()",
    "algorithms": "import bisect, heapq, math, itertools, collections, random, re, string",
}


@pytest.mark.parametrize("source", ORDINARY.values(), ids=ORDINARY)
def test_ordinary_programs_have_nothing_to_finalise(worker: Worker, source: str) -> None:
    """The rest of the finalisation shows nothing, and takes longer than the program."""
    look = """
import atexit, sys
@atexit.register
def _():
    frame = sys._getframe()
    while frame := frame.f_back:
        if '_is_quiet' in frame.f_globals:
            print('quiet', frame.f_globals['_is_quiet']())
"""
    assert judged(worker, look + source)[0].endswith(b"quiet True\n")


@pytest.mark.parametrize("names", [QUICK, pytest.param(list(PROGRAMS), marks=pytest.mark.slow)])
def test_programs_end_as_python_ends_them(worker: Worker, tmp_path: Path, names: list[str]) -> None:
    differing = {}
    for number, name in enumerate(names):
        found = judged(worker, PROGRAMS[name])
        due = plain(tmp_path / str(number), PROGRAMS[name])
        if found != due:
            differing[name] = found, due
    assert differing == {}
