"""Test cases that are not held in memory as they are: packed, or read anew wherever they are needed.

The tests of one problem can take 100 MB and those of a task many times the memory of a machine, so
`Problem.tests` is a sequence that decodes one test after another. Packed tests are one gzip member
of JSON lines, one per test: problem_id, input, output and function.
"""

from __future__ import annotations

import os
import stat
import zlib
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, overload

import msgspec

from harness.errors import DataError
from harness.types import Problem, TestCase

MAX_BYTES = 1 << 30
"""The tests of one problem when unpacked. Those of LiveCodeBench's 1,055 problems take 12.1 GB
together (NVIDIA-NeMo/Gym, pull request 2806), 11.5 MB each."""

INLINE_BYTES = 4 << 10
"""Tests up to this size are held and stored as they are."""

_GZIP = 31  # zlib's number for a gzip member
_LEVEL = 3  # of isal's levels the one that packs best
_IN, _OUT = 64 << 10, 1 << 20  # bytes that are unpacked at a time


class LazyTests(Sequence[TestCase]):
    """The test cases of one problem, decoded while they are iterated over; never empty.

    Every iteration decodes them again and raises a DataError where they are missing or damaged. An
    instance can be pickled for another process on this machine; see `portable` for other ones.
    """

    __slots__ = ()

    @abstractmethod
    def __iter__(self) -> Iterator[TestCase]:
        """Yield the test cases in their order."""

    @abstractmethod
    def packed(self) -> PackedTests:
        """The same test cases, held in memory."""

    @abstractmethod
    def check(self) -> None:
        """Raise a DataError where the test cases are missing or damaged; cheaper than decoding."""

    @overload
    def __getitem__(self, index: int) -> TestCase: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[TestCase]: ...
    def __getitem__(self, index: int | slice) -> TestCase | Sequence[TestCase]:
        if isinstance(index, slice):
            return tuple(self)[index]
        number = index if index >= 0 else len(self) + index
        if number >= 0:
            for test in islice(iter(self), number, None):
                return test
        raise IndexError(index)

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LazyTests | tuple):
            return NotImplemented
        end = object()
        left, right = iter(self), iter(other)
        while (test := next(left, end)) == next(right, end):
            if test is end:
                return True
        return False

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, slots=True, eq=False)
class PackedTests(LazyTests):
    """Test cases in memory, packed.

    Args:
        problem_id: whose tests they are.
        data: a gzip member.
        n_tests: how many they are.
        place: where they come from, for messages.
    """

    problem_id: str
    data: bytes
    n_tests: int
    place: str = ""

    def __len__(self) -> int:
        return self.n_tests

    def __iter__(self) -> Iterator[TestCase]:
        place = self.place or f"problem {self.problem_id}"
        return unpacked(self.data, self.problem_id, self.n_tests, place)

    def packed(self) -> PackedTests:
        """Itself."""
        return self

    def check(self) -> None:
        """Nothing: what is in memory is neither missing nor damaged."""


class _Line(msgspec.Struct):
    problem_id: str
    input: str
    output: str
    function: str | None = None


_LINE = msgspec.json.Decoder(_Line)


def are_small(tests: Sequence[TestCase]) -> bool:
    """Whether test cases are held and stored as they are."""
    if isinstance(tests, LazyTests):
        return False
    return sum(len(test.input) + len(test.output) for test in tests) <= INLINE_BYTES


def compact(problem_id: str, tests: Sequence[TestCase]) -> Sequence[TestCase]:
    """Test cases to be held in memory: as they are where they are small, else packed."""
    return tests if isinstance(tests, LazyTests) or are_small(tests) else pack(problem_id, tests)


