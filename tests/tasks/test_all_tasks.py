"""What holds for every task of the registry: a new one is tested here without further ado."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from harness.data.datasets import HubDataset, PackagedDataset, load_problems
from harness.data.prompts import choice_order, fields, render
from harness.errors import DataError
from harness.registry import tasks
from harness.stats.metrics import pass_at
from harness.task import Task
from harness.types import LETTERS, Problem, Sample, Verdict
from tests.support.contest_rows import ROWS, write_rows

TASKS = list(tasks().values())
HUB = [task for task in TASKS if isinstance(task.dataset, HubDataset)]

GPQA_COLUMNS = (
    "Record ID", "Question", "Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2",
    "Incorrect Answer 3", "Subdomain", "High-level domain",
)  # fmt: skip
GPQA_ROWS = (
    ("rec1", "Which gas do plants take up by day?", "Carbon dioxide", "Argon", "Neon", "Xenon",
     "Botany", "Biology"),
    ("rec2", "A body falls from rest for 2 s at g = 10 m/s². How fast is it?", "20 m/s", "10 m/s",
     "40 m/s", "5 m/s", "Mechanics", "Physics"),
    ("rec3", "Which of these, in water, is a base?\n(a line of its own)", "NH3\n", " HCl", "CO2",
     "HBr, or so", "Inorganic", "Chemistry"),
)  # fmt: skip


@pytest.fixture(scope="session")
def own_copies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data of the schemas that must not be spread: problems of our own in the hub's columns."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("gpqa_diamond", "gpqa_main", "gpqa_extended"):
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([GPQA_COLUMNS, *GPQA_ROWS])
    for name in ROWS:
        write_rows(folder, name)
    return folder


@cache
def problems_in(task: Task, folder: Path | None) -> Sequence[Problem]:
    return load_problems(task, folder)


@pytest.fixture(params=TASKS, ids=lambda task: task.name)
def task(request: pytest.FixtureRequest) -> Task:
    found: Task = request.param
    return found


@pytest.fixture
def problems(task: Task, own_copies: Path, request: pytest.FixtureRequest) -> Sequence[Problem]:
    """The problems of a task from its package, from our own copy, or from the test data."""
    if isinstance(task.dataset, PackagedDataset):
        return problems_in(task, None)
    try:
        return problems_in(task, own_copies)
    except DataError:
        pass
    folder: Path = request.getfixturevalue("test_data")
    try:
        return problems_in(task, folder)
    except DataError as error:
        if "holds none of" not in str(error):
            raise
        pytest.skip(f"the test data has no copy of {task.name}")


def order_of(task: Task, problem: Problem) -> tuple[int, ...] | None:
    if task.choice_order is None:
        return None
    return choice_order(
        len(problem.choices), task.choice_order, seed=0, problem_id=problem.id, index=0
    )


def graded(task: Task, problem: Problem, answer: str) -> Verdict:
    """The verdict on a response that states an answer the way the prompt asks for."""
    order = order_of(task, problem)
    if order is not None:
        response = f"So.\n\nAnswer: {LETTERS[order.index(problem.choices.index(answer))]}"
    else:
        response = rf"Therefore the answer is $\boxed{{{answer}}}$."
    sample = Sample(problem.id, 0, "hm", response, "stop", choice_order=order)
    grade = task.grader.grade(problem, sample)
    assert (grade.key, grade.grader) == (sample.key, task.grader.version)
    return grade.verdict


def changed(problem: Problem) -> str:
    """Another answer: another choice, or the reference with its last digit raised by one."""
    if problem.choices:
        return next(choice for choice in problem.choices if choice != problem.answer)
    answer = problem.answer or ""
    digits = list(re.finditer(r"\d", answer))
    if not digits:
        return "987654321"
    at = digits[-1].start()
    return answer[:at] + str((int(answer[at]) + 1) % 10) + answer[at + 1 :]


def test_tasks_can_be_named_on_the_command_line_and_as_folders(task: Task) -> None:
    assert re.fullmatch(r"[a-z0-9][a-z0-9_]*", task.name)


def test_the_headline_is_pass_at_1_and_the_defaults_can_be_scored(task: Task) -> None:
    assert task.metrics[0] == pass_at(1)
    assert all(metric.k <= task.sampling.k for metric in task.metrics)


def test_problem_ids_are_unique_and_stable(
    task: Task, problems: Sequence[Problem], own_copies: Path
) -> None:
    assert len({problem.id for problem in problems}) == len(problems) > 0
    if isinstance(task.dataset, PackagedDataset):
        assert [problem.id for problem in load_problems(task, own_copies)] == [
            problem.id for problem in problems
        ]


def test_every_field_of_the_prompt_is_filled(task: Task, problems: Sequence[Problem]) -> None:
    assert "statement" in fields(task.prompt)
    assert ("choices" in fields(task.prompt)) is (task.choice_order is not None)
    for problem in problems:
        sent = render(task.prompt, problem, order=order_of(task, problem)).user
        assert fields(sent) == set()
        assert problem.statement in sent
        assert all(choice in sent for choice in problem.choices)


def test_the_choices_are_known_to_a_task_that_orders_them(
    task: Task, problems: Sequence[Problem]
) -> None:
    for problem in problems:
        assert bool(problem.choices) is (task.choice_order is not None)
        assert len(set(problem.choices)) == len(problem.choices)


def test_every_reference_answer_grades_as_correct(task: Task, problems: Sequence[Problem]) -> None:
    stated = [problem for problem in problems if problem.answer is not None]
    if not stated:
        pytest.skip(f"{task.name} has test cases and no reference answers")
    refused = {p.id: p.answer for p in stated if graded(task, p, p.answer or "") != "correct"}
    assert refused == {}


def test_a_changed_answer_does_not_grade_as_correct(
    task: Task, problems: Sequence[Problem]
) -> None:
    stated = [problem for problem in problems if problem.answer is not None]
    if not stated:
        pytest.skip(f"{task.name} has test cases and no reference answers")
    accepted = {p.id: changed(p) for p in stated if graded(task, p, changed(p)) == "correct"}
    assert accepted == {}


def test_a_response_without_an_answer_is_no_answer_or_truncated(
    task: Task, problems: Sequence[Problem]
) -> None:
    problem = problems[0]
    for reason, verdict in (("stop", Verdict.NO_ANSWER), ("length", Verdict.TRUNCATED)):
        sample = Sample(problem.id, 0, "hm", None, reason, choice_order=order_of(task, problem))  # type: ignore[arg-type]
        assert task.grader.grade(problem, sample).verdict is verdict


@pytest.mark.parametrize("task", HUB, ids=lambda task: task.name)
def test_a_hub_dataset_takes_copies_named_like_the_task(task: Task) -> None:
    assert isinstance(task.dataset, HubDataset)
    assert task.dataset.names[0] == task.name
