"""Rows of a .jsonl, .csv or .parquet file, each with its place for error messages."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import orjson

from harness.data.row_place import PlacedRow, RowPlace, stamp
from harness.errors import DataError, first_line
from harness.types import Row

FORMATS = (".jsonl", ".csv", ".parquet")

_BATCH = 16  # rows of a .parquet file that are held at a time: one can take 100 MB


def read_rows(path: Path, mend: Callable[[str], str] | None = None) -> Iterator[tuple[str, Row]]:
    """Yield (place, row) of a .jsonl, .csv or .parquet file; place is "FILE, line N".

    Args:
        path: of the file.
        mend: repairs each line of a .csv file whose publisher left it broken.

    Raises:
        DataError: another ending, or a file or row that cannot be read (it is named).
    """
    readers: dict[str, Callable[[Path], Iterator[tuple[str, Row]]]] = {
        ".jsonl": _read_jsonl,
        ".csv": partial(_read_csv, mend=mend),
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix)
    if reader is None:
        raise DataError(f"{path}: the file name must end in one of {', '.join(FORMATS)}")
    try:
        yield from reader(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from error


def _read_jsonl(path: Path) -> Iterator[tuple[str, Row]]:
    now, end = stamp(path), 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            start, end = end, end + len(line)
            if line.isspace():
                continue
            place = f"{path}, line {number}"
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise DataError(f"{place}: not valid JSON ({error})") from error
            if not isinstance(row, dict):
                raise DataError(f"{place}: a JSON object is needed, not {type(row).__name__}")
            placed = PlacedRow(row)
            placed.row_place = RowPlace(path, start, len(line), now)
            del line, row  # they can be large
            yield place, placed


def _read_csv(path: Path, mend: Callable[[str], str] | None) -> Iterator[tuple[str, Row]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(map(mend, file) if mend else file, strict=True)
        try:
            for row in reader:
                place = f"{path}, line {reader.line_num}"
                if None in row or None in row.values():
                    raise DataError(f"{place}: the row does not have as many fields as the header")
                yield place, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(f"{path}, line {reader.line_num}: not valid CSV ({error})") from error


def _read_parquet(path: Path) -> Iterator[tuple[str, Row]]:
    import pyarrow
    import pyarrow.parquet

    try:
        table = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in table.iter_batches(batch_size=_BATCH):
            for row in batch.to_pylist():
                number += 1
                yield f"{path}, row {number}", row
    except (pyarrow.ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a valid parquet file ({first_line(error, 200)})") from error
