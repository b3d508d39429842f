"""The judge against the plain ways to run a program: CPU and wall time per test, in one run.

    python benchmarks/judging.py [--tests N] [--workers 1,2]

Three ways on the same programs, taken in turns: the judge, `subprocess.run([python, program])`
without any protection, and bubblewrap started anew for every test. CPU time is that of this
process and of everything below it: orphans are inherited and reaped here, so that nothing
escapes the count. The interpreter is the judge's own in all three. Prints the tables that the
README quotes; ratios hold from one machine to another, milliseconds do not.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.judge import Judge, Submission
from harness.judge.inside.syscalls import become_subreaper
from harness.judge.languages import Cpp, language
from harness.judge.sandbox import as_sandbox_user, interpreter
from harness.types import TestCase, Verdict

_TRIVIAL = "print(sum(map(int, input().split())))\n"
_TESTS = [TestCase("1 2 3\n", "6\n")]
_MIXED = {
    "trivial": _TRIVIAL,
    "reads all": "import sys\nprint(sum(map(int, sys.stdin.read().split())))\n",
    "imports": (
        "import sys, math, heapq, bisect, itertools, functools, collections\n"
        "from fractions import Fraction\n" + _TRIVIAL
    ),
    "classes": (
        "from dataclasses import dataclass\nfrom typing import List\n@dataclass\nclass P:\n"
        "    xs: List[int]\nprint(sum(P(list(map(int, input().split()))).xs))\n"
    ),
    "deep": (
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(n): return n and f(n - 1) + 1\nf(5000)\n"
        + _TRIVIAL
    ),
    "numpy": "import numpy as np\nprint(int(np.array(input().split(), dtype=int).sum()))\n",
    "some work": "s = 0\nfor i in range(200000): s += i * i\n" + _TRIVIAL,
    "raises": "raise ValueError\n",
}
_HEAVY = {"heavy": "s = 0\nfor i in range(4000000): s += i * i % 7\n" + _TRIVIAL}
_CPP = """#include <bits/stdc++.h>
using namespace std;
int main() {
    vector<int> v(3);
    for (auto &x : v) cin >> x;
    sort(v.begin(), v.end());
    map<int, int> m;
    for (auto x : v) m[x] += x;
    cout << accumulate(v.begin(), v.end(), 0) << endl;
}
// """


@dataclass(slots=True)
class Cost:
    """CPU and wall seconds."""

    cpu: float = 0.0
    wall: float = 0.0

    def add(self, other: Cost) -> None:
        """Add another cost to this one."""
        self.cpu += other.cpu
        self.wall += other.wall

    def per(self, count: int) -> str:
        """Milliseconds of CPU and wall time for each of `count`."""
        return f"{self.cpu / count * 1000:9.2f} {self.wall / count * 1000:9.2f}"


