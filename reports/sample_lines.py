"""Where the samples of a task stand in samples.jsonl, as columns: some thirty bytes for each."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, get_type_hints

import msgspec
import orjson

from harness.errors import DataError
from harness.storage.plain_files import open_to_read
from harness.storage.rows import MAX_INDEX, Index, typed
from harness.types import Sample

from .graded import last_of_each, places_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BUFFER = 1 << 20
_HINTS = get_type_hints(Sample) | {"index": Index}
_FIELDS = tuple(field.name for field in fields(Sample))
_Whole: Any = msgspec.defstruct(
    "_Whole", [(name, _HINTS[name]) for name in _FIELDS], forbid_unknown_fields=True, gc=False
)
"""A line as it is written today: every field of a sample, and no other."""


@dataclass(frozen=True, slots=True)
class Lines:
    """One line a sample, sorted by problem and index; entry i of every column is sample i.

    `starts` and `sizes` are in bytes, `numbers` the lines' from 1, `tokens` those of a sample with its
    reasoning (-1: not known). `clean` says that a line is valid JSON of exactly the fields of a sample,
    between braces that are its first and last characters.
    """

    problems: NDArray[np.int32]
    indices: NDArray[np.int32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.int64]
    numbers: NDArray[np.int32]
    tokens: NDArray[np.int64]
    clean: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.starts)

    @classmethod
    def none(cls) -> Lines:
        """Those of no sample."""
        import numpy as np

        short, long = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64)
        return cls(short, short, long, long, short, long, long.astype(bool))


def read_lines(
    path: Path, problems: Mapping[str, object], see: Callable[[Any], None] | None = None
) -> Lines:
    """Read a samples.jsonl once; of a sample that stands in several lines the last one counts.

    Args:
        path: the file; one that is missing holds no sample.
        problems: those whose samples count, in the order of the report.
        see: is shown every sample of these problems, as the file holds it.

    Raises:
        DataError: a file that cannot be read, or a line that is no sample (its number is named).
    """
    import numpy as np

    order = {id: number for number, id in enumerate(problems)}
    keys, starts, sizes = array("q"), array("q"), array("q")
    numbers, tokens, clean = array("i"), array("q"), array("B")
    start = 0
    for number, (text, row, whole) in enumerate(_rows(path), 1):
        place = order.get(row.problem_id)
        if place is not None:
            keys.append(place * MAX_INDEX + row.index)
            starts.append(start)
            sizes.append(len(text))
            numbers.append(number)
            tokens.append(-1 if row.n_tokens is None else row.n_tokens)
            clean.append(whole)
            if see is not None:
                see(row)
        start += len(text)
    key = np.array(keys)
    chosen = last_of_each(key)
    columns: Any = [*places_of(key[chosen]),
                    *(np.array(column)[chosen] for column in (starts, sizes, numbers, tokens)),
                    np.array(clean, dtype=bool)[chosen]]  # fmt: skip
    return Lines(*columns)


def decode(line: bytes, place: str) -> dict[str, Any]:
    """The fields of one line of samples.jsonl, those of a sample and whatever else it holds.

    Of text that is not valid Unicode the broken parts are replaced. `place` names the line.

    Raises:
        DataError: the line is no JSON object.
    """
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:
            row = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{place}: not valid JSON ({error})") from error
    if not isinstance(row, dict):
        raise DataError(f"{place}: not what the harness writes (it is no object)")
    return row


def _rows(path: Path) -> Iterator[tuple[bytes, Any, bool]]:
    """Each line, the sample in it, and whether it is clean; a torn last line is no sample."""
    whole = msgspec.json.Decoder(_Whole).decode
    if not path.exists():
        return
    try:
        with open_to_read(path, _BUFFER) as file:
            for number, text in enumerate(_whole_lines(file), 1):
                try:
                    row, clean = whole(text), text[0] == 123 and text[-2] == 125  # braces
                except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                    row, clean = _sample(text, f"{path}, line {number}"), False
                yield text, row, clean
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _sample(text: bytes, place: str) -> Sample:
    """A sample of another version, or of broken text: unknown fields do not count."""
    row = decode(text, place)
    return typed({name: row[name] for name in _FIELDS if name in row}, Sample, place)


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    return (line for line in file if line.endswith(b"\n"))
