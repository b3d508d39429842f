from __future__ import annotations

import json
import os
import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.judge import Judge, ProgramChecker, Submission, check
from harness.judge.sandbox import JudgeUnavailable
from harness.judge.scoring import SCORINGS, scoring_of
from harness.types import Limits, TestCase, Verdict
from tests.support.processes import children
from tests.support.programs import ACCEPTED, FAILED, SUM

TESTS = [TestCase("1 2 3\n", "6\n")]
LIMITS = Limits(cpu_seconds=0.6, memory_mib=256)
AMPLE = Limits(cpu_seconds=5.0, memory_mib=256)  # for failures that are not of time
FAILURES = [
    (verdict, name, source) for verdict, found in FAILED.items() for name, source in found.items()
]
CPP = "#include <bits/stdc++.h>\nusing namespace std;\nint main() {{ {} }}\n"
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed")


@pytest.mark.parametrize("name", ACCEPTED)
def test_honest_programs_are_accepted(judge: Judge, name: str) -> None:
    if name == "numpy" and judge.versions()["numpy"] is None:
        pytest.skip("the judge's interpreter has no numpy")
    assert judge.judge(Submission(ACCEPTED[name]), TESTS).verdict is Verdict.CORRECT


@pytest.mark.parametrize(("due", "name", "source"), FAILURES)
def test_failures_have_their_names(judge: Judge, due: str, name: str, source: str) -> None:
    limits = LIMITS if due == "time_limit" else AMPLE
    result = judge.judge(Submission(source), TESTS, limits)
    assert (result.verdict, result.test) == (due, 1), result
    assert judge.judge(Submission(SUM), TESTS, LIMITS).verdict is Verdict.CORRECT


def test_tests_run_in_order_up_to_the_first_failure(judge: Judge) -> None:
    source = "x = int(input())\nassert x < 4\nprint(x if x < 3 else 0)"
    tests = [TestCase(f"{x}\n", f"{x}\n") for x in (1, 2, 3, 4)]
    result = judge.judge(Submission(source), tests)
    assert (result.verdict, result.test) == (Verdict.WRONG_ANSWER, 3)
    assert judge.judge(Submission(source), tests[:2]).verdict is Verdict.CORRECT


def test_a_test_sees_no_file_of_the_one_before(judge: Judge) -> None:
    source = "import os\nprint(os.listdir('.') + os.listdir('/dev/shm'))\nopen('x', 'w')"
    assert judge.judge(Submission(source), [TestCase("", "[]")] * 3).verdict is Verdict.CORRECT


def test_randomness_is_the_same_every_time(judge: Judge) -> None:
    source = "import random\nprint(random.random(), hash('x'), {'a', 'b', 'c', 'd'})"
    judge.judge(Submission(source), [TestCase("", "")])
    outputs = set()
    for _ in range(3):
        with Judge() as fresh:
            outputs.add(_printed(fresh, source))
    assert len(outputs) == 1


def _printed(judge: Judge, source: str) -> str:
    """What a program prints, told apart by its detail: it exits with its output as the message."""
    program = source.replace("print(", "raise SystemExit(str((") + "))"
    return judge.judge(Submission(program), TESTS).detail


def test_functions_are_called_with_json_and_compared_outside(judge: Judge) -> None:
    tests = [TestCase("[1,2,3]\n2", "[2,4,6]", "scale")]
    good = "class Solution:\n    def scale(self, a: List[int], k):\n        print('debug')\n        return {}"
    for value, due in (
        ("[x * k for x in a]", Verdict.CORRECT),
        ("tuple(x * k for x in a)", Verdict.CORRECT),
        ("a", Verdict.WRONG_ANSWER),
        ("type('T', (), {'__eq__': lambda self, other: True})()", Verdict.WRONG_ANSWER),
        ("type('L', (list,), {'__eq__': lambda self, other: True})()", Verdict.WRONG_ANSWER),
        ("1 / 0", Verdict.RUNTIME_ERROR),
        ("exit()", Verdict.RUNTIME_ERROR),
    ):
        for scoring in ("process", "lcb-official"):
            result = judge.judge(Submission(good.format(value)), tests, scoring=scoring)  # type: ignore[arg-type]
            assert result.verdict is due, (value, scoring, result)
    assert judge.judge(Submission("x ="), tests).verdict is Verdict.COMPILE_ERROR


