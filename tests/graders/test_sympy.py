"""The symbolic worker: it proves equalities, runs nothing, and neither hangs nor outlives us."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.graders import sympy_client
from harness.graders.math import Math
from tests.support.processes import children, processes, wait_for


@pytest.mark.parametrize(
    ("reference", "answer", "same"),
    [
        ("\\int_0^1 x^2 \\, dx", "\\frac13", True),
        ("\\int_0^1 x^2 \\, dx", "\\frac12", False),
        ("\\lim_{x\\to 0}\\frac{\\sin x}{x}", "1", True),
        ("\\sum_{k=1}^{n} k", "\\frac{n(n+1)}{2}", True),
        ("\\prod_{k=1}^{4} k", "24", True),
        ("10^{10^{10^{10}}}", "1", None),
        ("1 + \\unknown{2}", "1", None),
    ],
)
def test_verdicts(reference, answer, same):
    assert sympy_client.same([(reference, answer)], seconds=20 if same is not None else 2) == [same]


PAYLOADS = (
    "__import__('os').system('touch {0}')",
    "x=__import__('os').system('touch {0}')",
    "eval(\"open('{0}','w')\")",
    "\\text{{__import__('os').system('touch {0}')}}",
    "1+0*len(str(open('{0}','w')))",
    "\\operatorname{{open}}('{0}','w')",
    "Symbol('x', **{{'a': open('{0}', 'w')}})",
)


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_is_executed(payload, tmp_path):
    canary = tmp_path / "canary"
    text = payload.format(canary)
    for reference in ("0", text):
        sympy_client.same([(reference, text)])
        Math("lenient").settle(reference, f"{text} ")
    assert not canary.exists()


def test_the_child_cannot_write_execute_or_connect(tmp_path):
    canary = tmp_path / "canary"
    code = f"""
import os, socket, sys
from harness.graders import sympy_worker as worker
for act in (
    lambda: open({str(canary)!r}, "w"),
    lambda: os.system("touch {canary}"),
    lambda: eval("1+1"),
    lambda: compile("1", "<string>", "eval"),
    lambda: socket.socket(),
    lambda: __import__("subprocess").Popen(["touch", {str(canary)!r}]),
):
    pid = os.fork()
    if pid == 0:
        worker._confine(os.getppid())
        try:
            act()
        except Exception:
            os._exit(0)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["3"] * 6
    assert not canary.exists()


def test_a_pair_that_hangs_costs_its_limit_and_the_next_one_is_answered():
    sympy_client.same([("1", "1")])
    started = time.monotonic()
    pairs = [("1", "\\sum_{n=1}^{10^{9}} \\frac{1}{n^3+\\sqrt{n}}"), ("\\prod_{k=1}^{3} k", "6")]
    assert sympy_client.same(pairs, seconds=3) == [None, True]
    assert 3 <= time.monotonic() - started < 60  # without a limit the first one takes hours


def test_any_thread_and_event_loop():
    results = []
    threads = [
        threading.Thread(
            target=lambda: results.extend(
                sympy_client.same([("\\prod_{k=1}^{3} k", "6")], seconds=20)
            )
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 4

    async def ask():
        return Math().settle("\\prod_{k=1}^{3} k", "6")[1]

    assert asyncio.run(ask()) == "symbolic"


def test_a_dead_worker_is_replaced():
    sympy_client.same([("1", "1")])
    workers = children() & processes("harness.graders.sympy_worker").keys()
    assert workers
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert sympy_client.same([("\\prod_{k=1}^{3} k", "6")], seconds=20) == [True]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_die_with_a_parent_that_is_killed():
    code = (
        "from harness.graders import sympy_client\n"
        "sympy_client.same([('1', '1')])\n"
        "print('started', flush=True)\n"
        "sympy_client.same([('10^{10^{10^{10}}}', '1')] * 1000)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    (worker,) = children(parent.pid)
    wait_for(lambda: children(worker))
    family = {worker, *children(worker)}
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    wait_for(lambda: not any(_alive(pid) for pid in family))


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_hostile_answers(test_data, tmp_path, monkeypatch):
    from harness.cli.match import match_row

    monkeypatch.chdir(tmp_path)
    sympy_client.same([("1", "1")])
    for line in (test_data / "math_hostile.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        started = time.process_time()
        result = match_row(row, kind="math", extract="lenient")
        assert time.process_time() - started < 2, row["id"]
        if row["expected"] != "ambiguous":
            assert (result.verdict == "correct") is row["expected"], row["id"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_child_that_waits_for_the_processor_loses_no_answer():
    pair = ("\\prod_{k=1}^{3} k", "6")
    assert sympy_client.same([pair]) == [True]
    (worker,) = children() & processes("harness.graders.sympy_worker").keys()
    (child,) = children(worker)
    os.kill(child, signal.SIGSTOP)
    asking = ThreadPoolExecutor(1).submit(sympy_client.same, [pair])
    time.sleep(2 * sympy_client.SECONDS)
    os.kill(child, signal.SIGCONT)
    assert asking.result() == [True]


BORDER = (
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\sum_{k=1}^{n} k^2", r"\frac{n(n+1)(2n+1)}{6}"),
    (r"\int_0^1 x^5\,dx", r"\frac{1}{6}"),
    (r"\lim_{x\to 0} \frac{\sin x}{x}", "1"),
    (r"\sum_{k=1}^{\infty} \frac{1}{k^2}", r"\frac{\pi^2}{6}"),
    (r"\prod_{k=1}^{8} k", "40320"),
    (r"\sum_{n=1}^{10^{9}} \frac{1}{n^3+\sqrt{n}}", "1"),
)


@pytest.mark.slow
def test_three_busy_loops_beside_it_change_no_answer():
    alone = sympy_client.same(BORDER)
    assert alone.count(True) == len(BORDER) - 1
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        beside = sympy_client.same(BORDER)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    assert beside == alone


def test_a_module_that_is_not_compiled_yet_can_be_imported_late(tmp_path):
    code = (
        "import os\n"
        "from harness.graders import sympy_equality, sympy_worker as worker\n"
        "worker._confine(os.getppid())\n"
        "import sympy.holonomic\n"
        "os._exit(7)"
    )
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(tmp_path)}  # holds no compiled module
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    assert subprocess.run([sys.executable, "-c", code], env=environment).returncode == 7
