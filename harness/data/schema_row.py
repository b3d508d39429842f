"""A row of a published file as a task's own schema reads it, with what `--map` names. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.data.columns import FIELDS, Columns, plain, value
from harness.data.parsing import parse_row
from harness.errors import DataError, UsageError
from harness.task import Task
from harness.types import Problem, Row

_OF_PROBLEMS = ("id", "statement", "answer")
_ALSO = {"id": ("record_id", "problem_idx"), "answer": ("short_answer",)}
_NAMES = {field: (*FIELDS[field], *_ALSO.get(field, ())) for field in _OF_PROBLEMS}


def parse_published(task: Task, place: str, row: Row, columns: Columns) -> Problem:
    """One row to a problem of a task, by the task's own schema.

    A schema reads its columns by fixed names. Where one is a usual name of a field that `--map`
    gives, it is handed the column of the file.

    Args:
        task: whose schema it is.
        place: of the row, for messages.
        row: of the file.
        columns: of the file.

    Raises:
        DataError: the row cannot be parsed, or lacks a column that `--map` names.
        UsageError: the schema has no column, or several, for a field that `--map` gives.
    """
    given = _SchemaRow(place, row, columns)
    try:
        problem = parse_row(task, place, given)
    except DataError as error:
        if given.last not in row:  # perhaps because what was mapped is not what it reads
            given.check(task)
        field = _field(given.last, _OF_PROBLEMS)
        if field is None or "--map" in str(error):
            raise
        advice = f"name the column of the {field} with --map {field}=COLUMN"
        raise DataError(f"{error}; {advice}") from error
    given.check(task)
    return problem


class _SchemaRow(Mapping[str, Any]):
    """The row, and which of its columns were read for which field."""

    def __init__(self, place: str, row: Row, columns: Columns) -> None:
        self._place, self._row, self._columns = place, row, columns
        self._read: dict[str, str | None] = {}
        self.last = ""

    def __getitem__(self, name: str) -> Any:
        self.last = name
        field = _field(name, self._columns.given)
        self._read[name] = field
        if field is not None and (column := self._columns.find(self._row, field)) is not None:
            found = value(self._row, column)
            return found if field == "statement" else plain(self._place, column, field, found)
        found = self._row[name]
        return plain(self._place, name, name, found) if name in ("id", "answer") else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def check(self, task: Task) -> None:
        """Raises UsageError where a field that `--map` gives is none that the schema read."""
        for field in _OF_PROBLEMS:
            if field not in self._columns.given:
                continue
            found = [name for name, of in self._read.items() if of == field]
            if len(found) != 1:
                which = (
                    f"reads several as its {field}" if found else f"has no column of the {field}"
                )
                raise UsageError(
                    f"--map {field}={self._columns.given[field]}: {task.name} reads rows by its own "
                    f"schema, which {which}; rename the file's columns to those that it reads: "
                    f"{', '.join(self._read)}"
                )


def _field(column: str, fields: Mapping[str, str] | tuple[str, ...]) -> str | None:
    """The one of these fields that a column of a schema holds, by its name."""
    name = column.lower().replace(" ", "_")
    return next(
        (field for field in _OF_PROBLEMS if field in fields and name in _NAMES[field]), None
    )
