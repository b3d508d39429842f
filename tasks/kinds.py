"""Tasks for responses to problems of one's own, by kind of answer: a grader and no dataset.

`harness import --task KIND` reads the rows of a file by the columns that `--map` names, such as

    {"id": "p1", "problem": "What is 1/2 + 1/2?", "answer": "1", "responses": ["So \\\\boxed{1}."]}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.data.datasets import FileDataset
from harness.errors import DataError
from harness.graders.choice import Choice
from harness.graders.integer import Integer
from harness.graders.math import Math
from harness.interfaces import Grader
from harness.sampling import Sampling
from harness.stats.metrics import cons_at, pass_at
from harness.task import Task
from harness.types import Problem, Row

GRADERS: Mapping[str, Grader] = {
    "integer": Integer(-(10**18), 10**18),
    "choice": Choice(),
    "math": Math(),
}


def _never(row: Row) -> Problem:
    raise DataError("the rows of a kind are read by the columns that --map names")


KINDS: Mapping[str, Task] = {
    name: Task(
        name=name,
        dataset=FileDataset(Path(f"{name}.jsonl")),
        parse=_never,
        prompt="",
        grader=grader,
        metrics=(pass_at(1),),
        sampling=Sampling(),
    )
    for name, grader in GRADERS.items()
}


def with_responses(task: Task, k: int) -> Task:
    """The task as it scores k responses per problem: a kind votes over all of them.

    Any other task has its own metrics, and stays as it is.
    """
    return replace(task, metrics=(pass_at(1), cons_at(k))) if task.name in KINDS else task
