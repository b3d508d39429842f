"""Rows that can be read again from their file, and the test cases in them, so that neither is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import orjson

from harness.errors import DataError
from harness.problem_tests import LazyTests, PackedTests, pack, read_part
from harness.types import Row, TestCase


@dataclass(frozen=True, slots=True)
class RowPlace:
    """A line of a JSON-lines file.

    `stamp` is the size and the time of change of the file when the line was read.
    """

    path: Path
    offset: int
    size: int
    stamp: tuple[int, int]

    def read(self) -> Row:
        """The row.

        Raises:
            DataError: the file has changed since, or cannot be read.
        """
        self.check()
        row: Row = orjson.loads(read_part(self.path, self.offset, self.size))
        return row

    def check(self) -> None:
        """Raise a DataError where the file is gone or has changed."""
        try:
            now = stamp(self.path)
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror})") from error
        if now != self.stamp:
            raise DataError(f"{self.path} was changed while it was in use: run the command again")


def stamp(path: Path) -> tuple[int, int]:
    """The size and the time of change of a file."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


class PlacedRow(dict[str, Any]):
    """A row that knows its place."""

    __slots__ = ("row_place",)
    row_place: RowPlace | None


@runtime_checkable
class Placed(Protocol):
    """A row that may know its place."""

    @property
    def row_place(self) -> RowPlace | None:
        """The place; None where the row cannot be read again."""
        ...


def place_of(row: Row) -> RowPlace | None:
    """Where a row can be read again; None where it cannot."""
    return row.row_place if isinstance(row, Placed) else None


class RowTests(LazyTests):
    """The test cases in a row, which is read again whenever they are needed.

    Args:
        problem_id: whose tests they are.
        place: of the row.
        decode: a function of a module (it is pickled): the tests in a row, at least one.
    """

    __slots__ = ("_count", "_decode", "_id", "_place")

    def __init__(
        self, problem_id: str, place: RowPlace, decode: Callable[[Row], Sequence[TestCase]]
    ) -> None:
        self._id, self._place, self._decode = problem_id, place, decode
        self._count: int | None = None

    def __len__(self) -> int:
        if self._count is None:
            self._count = len(self._tests())
        return self._count

    def __iter__(self) -> Iterator[TestCase]:
        return iter(self._tests())

    def packed(self) -> PackedTests:
        """The same test cases, held in memory."""
        return pack(self._id, self._tests())

    def check(self) -> None:
        """Raise a DataError where the row cannot be read again."""
        self._place.check()

    def _tests(self) -> Sequence[TestCase]:
        tests = self._decode(self._place.read())
        self._count = len(tests)
        return tests
