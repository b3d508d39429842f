"""What the practice model is taught is right, and is never what it is examined on."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from harness.tasks.practice import TASKS
from harness.types import Sample, Verdict

Script = Callable[[str], ModuleType]
FAMILIES = ("integer", "math", "choice", "code")


@pytest.mark.parametrize("family", FAMILIES)
def test_committed_problems_are_those_that_the_generator_writes(
    script: Script, practice_model: Path, family: str
) -> None:
    problems = script("problems")
    file = practice_model.parents[1] / "tasks" / "data" / f"practice_{family}.jsonl"
    committed = [json.loads(line) for line in file.read_text().splitlines()]
    written = [problems.row(lesson.problem) for lesson in problems.held_out_lessons(family)]
    assert committed == json.loads(json.dumps(written))


@pytest.mark.parametrize(
    "batches",
    [pytest.param(60, marks=pytest.mark.slow), pytest.param(250, marks=pytest.mark.exhaustive)],
)
def test_training_stream_leaves_the_held_out_statements_out(script: Script, batches: int) -> None:
    problems = script("problems")
    held_out = problems.held_out_statements()
    mixture = dict.fromkeys(FAMILIES, 20)

    def statements(left_out: set[str]) -> set[str]:
        stream = problems.lessons(mixture, random.Random(7), left_out)
        taken = itertools.islice(stream, batches)
        return {lesson.problem.statement for batch in taken for _, lesson in batch}

    assert not statements(held_out) & held_out
    assert len(statements(set()) & held_out) > batches // 15, "without the filter they would occur"


def test_batches_hold_the_mixture(script: Script) -> None:
    mixture = {"integer": 3, "math": 0, "choice": 2, "code": 1}
    batch = next(script("problems").lessons(mixture, random.Random(0), set()))
    assert [family for family, _ in batch] == ["integer"] * 3 + ["choice"] * 2 + ["code"]


@pytest.mark.parametrize("family", FAMILIES)
def test_taught_responses_are_graded_as_correct(script: Script, family: str) -> None:
    grader = {task.name: task.grader for task in TASKS}[f"practice_{family}"]
    stream = script("problems").lessons({family: 12}, random.Random(3), set())
    for _, lesson in next(stream):
        sample = Sample(
            lesson.problem.id,
            0,
            lesson.reasoning,
            lesson.response,
            "stop",
            choice_order=lesson.order,
        )
        grade = grader.grade(lesson.problem, sample)
        assert grade.verdict is Verdict.CORRECT, (lesson, grade)