_WRONG, _FAILS = "wrong_answer", "runtime_error"


@pytest.mark.parametrize(
    ("source", "process", "january", "newest"),
    [
        (SUM, "correct", "correct", "correct"),
        ("if __name__ == '__main__':\n    " + SUM, "correct", "correct", "correct"),
        ("import sys\nprint(sum(map(int, sys.stdin.read().split())))", "correct", "correct", "correct"),
        ("try:\n    while True: x = input()\nexcept EOFError: print(6)", "correct", "correct", "correct"),
        ("import sys\nprint(6)\nsys.exit(1)", _FAILS, "correct", "correct"),
        ("print(6)\nquit()", "correct", _FAILS, _FAILS),
        ("import os\nos.write(1, b'6')", "correct", _WRONG, _WRONG),
        ("print(sum(map(int, open(0).read().split())))", "correct", _WRONG, _WRONG),
        (
            "import threading, time\n"
            "threading.Thread(target=lambda: (time.sleep(.05), print(6))).start()",
            "correct", _WRONG, _WRONG,
        ),
        ("print(len(deque(range(6))))", "correct", "correct", "correct"),
        ("print(pow(3, 3, 7))", "correct", "correct", "correct"),
        ("x = 6\ndef f():\n    global x\n    x += 0\nf()\nprint(x)", "correct", _FAILS, _FAILS),
        # a buffer of standard input, since May 2025; its readline starts anew each time
        ("import sys\nprint(sum(map(int, sys.stdin.buffer.read().split())))", "correct", _FAILS, "correct"),
        ("import sys\nprint(sum(map(int, sys.stdin.buffer.readline().split())))", "correct", _FAILS, "correct"),
        ("import sys\nsys.stdin.buffer.readline()\nprint(len(sys.stdin.buffer.readline()))", _WRONG, _FAILS, "correct"),
        ("import sys\nprint(len(sys.stdin.buffer.readlines()) * 6)", "correct", _FAILS, _FAILS),
        # which can no longer be iterated, and whose read and readlines start anew
        ("import sys\nfor l in sys.stdin: print(sum(map(int, l.split())))", "correct", "correct", _FAILS),
        ("import sys\nprint(sum(int(x) for l in sys.stdin for x in l.split()))", "correct", "correct", _FAILS),
        ("import sys\nprint(6 if next(sys.stdin) else 7)", "correct", "correct", _FAILS),
        ("import sys\ninput()\nprint(6 - len(sys.stdin.read()))", "correct", "correct", _WRONG),
        ("import sys\nprint(5 + len(sys.stdin.readlines()))", "correct", "correct", _WRONG),
        ("import sys\nprint(sum(map(int, iter(sys.stdin.readline, '').__next__().split())))", "correct", "correct", "correct"),
        # the name imported before the stream is replaced: lines without their ends
        ("from sys import stdin\nprint(sum(map(int, stdin.readline().split())))", "correct", "correct", "correct"),
        ("from sys import stdin\nprint(len(stdin.readline()) + 1)", _WRONG, "correct", "correct"),
        ("from sys import stdin\nstdin.readline(), stdin.readline()\nprint(6 + len(stdin.readline()))", "correct", _FAILS, _FAILS),
        ("from sys import stdin\nprint(6 - sum(1 for l in stdin) + 1)", "correct", _WRONG, _WRONG),
    ],
)  # fmt: skip
def test_the_scorings(judge: Judge, source: str, process: str, january: str, newest: str) -> None:
    tests = [TestCase("1 2 3\n", "6")]
    program = Submission(source, prelude=True)
    found = [judge.judge(program, tests, checker="lcb", scoring=name) for name in SCORINGS]
    assert [result.verdict for result in found] == [process, january, newest], found


