"""Typed rows: what a stored file holds is decoded into the noun that it is a row of.

A row of another shape is a DataError that names the file, the line and the field. A field that this
version does not know is one too: a file is written again by whoever grades it again, and would lose it.
What needs a few fields of many rows reads them as a `msgspec.Struct` of just these (a projection),
which skips everything else in a line, its texts included.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from harness.errors import DataError
from harness.storage.bounds import MAX_INDEX, Index, bounded, check_of
from harness.storage.files import Json, damaged_line, whole_lines
from harness.storage.plain_files import open_to_read

__all__ = ["MAX_INDEX", "Index", "Upgrade", "read_line", "read_row", "read_rows", "typed"]

T = TypeVar("T")

_WRONG = (msgspec.DecodeError, RecursionError, ValueError, TypeError, LookupError, AttributeError)

Upgrade = Callable[[Json], Json]
"""Turns a row of an earlier version into one of this version; leaves every other as it is."""


def read_rows(path: Path, kind: type[T], *, damaged: list[str] | None = None) -> Iterator[T]:
    """Yield the rows of a JSON-lines file; a torn last line is skipped, a missing file has none.

    Args:
        path: the file.
        kind: a dataclass, all of whose fields are read, or a `msgspec.Struct` with some of them.
        damaged: where given, lines of another shape are skipped and named here.

    Raises:
        DataError: the file cannot be read, or a line is not such a row; the line and field are named.
    """
    return (row for row, _ in sized_rows(path, kind, damaged=damaged))


def sized_rows(
    path: Path, kind: type[T], *, damaged: list[str] | None = None
) -> Iterator[tuple[T, int]]:
    """As `read_rows`, each row with the bytes of its line."""
    decode: Callable[[bytes], T] = _decoder_of(kind)
    with suppress(FileNotFoundError):
        for number, line in whole_lines(path):
            try:
                row = decode(line)
            except _WRONG as error:
                if damaged is None:
                    raise damaged_line(path, number, _words(error)) from error
                damaged.append(f"{path}, line {number}: {_words(error)}")
                continue
            yield row, len(line)


def read_row(path: Path, kind: type[T], *, upgrade: Upgrade | None = None, fix: str = "") -> T:
    """The one value of a JSON file.

    Args:
        path: the file.
        kind: as in `read_rows`.
        upgrade: applied to the value before it is typed.
        fix: what the user can do about a damaged file.

    Raises:
        DataError: it is missing, cannot be read, or is no such value; the field is named.
    """
    try:
        with open_to_read(path) as file:
            data = file.read()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: the run folder is not complete") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        if upgrade is None:
            found: T = _decoder_of(kind)(data)
            return found
        return _convert(upgrade(msgspec.json.decode(data, type=dict[str, Any])), kind)
    except _WRONG as error:
        raise _damaged(path, error, fix) from error


def read_line(line: bytes, kind: type[T], place: object) -> T:
    """The row of one line of a JSON-lines file; DataError, which begins with `place`, on another shape."""
    try:
        found: T = _decoder_of(kind)(line)
        return found
    except _WRONG as error:
        raise DataError(f"{place}: a line is {_words(error)}") from error


def typed(row: object, kind: type[T], place: object, *, fix: str = "") -> T:
    """A typed value from decoded JSON.

    Args:
        row: as it was decoded, and brought to this version.
        kind: as in `read_rows`.
        place: what it was read from.
        fix: what the user can do about it.

    Raises:
        DataError: it is of another shape; the field is named.
    """
    try:
        return _convert(row, kind)
    except _WRONG as error:
        raise _damaged(place, error, fix) from error


def _damaged(place: object, error: Exception, fix: str) -> DataError:
    return DataError(f"{place}: {_words(error)}{f'; {fix}' if fix else ''}")


def _convert(row: object, kind: type[T]) -> T:
    found: T
    if not is_dataclass(kind):
        found = msgspec.convert(row, kind)
        return found
    found = msgspec.convert(msgspec.convert(row, _strict(kind)), kind, from_attributes=True)
    if (check := check_of(kind)) is not None:
        check(found, "")
    return found


def _decoder_of(kind: Any) -> Callable[[bytes], Any]:
    return _decoder(kind)


@cache
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    if not is_dataclass(kind):
        return msgspec.json.Decoder(kind).decode
    of: Any = kind  # mypy narrows `kind` to an instance as well
    strict, check = msgspec.json.Decoder(_strict(of)).decode, check_of(of)

    def decode(line: bytes) -> Any:
        found = msgspec.convert(strict(line), kind, from_attributes=True)
        if check is not None:
            check(found, "")
        return found

    return decode


@cache
def _strict(kind: type) -> type[msgspec.Struct]:
    """A structure with the fields of a dataclass and no others."""
    hints = get_type_hints(kind, include_extras=True)
    rows: list[Any] = []
    for field in fields(kind):
        of = _deep(f"{kind.__name__}.{field.name}", hints[field.name])
        if field.default is not MISSING:
            rows.append((field.name, of, field.default))
        elif field.default_factory is not MISSING:
            rows.append((field.name, of, msgspec.field(default_factory=field.default_factory)))
        else:
            rows.append((field.name, of))
    return msgspec.defstruct(kind.__name__, rows, kw_only=True, forbid_unknown_fields=True)


def _deep(name: str, hint: Any) -> Any:
    """The type with bounds, and with every dataclass in it replaced by its strict structure."""
    if isinstance(hint, type) and is_dataclass(hint):
        return _strict(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if not parts or origin is None:
        return bounded(name, hint)
    if origin in (types.UnionType, Union):
        found = _deep(name, parts[0])
        for part in parts[1:]:
            found = found | _deep(name, part)
        return found
    if origin in (tuple, list, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return origin[tuple(_deep(name, part) for part in parts)]
    return hint


def _words(error: Exception) -> str:
    """What is wrong with a row, its field by name."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, msgspec.ValidationError):
        what, _, place = str(error).partition(" - at ")
    elif isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
        return f"not valid JSON ({error})"
    else:
        what, place = str(error), ""
    field = place.strip("`").removeprefix("$").removeprefix(".")
    what = what[:1].lower() + what[1:]
    if "unknown field" in what:
        what += ", which a newer version of the harness may have written"
    return f"not what the harness writes ({f'{field}: ' if field else ''}{what.replace('`', '')})"
