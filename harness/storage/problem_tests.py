"""The problems of a task in its folder: small test cases in problems.jsonl, large ones packed beside it.

RUN/<task>/problems.jsonl   a line per problem; `tests` is a list, or the place of a member of the other file
RUN/<task>/tests.jsonl.gz   a gzip member per problem with large tests: JSON lines, one per test case

Both are plain files: pandas and zcat read the second as one table of tests. Whoever reads the
problems gets test cases that are decoded where they are needed, one problem at a time. Folders of
earlier versions have every test in problems.jsonl; large ones are read from there in the same way.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated

import msgspec

from harness.errors import DataError
from harness.problem_tests import (
    LazyTests,
    PackedTests,
    are_small,
    compact,
    pack,
    read_part,
    unpacked,
)
from harness.storage.files import write_bytes, write_lines
from harness.storage.rows import sized_rows
from harness.types import Problem, TestCase

PROBLEMS, TESTS = "problems.jsonl", "tests.jsonl.gz"
_LONG_LINE = 64 << 10  # bytes from which the test cases of a line are read from it again


@dataclass(frozen=True, slots=True)
class Member:
    """The packed tests of one problem in tests.jsonl.gz; `crc32` is that of the packed bytes."""

    offset: int
    size: int
    count: Annotated[int, msgspec.Meta(ge=1, lt=1 << 24)]
    crc32: int


@dataclass(frozen=True, slots=True)
class _StoredProblem(Problem):
    tests: tuple[TestCase, ...] | Member = ()  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTests(LazyTests):
    """Test cases in the file of packed tests.

    Args:
        path: of the file.
        problem_id: whose tests they are.
        member: where they lie in it.
    """

    path: Path
    problem_id: str
    member: Member

    def __len__(self) -> int:
        return self.member.count

    def __iter__(self) -> Iterator[TestCase]:
        return unpacked(self._data(), self.problem_id, len(self), self._place())

    def packed(self) -> PackedTests:
        """The same test cases, held in memory."""
        return PackedTests(self.problem_id, self._data(), len(self), self._place())

    def check(self) -> None:
        """Read the packed bytes and compare their checksum; DataError where they are damaged."""
        self._data()

    def _place(self) -> str:
        return f"{self.path}, tests of problem {self.problem_id}"

    def _data(self) -> bytes:
        data = read_part(self.path, self.member.offset, self.member.size)
        if zlib.crc32(data) != self.member.crc32:
            raise DataError(f"{self._place()}: the file was changed or damaged: restore it")
        return data


class _Tests(msgspec.Struct):
    id: str
    tests: tuple[TestCase, ...]


_TESTS = msgspec.json.Decoder(_Tests)


@dataclass(frozen=True, slots=True, eq=False)
class LineTests(LazyTests):
    """The test cases in a line of problems.jsonl.

    Args:
        path: of the file.
        problem_id: whose tests they are.
        offset: of the line.
        size: of the line, in bytes.
        n_tests: how many they are.
    """

    path: Path
    problem_id: str
    offset: int
    size: int
    n_tests: int

    def __len__(self) -> int:
        return self.n_tests

    def __iter__(self) -> Iterator[TestCase]:
        return iter(self._tests())

    def packed(self) -> PackedTests:
        """The same test cases, held in memory."""
        return pack(self.problem_id, self._tests())

    def check(self) -> None:
        """Raise a DataError where the file has changed."""
        self._tests()

    def _tests(self) -> tuple[TestCase, ...]:
        line = read_part(self.path, self.offset, self.size)
        try:
            row = _TESTS.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            row = _Tests("", ())
        if row.id != self.problem_id or len(row.tests) != self.n_tests:
            raise DataError(f"{self.path} was changed while it was in use: run the command again")
        return row.tests


def write_problems(folder: Path, problems: Sequence[Problem]) -> None:
    """Write the files of a task's problems, each in one step; one problem's tests are held at a time.

    Raises:
        DataError: a file cannot be written, or the tests of a problem cannot be read.
    """
    members: dict[str, Member] = {}
    if not all(are_small(problem.tests) for problem in problems):
        write_bytes(folder / TESTS, _packed(problems, members))
    write_lines(folder / PROBLEMS, (_row(problem, members) for problem in problems))


def _packed(problems: Iterable[Problem], members: dict[str, Member]) -> Iterator[bytes]:
    """Yield the member of each problem with large tests, and note where it lies."""
    offset = 0
    for problem in problems:
        tests = compact(problem.id, problem.tests)
        if isinstance(tests, LazyTests):
            packed = tests.packed()
            size = len(packed.data)
            members[problem.id] = Member(offset, size, len(packed), zlib.crc32(packed.data))
            offset += size
            yield packed.data


def _row(problem: Problem, members: Mapping[str, Member]) -> Problem:
    if problem.id not in members:
        return problem
    values = {field.name: getattr(problem, field.name) for field in fields(problem)}
    return _StoredProblem(**{**values, "tests": members[problem.id]})


def read_problems(folder: Path) -> Iterator[Problem]:
    """Yield the problems of a task in their order, none where there is no such file.

    Raises:
        DataError: problems.jsonl cannot be read. The packed tests are not looked at.
    """
    path, offset = folder / PROBLEMS, 0
    for row, size in sized_rows(path, _StoredProblem):
        tests: Sequence[TestCase] | Member = row.tests
        if isinstance(tests, Member):
            tests = StoredTests(folder / TESTS, row.id, tests)
        elif size > _LONG_LINE and tests:
            tests = LineTests(path, row.id, offset, size, len(tests))
        values = {field.name: getattr(row, field.name) for field in fields(Problem)}
        yield Problem(**{**values, "tests": tests})
        offset += size


def check_tests(problems: Iterable[Problem]) -> None:
    """Check that the test cases are all there, before anything is graded by them.

    Raises:
        DataError: tests are missing or damaged; the file and the problem are named.
    """
    for problem in problems:
        if isinstance(problem.tests, LazyTests):
            problem.tests.check()


def with_stored_tests(folder: Path, problems: Iterable[Problem]) -> list[Problem]:
    """The problems, their large tests as stored: so a run needs no dataset once it has begun.

    Args:
        folder: of the task.
        problems: those of the task's protocol.
    """
    stored = {problem.id: problem.tests for problem in read_problems(folder)}
    return [replace(problem, tests=stored.get(problem.id, problem.tests))
            if isinstance(problem.tests, LazyTests) else problem
            for problem in problems]  # fmt: skip