@needs_compiler
@pytest.mark.parametrize(
    ("body", "due"),
    [
        ("int a, b, c; cin >> a >> b >> c; cout << a + b + c;", "correct"),
        ("cout << 7;", "wrong_answer"),
        ("cout << 6; return 3;", "runtime_error"),
        ("cout << x;", "compile_error"),
        ("vector<int> v; for (;;) v.push_back(1);", "memory_limit"),
        ("volatile int x = 0; for (;;) x = x + 1;", "time_limit"),
        ("volatile int *p = nullptr; *p = 1;", "runtime_error"),
        ("for (;;) puts(\"666666666666666666666666666666666666666666666666\");", "output_limit"),
        ("thread t([] { cout << 6; }); t.join();", "correct"),
        ("function<int(int)> f = [&](int n) { return n ? f(n - 1) + 1 : 0; };"
         "cout << f(200000) - 199994;", "correct"),
    ],
)  # fmt: skip
def test_cpp(judge: Judge, body: str, due: str) -> None:
    for language in ("cpp", "cpp20") if due == "correct" else ("cpp",):
        limits = LIMITS if due == "time_limit" else AMPLE
        result = judge.judge(Submission(CPP.format(body), language), TESTS, limits)
        assert result.verdict == due, result


@needs_compiler
def test_the_compiler_sees_no_file_of_this_machine(judge: Judge) -> None:
    for path in ("/etc/passwd", str(Path(__file__)), "/judge/../etc/hostname"):
        result = judge.judge(Submission(f'#include "{path}"\nint main() {{}}', "cpp"), TESTS)
        assert result.verdict is Verdict.COMPILE_ERROR
        assert "root:" not in result.detail and "PATH" not in result.detail


def test_checker_programs_run_in_the_sandbox(judge: Judge) -> None:
    prints = ProgramChecker(
        "import sys\n"
        "given, due, found = (open(path).read().split() for path in sys.argv[1:])\n"
        "print(int(sum(map(int, found)) == sum(map(int, given)) and due == ['6']))"
    )
    for source, due in (("print(4, 2)", "correct"), ("print(4, 3)", "wrong_answer")):
        assert judge.judge(Submission(source), TESTS * 2, checker=prints).verdict == due
    exits = ProgramChecker("raise SystemExit(1)", convention="exits")
    assert judge.judge(Submission(SUM), TESTS, checker=exits).verdict is Verdict.WRONG_ANSWER
    for broken in ("1/0", "print('maybe')", ""):
        result = judge.judge(Submission(SUM), TESTS, checker=ProgramChecker(broken))
        assert result.verdict is Verdict.ERROR and "checker program" in result.detail


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        ("pass", "exit status 0, no output"),
        ("print()", "exit status 0, no output"),
        ("raise SystemExit(3)", "exit status 3, no output"),
        ("print('maybe')", "exit status 0: maybe"),
        ("1/0", "exit status 1: ZeroDivisionError: division by zero"),
        ("import os; os.kill(os.getpid(), 11)", "killed by SIGSEGV"),
    ],
)
def test_a_checker_that_fails_says_how_it_ended(judge: Judge, ending: str, said: str) -> None:
    source = (
        f"import sys\nif open(sys.argv[3]).read() == '6\\n':\n    print(1)\nelse:\n    {ending}\n"
    )
    found = judge.judge(Submission("print(5)"), TESTS, checker=ProgramChecker(source))
    assert found.verdict is Verdict.WRONG_ANSWER
    assert found.detail == f"the checker program failed on the output ({said})"


def test_input_and_output_files(judge: Judge) -> None:
    source = "open('o.txt', 'w').write(str(sum(map(int, open('i.txt').read().split()))))"
    files = {"input_file": "i.txt", "output_file": "o.txt"}
    assert judge.judge(Submission(source), TESTS, **files).verdict is Verdict.CORRECT  # type: ignore[arg-type]
    for hostile in (
        "import os\nos.symlink('/proc/1/environ', 'o.txt')",
        "import os\nos.mkfifo('o.txt')",
        "import os\nos.mkdir('o.txt')",
        "import os\nos.truncate(os.open('o.txt', 66), 1 << 40)",
        "print(6)",
    ):
        result = judge.judge(Submission(hostile), TESTS, **files)  # type: ignore[arg-type]
        assert result.verdict in (Verdict.WRONG_ANSWER, Verdict.RUNTIME_ERROR), hostile


