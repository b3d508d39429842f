"""The append-only files of one task while a run works on it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from harness.storage.files import Appender
from harness.storage.run_folder import ErrorRow, ErrorStage, TaskFolder


@dataclass(slots=True)
class TaskFiles:
    """The append-only files of one task, open for writing."""

    folder: TaskFolder
    samples: Appender = field(init=False)
    grades: Appender = field(init=False)
    errors: Appender = field(init=False)

    def __post_init__(self) -> None:
        self.samples, self.grades, self.errors = (
            Appender(self.folder.path / f"{name}.jsonl") for name in ("samples", "grades", "errors")
        )

    def all(self) -> tuple[Appender, ...]:
        """Every one of them."""
        return self.samples, self.grades, self.errors


def record_error(errors: Appender, stage: ErrorStage, key: tuple[str, int], message: str) -> None:
    """Record an internal error.

    Args:
        errors: the task's errors.jsonl.
        stage: what failed.
        key: (problem id, index) of the sample.
        message: what happened, for a person.
    """
    errors.append([ErrorRow(stage, key[0], key[1], message, time.time())])
