"""Typed rows: what a stored file holds is decoded into the noun that it is a row of.

A row of another shape is a DataError that names the file, the line and the field. A field that this
version does not know is one too: a file is written again by whoever grades it again, and would lose it.
What needs a few fields of many rows reads them as a `msgspec.Struct` of just these (a projection),
which skips everything else in a line, its texts included.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from harness.errors import DataError
from harness.storage.files import Json

T = TypeVar("T")

MAX_INDEX = 1 << 20
"""Samples of one problem are numbered below this; memory is held by index."""

Index = Annotated[int, msgspec.Meta(ge=0, lt=MAX_INDEX)]
"""The index of a sample, for the fields of a projection."""

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
    decode = _decoder(kind)
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    return
                try:
                    row = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                    words = f"{path}, line {number}: {_words(error)}"
                    if damaged is None:
                        raise DataError(
                            f"{words}; the file was changed or damaged: restore it, or remove "
                            "that line"
                        ) from error
                    damaged.append(words)
                    continue
                yield row
    except FileNotFoundError:
        return
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


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
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: the run folder is not complete") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    try:
        if upgrade is None:
            found: T = _decoder(kind)(data)
            return found
        row = msgspec.json.decode(data, type=dict[str, Any])
        return convert(upgrade(row), kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = f"; {fix}" if fix else ""
        raise DataError(f"{path}: {_words(error)}{hint}") from error


def read_line(line: bytes, kind: type[T], place: object) -> T:
    """The row of one line of a JSON-lines file; DataError, which begins with `place`, on another shape."""
    try:
        found: T = _decoder(kind)(line)
        return found
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{place}: a line is {_words(error)}") from error


def convert(row: object, kind: type[T]) -> T:
    """A typed value from decoded JSON.

    Raises:
        msgspec.ValidationError: it is of another shape; the field is named.
    """
    found: T
    if not is_dataclass(kind):
        found = msgspec.convert(row, kind)
    else:
        found = msgspec.convert(msgspec.convert(row, _strict(kind)), kind, from_attributes=True)
    return found


@cache
def _decoder(kind: Any) -> Callable[[bytes], Any]:
    if not is_dataclass(kind):
        return msgspec.json.Decoder(kind).decode
    strict = msgspec.json.Decoder(_strict(kind)).decode

    def decode(line: bytes) -> Any:
        return msgspec.convert(strict(line), kind, from_attributes=True)

    return decode


@cache
def _strict(kind: type) -> type[msgspec.Struct]:
    """A structure with the fields of a dataclass and no others."""
    hints = get_type_hints(kind, include_extras=True)
    rows: list[Any] = []
    for field in fields(kind):
        of = _field_type(field.name, hints[field.name])
        if field.default is not MISSING:
            rows.append((field.name, of, field.default))
        elif field.default_factory is not MISSING:
            rows.append((field.name, of, msgspec.field(default_factory=field.default_factory)))
        else:
            rows.append((field.name, of))
    return msgspec.defstruct(kind.__name__, rows, kw_only=True, forbid_unknown_fields=True)


def _field_type(name: str, hint: Any) -> Any:
    return Index if name == "index" and hint is int else _deep(hint)


def _deep(hint: Any) -> Any:
    """The type with every dataclass in it replaced by its strict structure."""
    if isinstance(hint, type) and is_dataclass(hint):
        return _strict(hint)
    origin, parts = get_origin(hint), get_args(hint)
    if not parts or origin is None:
        return hint
    if origin is types.UnionType:
        found = _deep(parts[0])
        for part in parts[1:]:
            found = found | _deep(part)
        return found
    if origin in (tuple, list, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return origin[tuple(map(_deep, parts))]
    return hint


def _words(error: Exception) -> str:
    """What is wrong with a row, its field by name."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if not isinstance(error, msgspec.ValidationError):
        return f"not valid JSON ({error})"
    what, _, place = str(error).partition(" - at ")
    field = place.strip("`").removeprefix("$").removeprefix(".")
    what = what[:1].lower() + what[1:]
    return f"not what the harness writes ({f'{field}: ' if field else ''}{what.replace('`', '')})"
