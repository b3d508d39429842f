"""JSON files that survive a kill at any moment: appended line by line, or replaced in one step.

A line is written with one write call, so a killed process tears at most the last one; the next
writer cuts a torn line off, and readers skip it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import orjson

from harness.errors import DataError
from harness.storage.plain_files import check_place, open_to_read, open_to_write, part_of

Json = dict[str, Any]
"""A JSON object as it was decoded, before a reader makes a typed value of it."""


class Appender:
    """Appends JSON lines to one file. Opening it cuts off a line torn by a kill.

    Raises:
        DataError: from every method, when the file cannot be written, or is not the one that was
            opened any more.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._placing = Lock()  # while the path and the open file may differ
        try:
            self._fd = open_to_write(path, os.O_APPEND)
        except OSError as error:
            raise self._failure(error) from error
        try:
            self._cut_torn_line()
        except OSError as error:
            os.close(self._fd)
            raise self._failure(error) from error

    def append(self, rows: Iterable[object]) -> None:
        """Write rows, each as one line. On a full disk a half-written line is cut off again."""
        data = b"".join(dump(row) + b"\n" for row in rows)
        status = os.fstat(self._fd)
        if not status.st_nlink:
            self._check_place()
        before = status.st_size
        try:
            written = os.write(self._fd, data)
            while written < len(data):
                written += os.write(self._fd, data[written:])
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self._fd, before)
            raise self._failure(error) from error

    def replace(self, rows: Iterable[object]) -> None:
        """Replace the file in one step, and go on appending to the new one."""
        with self._placing:
            write_lines(self.path, rows)
            try:
                fd = open_to_write(self.path, os.O_APPEND)
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
        with self._placing:
            self._check_place()

    def close(self) -> None:
        """Sync and close."""
        try:
            self.sync()
        finally:
            os.close(self._fd)

    def _failure(self, error: OSError) -> DataError:
        return DataError(
            f"{self.path}: cannot be written ({error.strerror}); what was written to it before is "
            "kept: make room and run the same command again"
        )

    def _check_place(self) -> None:
        """Check that the open file is the one at its path.

        A removed one is put back, with every row: without it a resumed run would draw samples again
        that have grades. Rows written to one that was replaced are kept beside the new one.
        """
        mine = os.fstat(self._fd)
        with suppress(OSError):
            found = self.path.lstat()
            if (found.st_dev, found.st_ino) == (mine.st_dev, mine.st_ino):
                return
        if not self.path.parent.is_dir():
            raise DataError(f"{self.path}: its folder was removed while it was being written; the "
                            "rows in it are lost")  # fmt: skip
        removed = not os.path.lexists(self.path)
        place = self.path if removed else self.path.with_name(f"{self.path.name}.replaced")
        _replace(place, self._chunks())
        what = "removed" if removed else "replaced by another"
        raise DataError(
            f"{self.path}: it was {what} while it was being written; its rows are in {place}: "
            + ("run the same command again" if removed else
               "put back the one that is right, and run the same command again")
        )  # fmt: skip

    def _chunks(self) -> Iterator[bytes]:
        at = 0
        while chunk := os.pread(self._fd, 1 << 20, at):
            yield chunk
            at += len(chunk)

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


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield (line number, line) of a file; a torn last line is skipped.

    Raises:
        FileNotFoundError: there is none.
        DataError: it cannot be read.
    """
    try:
        with open_to_read(path) as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                yield number, line
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def damaged_line(path: Path, number: int, what: str) -> DataError:
    """The error that a line deserves which is not what was written."""
    return DataError(
        f"{path}, line {number}: {what}; the file was changed or damaged: restore it, or remove that "
        "line"
    )


def read_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Yield (line number, value) of a JSON-lines file; a torn last line is skipped.

    Raises:
        DataError: the file cannot be read, or a line is not valid JSON (it is named).
    """
    try:
        for number, line in whole_lines(path):
            try:
                yield number, orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise damaged_line(path, number, f"not valid JSON ({error})") from error
    except FileNotFoundError as error:
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


def write_text(path: Path, text: str | Iterable[bytes]) -> None:
    """Replace a text file in one step, creating the folders above it; invalid Unicode is replaced.

    A text may come in parts, as UTF-8.

    What is no plain file (/dev/stdout) is written to directly.

    Raises:
        DataError: it cannot be written.
    """
    parts = [text.encode("utf-8", "replace")] if isinstance(text, str) else text
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            path.write_bytes(b"".join(parts))
            return
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror})") from error
    _replace(path, parts)


def _replace(path: Path, chunks: Iterable[bytes]) -> None:
    """Write another file and rename it; where that fails, the one at `path` is as it was."""
    check_place(path, link=True)
    part = part_of(path)
    try:
        with part.open("xb") as file:
            file.writelines(chunks)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        kept = "; the file that was there is unchanged" if path.exists() else ""
        raise DataError(f"{path}: cannot be written ({error.strerror}){kept}") from error
    finally:
        with suppress(OSError):
            part.unlink()


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
