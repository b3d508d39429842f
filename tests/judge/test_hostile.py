"""Programs that act on their judge, hide what they use or leave things: each keeps its own verdict."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.judge import Judge, ProgramChecker, Submission, sandbox
from harness.judge.checkers import first_difference, returned
from harness.judge.worker import Job, JobResult, Worker, WorkerFailed
from harness.types import Limits, Verdict
from tests.support import hostile
from tests.support.hostile_batch import TESTS, batch, failures
from tests.support.programs import SUM

LIMITS = Limits(cpu_seconds=5.0, memory_mib=256)
QUICK = {
    "wrong_answer": hostile.WATCHER,
    "correct": hostile.HONEST,
    "runtime_error": hostile.FAILS,
    "memory_limit": {
        name: hostile.MEMORY[name]
        for name in ("memory files", "memory files on their way", "a child that cannot be read")
    },
}
MIB = 1 << 20
_BEGINS = (
    "import site\nfor path in {found}: site.addsitedir(path)\nimport harness.judge, pyseccomp\n"
)
_RUNS = "import runpy\nrunpy.run_module('tests.support.hostile_batch', run_name='__main__')\n"


@pytest.mark.parametrize(("due", "kinds"), QUICK.items(), ids=QUICK)
def test_kinds_of_programs_keep_their_verdict(
    judge: Judge, due: str, kinds: dict[str, str]
) -> None:
    found = {name: judge.judge(Submission(source), TESTS, LIMITS) for name, source in kinds.items()}
    assert {name: one for name, one in found.items() if one.verdict != due} == {}
    assert judge.judge(Submission(SUM), TESTS, LIMITS).verdict is Verdict.CORRECT


def test_a_test_finds_neither_port_nor_rights_of_the_one_before(judge: Judge) -> None:
    for name in ("listens and connects", "takes the rights of its folder", "fills its folder"):
        result = judge.judge(Submission(hostile.HONEST[name]), [*TESTS] * 3, LIMITS)
        assert result.verdict is Verdict.CORRECT, (name, result)


def _fails_for(monkeypatch: pytest.MonkeyPatch, fails: str, attempts: list[Worker]) -> None:
    run = Worker.run

    def once(self: Worker, job: Job) -> JobResult:
        source = os.pread(job.program, 1 << 16, 0).decode()
        if fails in source:
            attempts.append(self)
            self.start()
            raise WorkerFailed("no answer within 1 s")
        return run(self, job)

    monkeypatch.setattr(Worker, "run", once)


def test_a_failure_that_comes_back_for_one_program_alone_is_its_own(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[Worker] = []
    _fails_for(monkeypatch, "breaks", attempts)
    result = judge.judge(Submission("breaks = 1"), TESTS, LIMITS)
    assert result.verdict is Verdict.RUNTIME_ERROR and "no answer within 1 s" in result.detail
    assert len(attempts) == 2
    assert judge.judge(Submission(SUM), TESTS, LIMITS).verdict is Verdict.CORRECT


def test_a_failure_that_every_program_meets_is_the_judges(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fails_for(monkeypatch, "", [])
    assert judge.judge(Submission("x = 1"), TESTS, LIMITS).verdict is Verdict.ERROR


def test_a_checker_that_an_output_overwhelms_refuses_it(judge: Judge) -> None:
    loops = ProgramChecker(
        "import sys\nfound = open(sys.argv[3]).read()\nwhile len(found) > 99: pass\nprint(1)"
    )
    reads = ProgramChecker("import sys\nprint(int(len(open(sys.argv[3]).read()) < 99))")
    huge = "import sys\nfor _ in range(62): sys.stdout.write('6\\n' * (1 << 19))"
    assert judge.judge(Submission(huge), TESTS, LIMITS, checker=reads).verdict == "wrong_answer"
    assert judge.judge(Submission(SUM), TESTS, LIMITS, checker=loops).verdict == "correct"


@pytest.mark.slow  # the checker's limit is 30 s
def test_a_checker_that_an_output_stops_at_its_limit_refuses_it(judge: Judge) -> None:
    loops = ProgramChecker(
        "import sys\nfound = open(sys.argv[3]).read()\nwhile len(found) > 9: pass\nprint(1)"
    )
    result = judge.judge(Submission("print(10 ** 99)"), TESTS, LIMITS, checker=loops)
    assert result.verdict is Verdict.WRONG_ANSWER and "limit of cpu" in result.detail


@pytest.mark.parametrize("output", [b"6\n" * (8 * MIB), b"6 " * (8 * MIB), b"[]," * (4 * MIB), b"\r" * (8 * MIB)],
                         ids=["lines", "words", "items", "empty lines"])  # fmt: skip
def test_an_output_is_compared_in_little_memory(output: bytes) -> None:
    tracemalloc.start()
    first_difference(output, b"6\n7\n")
    assert not returned(b"[" + output + b"6]", b'"%s"' % (b"x" * MIB))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * len(output)


def test_without_a_sandbox_no_folder_is_left() -> None:
    before = set(Path("/tmp").glob("harness-judge-*"))
    with Judge(unsafe=True) as unsafe:
        for name in ("leaves files without rights", "many files"):
            unsafe.judge(Submission(hostile.HONEST[name]), TESTS, LIMITS)
    assert set(Path("/tmp").glob("harness-judge-*")) <= before


@pytest.fixture
def _own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files that everybody may use and no other process does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@pytest.mark.exhaustive  # minutes; limits of CPU time are reached late beside other work
@pytest.mark.usefixtures("judge", "_own_folder")
def test_the_batch_keeps_its_verdicts_and_leaves_nothing(test_data: Path) -> None:
    items = batch(test_data)
    assert len(items) > 150
    for _ in range(2):
        assert failures(items) == []


@pytest.mark.exhaustive
@pytest.mark.usefixtures("judge")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_the_batch_as_an_ordinary_user(test_data: Path, _own_folder: Path) -> None:
    temporary = _own_folder / "temporary"
    temporary.mkdir()
    temporary.chmod(0o777)
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(_own_folder), "TMPDIR": str(temporary),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    user = {"user": 4242, "group": 4242, "extra_groups": []}
    begins = _BEGINS.format(found=[path for path in sys.path if path.endswith("site-packages")])
    python = sandbox.interpreter().executable
    options: Any = {"env": environment, "cwd": Path(__file__).parents[2], "text": True, **user}
    if subprocess.run([python, "-c", begins], **options).returncode:
        pytest.skip(f"{python} cannot import the package as another user")
    done = subprocess.run(
        [python, "-c", begins + _RUNS, "--data", str(test_data), "--rounds", "2"],
        capture_output=True, **options,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("", 0), done.stderr
