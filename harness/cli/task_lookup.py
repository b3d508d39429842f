"""Find a task by name: one of the registry, or a kind of answer."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import UsageError
from harness.graders.base import with_settings
from harness.interfaces import RunsPrograms
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
    if scoring is None and not unsafe:
        return task
    if not isinstance(task.grader, RunsPrograms):
        option = "--unsafe-judge" if scoring is None else f"--scoring {scoring}"
        raise UsageError(f"{option}: {task.name} has no programs to run")
    return replace(task, grader=with_settings(task.grader, scoring=scoring, unsafe=unsafe))
