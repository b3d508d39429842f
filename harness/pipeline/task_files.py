"""The files of one task while a run writes them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

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
        """All of them."""
        return self.samples, self.grades, self.errors

    def replace(self, path: Path, rows: Iterable[object]) -> None:
        """Replace one of them in one step; what follows is appended to the new one."""
        next(file for file in self.all() if file.path == path).replace(rows)


def record_error(errors: Appender, stage: ErrorStage, key: tuple[str, int], message: str) -> None:
    """Record an internal error.

    Args:
        errors: the task's errors.jsonl.
        stage: what failed.
        key: (problem id, index) of the sample.
        message: what happened, for a person.
    """
    errors.append([ErrorRow(stage, key[0], key[1], message, time.time())])