def test_many_threads_share_the_judge(judge: Judge) -> None:
    def one(number: int) -> Verdict:
        tests = [TestCase(f"{number} 1\n", f"{number + 1 + number % 2}")]
        return judge.judge(Submission(SUM), tests).verdict

    with ThreadPoolExecutor(6) as pool:
        verdicts = list(pool.map(one, range(60)))
    assert verdicts == [Verdict.CORRECT, Verdict.WRONG_ANSWER] * 30


def test_a_killed_sandbox_is_restarted_and_changes_no_verdict(judge: Judge) -> None:
    before = children()
    with Judge() as own:
        for _ in range(2):
            assert own.judge(Submission(SUM), TESTS).verdict is Verdict.CORRECT
            (sandbox,) = children() - before
            os.kill(sandbox, signal.SIGKILL)
        assert own.judge(Submission(SUM), TESTS).verdict is Verdict.CORRECT


def test_a_judge_that_keeps_failing_is_an_error(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.judge.worker import Worker, WorkerFailed

    def fails(self: Worker, job: object) -> None:
        raise WorkerFailed("the machine is on fire")

    monkeypatch.setattr(Worker, "run", fails)
    result = judge.judge(Submission(SUM), TESTS)
    assert result.verdict is Verdict.ERROR and "on fire" in result.detail


def test_a_version_names_its_scoring() -> None:
    assert scoring_of("code/1") == scoring_of("code/2+python-time-x2") == "process"
    for name in SCORINGS[1:]:
        assert scoring_of(f"code/1+{name}+unsafe-judge") == name


def test_unknown_names_are_refused(judge: Judge) -> None:
    for submission, options in (
        (Submission(SUM, "cobol"), {}),
        (Submission(SUM), {"checker": "exact"}),
        (Submission(SUM), {"scoring": "official"}),
    ):
        with pytest.raises(UsageError):
            judge.judge(submission, TESTS, **options)  # type: ignore[arg-type]


def test_the_self_test_is_well(judge: Judge) -> None:
    found = check()
    sandbox = [line for line in found if "numpy" not in line[1] and "C++" not in line[1]]
    assert len(sandbox) > 8
    assert [line for well, line in sandbox if not well] == []


def test_without_bubblewrap_the_judge_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    which = shutil.which
    monkeypatch.setattr(
        shutil, "which", lambda name, **k: None if name == "bwrap" else which(name, **k)
    )
    with pytest.raises(JudgeUnavailable, match="apt-get install bubblewrap"), Judge():
        pass
    assert [well for well, _ in check()] == [False]


def test_a_sandbox_that_cannot_start_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = tmp_path / "bwrap"
    broken.write_text(
        "#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n"
    )
    broken.chmod(0o755)
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(JudgeUnavailable, match=r"No permissions.*user namespaces"), Judge():
        pass


def test_unsafe_judging_works_by_name_only() -> None:
    with Judge(unsafe=True) as unsafe:
        assert unsafe.judge(Submission(SUM), TESTS * 2).verdict is Verdict.CORRECT
        left = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(60)\nprint(6)"
        assert unsafe.judge(Submission(left), TESTS).verdict is Verdict.CORRECT
        assert (
            unsafe.judge(Submission("while 1: pass"), TESTS, LIMITS).verdict is Verdict.TIME_LIMIT
        )


def test_verdicts_of_the_corpus(judge: Judge, test_data: Path) -> None:
    """The quick ones of the corpus; the slow set judges all of them by the command line."""
    path = test_data / "judge_programs.jsonl"
    if not path.is_file():
        pytest.skip(f"no test data: {path} is not there")
    for line in path.read_text().splitlines():
        row = json.loads(line)
        if row["language"] != "python" or row["expected"] not in ("accepted", "wrong_answer"):
            continue
        tests = [TestCase(row["stdin"], row["expected_output"], row.get("fn_name"))]
        result = judge.judge(Submission(row["source"]), tests)
        due = "correct" if row["expected"] == "accepted" else row["expected"]
        assert result.verdict == due, (row["name"], result)
