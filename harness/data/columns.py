"""Which column of a published file holds which field, and the references that it may hold. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import DataError, UsageError
from harness.types import Row

FIELDS = {
    "id": ("id", "unique_id", "problem_id", "question_id", "task_id"),
    "statement": ("statement", "problem", "question", "prompt"),
    "answer": ("answer", "reference_answer", "expected_answer", "gold", "target"),
    "responses": ("responses", "completions", "generations", "outputs", "samples"),
    "response": ("response", "completion", "generation", "output", "text"),
    "finish_reason": ("finish_reason", "finish_reasons", "stop_reason"),
    "choice_order": ("choice_order", "permutation"),
    "prompt": ("prompt", "full_prompt", "query", "input", "instruction", "messages", "arguments"),
}
"""The fields of an import and, for each, the columns that are tried in this order."""

EXACT = 2.0**53  # from here a number in JSON may have lost digits


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file: those that `--map` gives by field, the others by their usual names.

    A dot leads into a nested column: `response.text` is the "text" of the object "response".
    """

    given: Mapping[str, str]

    def find(self, row: Row, name: str) -> str | None:
        """The column of a field; None where the row has none.

        Raises:
            DataError: `--map` names a column that the row lacks.
        """
        if name not in self.given:
            return next((column for column in FIELDS[name] if column in row), None)
        column = self.given[name]
        if _MISSING is value(row, column, _MISSING):
            raise DataError(
                f"--map {name}={column}: no such column; the rows have {', '.join(map(str, row))}"
            )
        return column

    def need(self, place: str, row: Row, name: str) -> Any:
        """The value of a field.

        Raises:
            DataError: no column holds it, or it is empty, true or false, an object, several values or
                too large a number.
        """
        column = self.find(row, name)
        if column is None:
            raise DataError(
                f"{place}: no column holds the {name}; name it with --map {name}=COLUMN "
                f"(the row has {', '.join(map(str, row))})"
            )
        found = plain(place, column, name, value(row, column))
        if found is None or not str(found).strip() or found != found:
            raise DataError(f"{place}: the column {column!r} ({name}) is empty")
        if isinstance(found, bool | Mapping):
            raise DataError(
                f"{place}: the column {column!r} ({name}) holds {str(found)[:80]}, and a text or a "
                f"number is needed; name another column with --map {name}=COLUMN"
            )
        return found


_MISSING = object()


def parse_columns(given: Sequence[str]) -> dict[str, str]:
    """`--map field=column[,field=column..]`, repeatable. UsageError names what is wrong."""
    columns: dict[str, str] = {}
    for part in (part for text in given for part in text.split(",")):
        name, found, column = part.partition("=")
        if not found or not column:
            raise UsageError(f"--map {part!r}: the form is field=column")
        if name.strip() not in FIELDS:
            raise UsageError(f"--map {part!r}: the fields are {', '.join(FIELDS)}")
        if columns.get(name.strip(), column.strip()) != column.strip():
            raise UsageError(f"--map {part!r}: {name.strip()} is {columns[name.strip()]} already")
        columns[name.strip()] = column.strip()
    if {"response", "responses"} <= columns.keys():
        raise UsageError("--map response and --map responses: give one of them")
    return columns


def value(row: Row, column: str, default: object = None) -> Any:
    """What a column holds; a dot leads into nested ones."""
    if column in row:
        return row[column]
    found: Any = row
    for part in column.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return default
        found = found[part]
    return found


def plain(place: str, column: str, name: str, found: object) -> object:
    """A value as the one that it stands for: the element of a list of one, 70 for 70.0.

    Args:
        place: of the row, for messages.
        column: that holds the value.
        name: of its field.
        found: the value.

    Raises:
        DataError: a list of several, or too large a number.
    """
    if isinstance(found, str) and found.strip().startswith(('["', "['")):
        found = _read_list(found)
    if isinstance(found, list | tuple):
        if len(found) != 1:
            raise DataError(
                f"{place}: the column {column!r} ({name}) holds {len(found)} values, and one is "
                f"needed; name another column with --map {name}=COLUMN"
            )
        return plain(place, column, name, found[0])
    if isinstance(found, float) and math.isfinite(found) and abs(found) >= EXACT:
        raise DataError(
            f"{place}: the column {column!r} ({name}) holds a number too large to be read "
            "exactly; write it as a string"
        )
    if isinstance(found, float) and math.isfinite(found) and found == int(found):
        return int(found)
    return found


def _read_list(text: str) -> object:
    """A list of texts that was written into one text, as in CSV; other texts stay as they are."""
    for candidate in (text, text.replace("'", '"')):
        try:
            return json.loads(candidate)
        except ValueError:
            continue
    return text


def json_value(found: object, begins: tuple[str, ...] = ("[", "{")) -> object:
    """A list or object that was written as JSON into a text, as in CSV; anything else stays as it is.

    Args:
        found: the value of a column.
        begins: what a text begins with that is decoded; "[" alone leaves objects as texts.
    """
    if not isinstance(found, str) or not found.lstrip().startswith(begins):
        return found
    try:
        return json.loads(found)
    except ValueError:
        return found