def pack(problem_id: str, tests: Iterable[TestCase]) -> PackedTests:
    """Pack the test cases of a problem, one after another.

    Raises:
        DataError: they take more than `MAX_BYTES`, or hold texts that are no valid Unicode.
    """
    library, level = _library()
    deflate = library.compressobj(level, library.DEFLATED, _GZIP)
    parts: list[bytes] = []
    count = size = 0
    for test in tests:
        try:
            line = msgspec.json.encode(_Line(problem_id, test.input, test.output, test.function))
        except UnicodeEncodeError as error:
            raise DataError(
                f"problem {problem_id}, test {count + 1}: not valid Unicode ({error.reason})"
            ) from error
        parts += (deflate.compress(line), deflate.compress(b"\n"))
        count, size = count + 1, size + len(line) + 1
        if size > MAX_BYTES:
            raise DataError(f"problem {problem_id}: its tests take more than {MAX_BYTES:,} bytes")
    parts.append(deflate.flush())
    return PackedTests(problem_id, b"".join(parts), count)


def unpacked(data: bytes, problem_id: str, count: int, place: str) -> Iterator[TestCase]:
    """Yield the test cases of a gzip member that `pack` made.

    Args:
        data: the member.
        problem_id: whose tests are expected.
        count: how many are expected.
        place: of the member, for messages.

    Raises:
        DataError: the member is damaged, or holds something else.
    """
    number = 0
    for number, line in enumerate(_lines(data, place), 1):
        try:
            row = _LINE.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise DataError(f"{place}, test {number}: not a test case ({error})") from error
        if row.problem_id != problem_id:
            raise DataError(f"{place}: tests of problem {row.problem_id!r}, not {problem_id!r}")
        if number > count:
            break
        yield TestCase(row.input, row.output, row.function)
    if number != count:
        raise DataError(f"{place}: other than the {count} tests that are expected")


def _lines(data: bytes, place: str) -> Iterator[bytes]:
    held: list[bytes] = []
    try:
        for chunk in inflated(data, _GZIP):
            first, *rest = chunk.split(b"\n")
            held.append(first)
            for part in rest:
                yield b"".join(held)
                held = [part]
    except ValueError as error:
        raise DataError(f"{place}: cannot be unpacked ({error})") from error
    if any(held):
        raise DataError(f"{place}: ends within a test")


def inflated(data: bytes, wbits: int = zlib.MAX_WBITS) -> Iterator[bytes]:
    """Unpack deflated data piece by piece.

    Args:
        data: the whole of it; what follows its end is not read.
        wbits: as in `zlib.decompressobj`.

    Raises:
        ValueError: it is damaged or cut, or holds more than `MAX_BYTES`.
    """
    library, _ = _library()
    stream = library.decompressobj(wbits=wbits)
    size, view = 0, memoryview(data)
    try:
        for start in range(0, len(data), _IN):
            pending: Any = view[start : start + _IN]
            full = True  # whether there may be more of this piece
            while full and not stream.eof:
                piece = stream.decompress(pending, _OUT)
                pending, full = stream.unconsumed_tail, len(piece) >= _OUT
                size += len(piece)
                if size > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES:,} bytes when unpacked")
                yield piece
    except (zlib.error, library.error) as error:
        raise ValueError(str(error)) from None
    if not stream.eof:
        raise ValueError("it is cut")


def _library() -> tuple[Any, int]:
    """The module that packs and unpacks, and the level to pack at."""
    try:
        from isal import isal_zlib
    except ImportError:  # no wheel for this machine
        return zlib, zlib.Z_DEFAULT_COMPRESSION
    return isal_zlib, _LEVEL


def read_part(path: Path, offset: int, size: int) -> bytes:
    """Bytes of a file, all of them.

    Raises:
        DataError: the file is missing, no plain file, shorter, or cannot be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{path}: not a plain file")
        if found.st_size >= offset + size:  # before anything is allocated
            with path.open("rb", buffering=0) as file:
                data = os.pread(file.fileno(), size, offset)
                while 0 < len(data) < size:  # a call reads 2 GiB at most
                    more = os.pread(file.fileno(), size - len(data), offset + len(data))
                    if not more:
                        break
                    data += more
            if len(data) == size:
                return data
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: restore it") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    raise DataError(f"{path}: it ends before byte {offset + size:,}, so it was cut: restore it")


def portable(problem: Problem) -> Problem:
    """The problem with its test cases in memory, for a machine that cannot read files of this one."""
    if not isinstance(problem.tests, LazyTests):
        return problem
    return replace(problem, tests=problem.tests.packed())
