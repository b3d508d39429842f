"""The symbolic worker killed or stopped by somebody else: no answer becomes undecided."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from harness.graders import sympy_client
from harness.graders.math import Math
from harness.pipeline.grading_process import grade_one
from harness.types import Problem, Sample, Verdict
from tests.support.processes import children, processes

ANSWERS = (
    (r"\sum_{k=1}^{n} k", r"\frac{n(n+1)}{2}"),
    (r"\prod_{k=1}^{5} k", "120"),
    (r"\sum_{k=1}^{6} k^2", "91"),
    (r"\int_0^1 x^5\,dx", r"\frac{1}{6}"),
    (r"\int_0^1 x^2\,dx", r"\frac12"),
)


def worker_family() -> tuple[set[int], set[int]]:
    """(symbolic workers of this process, their children)."""
    workers = children() & processes("harness.graders.sympy_worker").keys()
    forked: set[int] = set()
    for worker in workers:
        try:
            forked |= children(worker)
        except OSError:  # it has just ended
            continue
    return workers, forked


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def stop_for_a_while(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(1.5)
        os.kill(pid, signal.SIGCONT)
    except ProcessLookupError:
        return


def settle(count: int) -> list[Verdict]:
    grader = Math()
    return [grader.settle(*ANSWERS[number % len(ANSWERS)])[0] for number in range(count)]


def test_a_child_that_is_killed_beside_its_pair_is_replaced() -> None:
    expected = settle(5)
    assert Verdict.UNDECIDED not in expected
    for number in range(5):
        _, forked = worker_family()
        assert len(forked) == 1
        kill(forked.pop())
        assert Math().settle(*ANSWERS[number])[0] is expected[number]


def test_a_worker_that_is_always_killed_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = subprocess.Popen

    def start_killed(_: list[str], **options: Any) -> subprocess.Popen[bytes]:
        return start([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], **options)

    sympy_client._worker().stop()
    monkeypatch.setattr(sympy_client.subprocess, "Popen", start_killed)
    monkeypatch.setattr(sympy_client, "_TRIES", 2)
    reference, answer = ANSWERS[0]
    problem = Problem(id="p", statement="", answer=reference)
    grade = grade_one(Math(), problem, Sample("p", 0, None, f"\\boxed{{{answer}}}", "stop"))
    assert grade.verdict is Verdict.ERROR
    assert "the symbolic worker was lost 2 times, at last: it ended with code -9" in grade.detail


def test_what_a_pair_does_to_its_child_is_undecided_and_not_tried_again() -> None:
    expensive = (r"\sum_{n=1}^{10^{9}} \frac{1}{n^3+\sqrt{n}}", "1")
    sympy_client.start()
    (worker,) = worker_family()[0]
    assert sympy_client.same([expensive, ANSWERS[1]]) == [None, True]
    assert worker_family()[0] == {worker}


@pytest.mark.slow
@pytest.mark.parametrize("act", [kill, stop_for_a_while])
def test_what_is_done_to_workers_at_random_moments_changes_no_verdict(
    act: Callable[[int], None],
) -> None:
    """Every fourth request its worker or the worker's child is killed or stopped while it works."""
    expected, moments = settle(len(ANSWERS)), random.Random(2)
    hit = []
    for number in range(60):
        threads = []
        if number % 4 == 0:
            family = sorted(worker_family()[number // 4 % 2])
            threads = [threading.Timer(moments.uniform(0, 0.015), act, [pid]) for pid in family]
            hit += family
        for thread in threads:
            thread.start()
        found = Math().settle(*ANSWERS[number % len(ANSWERS)])[0]
        for thread in threads:
            thread.join()
        assert found is expected[number % len(ANSWERS)]
    assert len(hit) >= 10
