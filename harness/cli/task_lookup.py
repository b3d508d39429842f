"""Find a task by name: one of the registry, or a kind of answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.errors import UsageError
from harness.registry import find_tasks
from harness.task import Task
from harness.tasks.kinds import KINDS


def task_named(name: str) -> Task:
    """A task of the registry, or the task of a kind of answer.

    Raises:
        UsageError: there is no such task; the message suggests a similar name.
    """
    return KINDS[name] if name in KINDS else find_tasks(name)[0]


def with_judge(task: Task, scoring: str | None, *, unsafe: bool) -> Task:
    """The task with another way to run programs.

    Raises:
        UsageError: the task runs no programs.
    """
    grader: Any = task.grader
    if scoring is None and not unsafe:
        return task
    if not hasattr(grader, "scoring"):
        option = "--unsafe-judge" if scoring is None else f"--scoring {scoring}"
        raise UsageError(f"{option}: {task.name} has no programs to run")
    if scoring is not None:
        grader = replace(grader, scoring=scoring, also=())
    return replace(task, grader=replace(grader, unsafe=unsafe))
