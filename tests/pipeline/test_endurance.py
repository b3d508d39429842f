"""Long runs: grading never holds up the engine, and memory stays flat."""

from __future__ import annotations

import asyncio
import gc
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from harness.interfaces import Completion, Grader, Request
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Runner
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.stats.metrics import cons_at, pass_at
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter
from harness.tasks.kinds import KINDS
from harness.types import Grade, Problem, Sample, Verdict

PROBLEMS = [Problem(str(i), f"What is {i}+{i}?", answer=str(2 * i)) for i in range(100)]


def make_run(path: Path, k: int, grader: Grader | None = None) -> TaskRun:
    plain = KINDS["integer"]
    metrics = (pass_at(1), cons_at(4))
    task = replace(plain, prompt="{statement}", metrics=metrics, grader=grader or plain.grader)
    sampling = Sampling(k=k, temperature=0.6)
    protocol = make_protocol(task, PROBLEMS, sampling)
    with RunWriter(path) as writer:
        writer.begin(Manifest(model="m", fingerprint={"engine": "quick"}), Start())
        folder = writer.add_task(protocol, PROBLEMS, k)
    return TaskRun(task, protocol, {p.id: p for p in PROBLEMS}, sampling, folder)


class QuickEngine:
    """Answers in a moment with a text of 4 kB that no other sample has, and keeps nothing."""

    concurrency = 64
    opens_reasoning = False

    def fingerprint(self) -> Mapping[str, Any]:
        return {"engine": "quick"}

    def count_tokens(self, text: str) -> int:
        return len(text) // 4

    async def generate(self, request: Request) -> Completion:
        await asyncio.sleep(0.001)
        words = f"{request.problem_id} {request.index} "
        number = 2 * int(request.problem_id) + (request.index % 7 == 0)
        text = f"<think>{words * (4000 // len(words))}</think>\\boxed{{{number}}}"
        return Completion(text, "stop", 9, 900 + request.index)

    async def close(self) -> None:
        pass


def resident() -> int:
    """Bytes of this process in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def growth(path: Path, n: int) -> tuple[float, float]:
    """Bytes per sample by which the driver grows from 20 % to 100 % of a run, and to its very end."""
    counted = 0
    marks: dict[int, int] = {}

    def observe(event: str, task: str, verdict: Verdict | None) -> None:
        nonlocal counted
        counted += event == "sampled"
        if event == "sampled" and counted in (n // 5, n):
            marks[counted] = resident()

    run = make_run(path, n // len(PROBLEMS))
    (result,) = asyncio.run(Runner([run], QuickEngine(), GradingPool(), observe=observe).run())
    assert result.complete and result.scores[0].n == n
    assert result.duplicates == 0
    start = marks[n // 5]
    return (marks[n] - start) / (0.8 * n), (resident() - start) / (0.8 * n)


def test_samples_leave_memory_flat(tmp_path: Path) -> None:
    growth(tmp_path / "first", 100)  # loads what is loaded once
    while_sampling, to_the_end = growth(tmp_path / "run", 4_000)
    # The texts alone have 4,000; what waits to be graded depends on how busy the machine is.
    assert while_sampling < 1500
    assert to_the_end < 1500


@pytest.mark.exhaustive
def test_a_hundred_thousand_samples_leave_memory_flat(tmp_path: Path) -> None:
    growth(tmp_path / "first", 100)
    while_sampling, to_the_end = growth(tmp_path / "run", 100_000)
    assert while_sampling < 50
    assert to_the_end < 150  # four lengths and a hash of the text: 40; the rest is passing


@dataclass(frozen=True)
class SlowGrader(Grader):
    """Takes its time for every sample."""

    seconds: float
    version: str = "slow/1"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        time.sleep(self.seconds)
        return Grade(*sample.key, Verdict.CORRECT, answer="1", grader=self.version)

    def classes(self, answers: Sequence[str]) -> list[int]:
        return [0] * len(answers)


def test_a_grader_that_is_far_behind_does_not_hold_up_the_engine(tmp_path: Path) -> None:
    counts = {"sampled": 0, "graded": 0}
    graded_then = -1

    def observe(event: str, task: str, verdict: Verdict | None) -> None:
        nonlocal graded_then
        counts[event] += 1
        if event == "sampled" and counts["sampled"] == 600:
            graded_then = counts["graded"]

    run = make_run(tmp_path, 6, SlowGrader(0.005))
    (result,) = asyncio.run(Runner([run], QuickEngine(), GradingPool(1), observe=observe).run())
    assert 0 <= graded_then < 300
    assert result.complete and counts == {"sampled": 600, "graded": 600}
