"""JSON files that survive a kill at any moment: appended line by line, or replaced in one step.

A line is written with one write call, so a killed process tears at most the last one; the next
writer cuts a torn line off, and readers skip it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar

import orjson

from harness.errors import DataError

T = TypeVar("T")
Json = dict[str, Any]
"""A JSON object as it was decoded, before a reader makes a typed value of it."""


def decode(place: object, build: Callable[[Any], T], row: Any, *, fix: str = "") -> T:
    """A typed value from what was read.

    Args:
        place: the file, and the line where there are several.
        build: makes the value; what it raises on another schema becomes a DataError.
        row: the decoded JSON.
        fix: what the user can do about it.

    Raises:
        DataError: the row is of another schema.
    """
    try:
        return build(row)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        hint = f"; {fix}" if fix else ""
        raise DataError(f"{place}: not what the harness writes ({error!r}){hint}") from error


class Appender:
    """Appends JSON lines to one file. Opening it cuts off a line torn by a kill.

    Raises:
        DataError: from every method, when the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._failure(error) from error
        self._cut_torn_line()

    def append(self, rows: Iterable[object]) -> None:
        """Write rows, each as one line. On a full disk a half-written line is cut off again."""
        data = b"".join(dump(row) + b"\n" for row in rows)
        before = os.fstat(self._fd).st_size
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            os.ftruncate(self._fd, before)
            raise self._failure(error) from error

    def replace(self, rows: Iterable[object]) -> None:
        """Replace the file in one step, and go on appending to the new one."""
        write_lines(self.path, rows)
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_APPEND)
            try:
                # A sync in another thread keeps the number.
                os.dup2(fd, self._fd, inheritable=False)
            finally:
                os.close(fd)
        except OSError as error:
            raise self._failure(error) from error

    def sync(self) -> None:
        """Flush everything written so far to disk; network file systems may report errors only here."""
        try:
            os.fsync(self._fd)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def _failure(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path}: cannot be written ({error.strerror}); every sample finished before is "
            "kept: make room and run the same command again"
        )

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        keep, step = size, 1 << 16
        while keep:
            start = max(0, keep - step)
            newline = os.pread(self._fd, keep - start, start).rfind(b"\n")
            if newline >= 0:
                keep = start + newline + 1
                break
            keep = start
        if keep < size:
            os.ftruncate(self._fd, keep)


def dump(row: object, option: int = 0) -> bytes:
    """One JSON value as bytes; invalid Unicode in texts is replaced.

    Args:
        row: a value that orjson writes, dataclasses and mappings included.
        option: orjson's flags.
    """
    try:
        return orjson.dumps(row, option=option)
    except TypeError:  # a lone surrogate, a named tuple, or a mapping that is not a dict
        return orjson.dumps(_clean(row), option=option)


def read_lines(path: Path, damaged: list[str] | None = None) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) of a JSON-lines file; a torn last line is skipped.

    Args:
        path: the file.
        damaged: where given, lines that are not valid JSON are skipped and named here.

    Raises:
        DataError: the file cannot be read, or a line is not valid JSON (it is named).
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    yield number, orjson.loads(line)
                except orjson.JSONDecodeError as error:
                    words = f"{path}, line {number}: not valid JSON ({error})"
                    if damaged is None:
                        raise DataError(
                            f"{words}; the file was changed or damaged: restore it, or remove "
                            "that line"
                        ) from error
                    damaged.append(words)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def write_lines(path: Path, rows: Iterable[object]) -> None:
    """Replace a JSON-lines file in one step.

    Raises:
        DataError: it cannot be written.
    """
    _replace(path, (dump(row) + b"\n" for row in rows))


def write_bytes(path: Path, chunks: Iterable[bytes]) -> None:
    """Replace a file in one step; the chunks are written one by one.

    Raises:
        DataError: it cannot be written.
    """
    _replace(path, chunks)


def write_json(path: Path, value: object) -> None:
    """Replace a JSON file in one step.

    Raises:
        DataError: it cannot be written.
    """
    _replace(path, [dump(value, orjson.OPT_INDENT_2), b"\n"])


def write_text(path: Path, text: str) -> None:
    """Replace a text file in one step, creating the folders above it; invalid Unicode is replaced.

    What is no plain file (/dev/stdout) is written to directly.

    Raises:
        DataError: it cannot be written.
    """
    data = text.encode("utf-8", "replace")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    _replace(path, [data])


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    try:
        fd, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    try:
        with os.fdopen(fd, "wb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """The value of a JSON file.

    Raises:
        DataError: it is missing, cannot be read, or is not valid JSON.
    """
    try:
        return orjson.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: the run folder is not complete") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not valid JSON ({error}); the file was damaged") from error


def _clean(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _clean(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item) for item in value]
    return value
