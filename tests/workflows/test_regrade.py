"""Grading again from the stored samples."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import harness.workflows.regrade as regrade_module
from harness.errors import DataError
from harness.interfaces import Grader
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.task import Task
from harness.tasks.kinds import KINDS
from harness.types import Grade, Problem, Sample, Verdict
from harness.workflows.regrade import Change, regrade
from tests.support.fakes import FakeEngine, InlinePool
from tests.support.runs import complete, make_run, right


class Strict(Grader):
    """Fails on the last sample of a problem, and takes the first one for wrong."""

    version = "strict/1"

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        if sample.index == 3:
            raise OSError("disk")
        verdict = Verdict.CORRECT if sample.index else Verdict.WRONG_ANSWER
        return Grade(*sample.key, verdict, answer="1", grader=self.version)


def silent(runs: Sequence[TaskRun]) -> Observer:
    return lambda event, task, verdict: None


def strict(name: str) -> Task:
    return replace(KINDS["integer"], grader=Strict())


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TaskRun:
    """Five problems of four right samples each."""
    monkeypatch.setattr(regrade_module, "GradingPool", InlinePool)
    run = make_run(tmp_path)
    complete(run, FakeEngine(right), InlinePool())
    return run


def again(run: TaskRun) -> list[Change]:
    return asyncio.run(regrade(run.folder.path.parent, strict, observe=silent))


def test_changes_are_listed_by_sample_and_a_failure_leaves_no_grade(run: TaskRun) -> None:
    changes = again(run)
    keys = [change.after.key for change in changes]
    assert keys == sorted(keys) == [(str(p), i) for p in range(5) for i in (0, 3)]
    assert {change.before for change in changes} == {Verdict.CORRECT}
    assert {(c.after.index, c.after.verdict) for c in changes} == {
        (0, Verdict.WRONG_ANSWER), (3, Verdict.ERROR),
    }  # fmt: skip
    grades = list(run.folder.grades())
    assert len({grade.key for grade in grades}) == len(grades) == 15
    assert {grade.grader for grade in grades} == {"strict/1"}
    assert run.folder.protocol().grader == "strict/1"
    assert len(run.folder.errors()) == run.folder.scores().errors == 5
    assert [change.after.index for change in again(run)] == [3] * 5  # still without a grade


def test_one_that_is_interrupted_leaves_everything_as_it_was(
    run: TaskRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in run.folder.path.iterdir()}

    before = files()

    async def full(self: InlinePool) -> None:
        raise DataError("no room")

    monkeypatch.setattr(InlinePool, "drain", full)
    with pytest.raises(DataError, match="no room"):
        again(run)
    assert files() == before
