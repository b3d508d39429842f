"""A task by name, from the registry or one of the kinds that imports know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.errors import UsageError
from harness.registry import find_tasks
from harness.task import Task
from harness.tasks.kinds import KINDS


def task_named(name: str) -> Task:
    """A kind of answer or a task of the registry. UsageError suggests what was meant."""
    return KINDS[name] if name in KINDS else find_tasks(name)[0]


def with_judge(task: Task, scoring: str | None, *, unsafe: bool) -> Task:
    """The task with its programs run in another way. UsageError when it runs none."""
    grader: Any = task.grader
    if scoring is None and not unsafe:
        return task
    if not hasattr(grader, "scoring"):
        option = "--unsafe-judge" if scoring is None else f"--scoring {scoring}"
        raise UsageError(f"{option}: {task.name} has no programs to run")
    if scoring is not None:
        grader = replace(grader, scoring=scoring, also=())
    return replace(task, grader=replace(grader, unsafe=unsafe))
