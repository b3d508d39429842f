"""One row to one problem, with errors that name the file, the line and the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.data.row_place import RowPlace, place_of
from harness.errors import DataError
from harness.task import Task
from harness.types import LETTERS, Problem, Row

_LONGEST = 300  # characters of an error's text that are shown


def parse_row(task: Task, place: str, row: Row) -> Problem:
    """One row to one problem.

    Raises:
        DataError: the row cannot be parsed; the place and the field that was read last are named.
    """
    tracked = _TrackedRow(row)
    try:
        problem = task.parse(tracked)
    except (LookupError, ValueError, TypeError, AttributeError, ArithmeticError,
            RecursionError) as error:  # fmt: skip
        if isinstance(error, KeyError) and error.args == (tracked.last,):
            raise DataError(
                f"{place}: the field {error} is missing, which {task.name} needs; the row has "
                f"{', '.join(map(str, row))}"
            ) from error
        message = str(error)
        if len(message) > _LONGEST:  # both ends: the value first, and what is needed last
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
        raise DataError(f"{place}: field {tracked.last!r}: {message}") from error
    _check(place, problem)
    return problem


def _check(place: str, problem: Problem) -> None:
    texts: dict[str, object] = {"id": problem.id, "statement": problem.statement}
    if problem.answer is not None or not (problem.tests or problem.judging.not_judged):
        texts["answer"] = problem.answer
    texts |= {f"choice {number}": text for number, text in enumerate(problem.choices, 1)}
    for name, value in texts.items():
        if not isinstance(value, str) or not value.strip():
            raise DataError(
                f"{place}: the {name} of problem {problem.id!r} is {value!r}: a text is needed"
            )
    if problem.choices and problem.answer not in problem.choices:
        raise DataError(f"{place}: the answer {problem.answer!r} of problem {problem.id!r} is none "
                        "of its choices")  # fmt: skip
    if len(problem.choices) > len(LETTERS):
        raise DataError(f"{place}: problem {problem.id!r} has {len(problem.choices)} choices, and "
                        f"there are letters for {len(LETTERS)}")  # fmt: skip


class _TrackedRow(Mapping[str, Any]):
    """A row that remembers which field was read last, for the error message."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.last = ""

    @property
    def row_place(self) -> RowPlace | None:
        return place_of(self._row)

    def __getitem__(self, name: str) -> Any:
        self.last = name
        return self._row[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)
