"""Fields of a row in the form that a task needs; a ValueError says what is there instead. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any

from harness.data.columns import EXACT, json_value
from harness.types import Row, TestCase

_WHOLE = re.compile(r"[+-]?[0-9]+")


def text(row: Row, name: str) -> str:
    """A field that holds a text, as the row has it.

    Raises:
        KeyError: the row lacks it.
        ValueError: it holds something else, or nothing.
    """
    value = row[name]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r}: a text is needed")
    return value


def label(row: Row, name: str) -> str | None:
    """A field that says of what kind a problem is: a text, or None where it is empty.

    Raises:
        KeyError: the row lacks it.
        ValueError: it holds something else.
    """
    value = row[name]
    if value is None or value != value:  # an empty field is NaN where a table went through pandas
        return None
    if not isinstance(value, str):
        raise ValueError(f"{value!r}: a text is needed, or nothing")
    return value.strip() or None


def number(row: Row, name: str, low: int, high: int) -> int:
    """A field that holds a whole number from `low` to `high`, also as a text ("7", as in CSV).

    Args:
        row: of the dataset.
        name: of the field.
        low: the smallest number that it can be.
        high: the largest.

    Raises:
        KeyError: the row lacks it.
        ValueError: it holds something else, or a number out of range.
    """
    value = row[name]
    found = str(value).strip()
    if isinstance(value, bool) or not _WHOLE.fullmatch(found) or not low <= int(found) <= high:
        raise ValueError(f"{value!r}: a whole number from {low} to {high} is needed")
    return int(found)


def positive(row: Row, name: str, most: float) -> float:
    """A field that holds a number above 0.

    Args:
        row: of the dataset.
        name: of the field.
        most: the largest number that it can be.

    Raises:
        KeyError: the row lacks it.
        ValueError: it holds something else, or a number out of range.
    """
    value = row[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ValueError(f"{value!r}: a number above 0, {most:g} at most, is needed")
    return float(value)


def latex(row: Row, name: str) -> str:
    r"""A field that holds an answer: a text, or a number as JSON and Parquet have it (7, 0.5).

    Raises:
        KeyError: the row lacks it.
        ValueError: it holds a list, an object, nothing (Parquet's NaN too), true or false, or a number
            that its table made inexact.
    """
    value = row[name]
    if isinstance(value, float) and math.isfinite(value) and abs(value) >= EXACT:
        raise ValueError(f"{value!r}: a number too large to be exact there; write it as a text")
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r}: an answer is needed, a text or a number")
    return value.strip()


def test_cases(rows: Iterable[Row]) -> tuple[TestCase, ...]:
    """Test cases as rows of input and output have them.

    Raises:
        KeyError: one lacks either.
        ValueError: either is no text.
    """
    found = []
    for number, row in enumerate(rows, 1):
        given, due = row["input"], row["output"]
        if not (isinstance(given, str) and isinstance(due, str)):
            raise ValueError(f"test {number}: input and output must be texts")
        found.append(TestCase(given, due))
    return tuple(found)


def texts(row: Row, name: str) -> tuple[str, ...]:
    """A field that holds a list of texts, or one text; none where the row lacks it or it is empty.

    Raises:
        ValueError: it holds something else.
    """
    value: Any = row.get(name)
    if isinstance(value, str):  # as JSON or Python write a list into a field of a CSV file
        value = json_value(value, ("[",))
    if isinstance(value, str) and value.startswith("['"):
        value = json_value(value.replace("'", '"'))
    if isinstance(value, str):
        return (value,) if value.strip() else ()
    if not isinstance(value or (), list | tuple) or not all(
        isinstance(v, str) for v in value or ()
    ):
        raise ValueError(f"{value!r}: a list of texts is needed")
    return tuple(value or ())