def _used() -> float:
    """CPU seconds of this process and of everything that it has reaped."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    own, below = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


@contextlib.contextmanager
def _measured(cost: Cost, settle: float = 0.0) -> Iterator[None]:
    cpu, wall = _used(), time.perf_counter()
    yield
    wall = time.perf_counter() - wall
    time.sleep(settle)  # orphans reach us once their parents have gone
    cost.add(Cost(_used() - cpu, wall))


def _start() -> Cost:
    """What starting and ending a judge costs."""
    cost = Cost()
    with _measured(cost, 0.3), Judge():
        pass
    return cost


def _judged(programs: dict[str, str], rounds: int, start: Cost, tests: int = 1) -> Cost:
    """The judge, less what its start costs."""
    cost = Cost(-start.cpu, -start.wall)
    with _measured(cost, 0.3), Judge() as judge:
        for _ in range(rounds):
            for name, source in programs.items():
                result = judge.judge(Submission(source), _TESTS * tests)
                due = Verdict.RUNTIME_ERROR if name == "raises" else Verdict.CORRECT
                if result.verdict is not due:
                    raise SystemExit(f"{name}: {result}")
    return cost


def _each(programs: dict[str, str], rounds: int, command: Callable[[str], list[str]]) -> Cost:
    """One command a test, the program in a file."""
    cost = Cost()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        for name, source in programs.items():
            path = Path(folder) / f"{name.replace(' ', '_')}.py"
            path.write_text(source)
            with _measured(cost, 0.05):
                for _ in range(rounds):
                    subprocess.run(
                        command(str(path)), input=_TESTS[0].input, capture_output=True, text=True,
                        cwd="/", **as_sandbox_user(),
                    )  # fmt: skip
    return cost


def _bubblewrap(python: str, path: str) -> list[str]:
    prefix = interpreter().prefix
    return [
        "bwrap", "--unshare-all", "--cap-drop", "ALL", "--ro-bind", "/usr", "/usr",
        "--ro-bind-try", prefix, prefix, "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64",
        "/lib64", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives", "--proc", "/proc",
        "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", path, "/program.py", python, "/program.py",
    ]  # fmt: skip


def _python_table(tests: int) -> None:
    python = interpreter().executable
    print(
        f"{'CPU and wall ms per test':28} {'judge':>19} {'subprocess':>19} {'bwrap a test':>19}   CPU ratio"
    )
    for label, programs, count in (
        ("trivial", {"trivial": _TRIVIAL}, tests),
        ("mixed", _MIXED, max(2, tests // len(_MIXED))),
        ("heavy", _HEAVY, 4),
    ):
        ours, plain, wrapped = Cost(), Cost(), Cost()
        turns = 2
        for _ in range(turns):  # in turns: other work on the machine meets all three
            rounds = max(1, count // turns)
            ours.add(_judged(programs, rounds, _start()))
            plain.add(_each(programs, rounds, lambda path: [python, path]))
            wrapped.add(_each(programs, rounds, lambda path: _bubblewrap(python, path)))
        total = turns * rounds * len(programs)
        print(f"{f'{label} ({total} tests)':28} {ours.per(total)} {plain.per(total)} "
              f"{wrapped.per(total)}   {ours.cpu / plain.cpu:.2f}")  # fmt: skip
    many = _judged({"trivial": _TRIVIAL}, tests // 10, _start(), tests=10)
    print(f"{'trivial, 10 tests a program':28} {many.per(tests // 10 * 10)}")
    start = _start()
    print(f"{'start and end of a judge':28} {start.per(1)}")


def _cpp_table(rounds: int) -> None:
    spoken = language("cpp")
    if shutil.which("g++") is None or not isinstance(spoken, Cpp):
        print("C++: g++ is not installed")
        return
    with Judge() as judge:
        judge.judge(Submission(_CPP, "cpp"), _TESTS)  # the header is compiled once, and kept
    ours, plain = Cost(), Cost()
    for number in range(rounds):
        start = _start()
        ours.add(Cost(-start.cpu, -start.wall))
        with _measured(ours, 0.3), Judge() as judge:
            if judge.judge(Submission(f"{_CPP}{number}", "cpp"), _TESTS).verdict != "correct":
                raise SystemExit("the C++ program was refused")
        with tempfile.TemporaryDirectory() as folder, _measured(plain):
            source, binary = Path(folder) / "a.cpp", str(Path(folder) / "a")
            source.write_text(f"{_CPP}{number}")
            subprocess.run(["g++", *spoken.flags, str(source), "-o", binary], check=True)
            subprocess.run([binary], input=_TESTS[0].input, capture_output=True, text=True)
    print(f"{f'C++ with bits/stdc++.h ({rounds})':28} {ours.per(rounds)} {plain.per(rounds)} "
          f"{'':19}   {ours.cpu / plain.cpu:.2f}")  # fmt: skip


def _scaling_table(counts: list[int], tests: int) -> None:
    print(f"\n{'workers':>8} {'programs/s':>11}")
    for workers in counts:
        with Judge(workers=workers) as judge, ThreadPoolExecutor(workers) as pool:
            work = [Submission(_MIXED["some work"])] * tests
            list(pool.map(lambda one: judge.judge(one, _TESTS), work[: 2 * workers]))
            started = time.perf_counter()
            list(pool.map(lambda one: judge.judge(one, _TESTS), work))
            print(f"{workers:8} {tests / (time.perf_counter() - started):11.1f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--tests", type=int, default=160, help="trivial tests; others in proportion"
    )
    parser.add_argument("--workers", default="1,2", help="how many at once, for the scaling")
    options = parser.parse_args()
    become_subreaper()
    _python_table(options.tests)
    _cpp_table(4)
    _scaling_table([int(count) for count in options.workers.split(",")], options.tests)


if __name__ == "__main__":
    main()
