"""The schema of a baseline file, and how one is read.

    source, title, url, date     what is quoted
    scale: percent|fraction      how pass@k and cons@k are written in this file
    protocols: {name: ..}        temperature, top_p, max_tokens, window, prompt, extraction, note, k
                                 as a range: [4, 64] where no number is stated per benchmark
    columns: {name: ..}          task, metric, n (problems), k, protocol, availability
    tables:                      printed (where), kind, columns (names), rows of model and values

A part that the source does not state is left out; a value that it prints as a dash is null.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from harness.errors import DataError

Availability = Literal["reproducible", "data gated", "protocol not public"]
"""What stands between a reader and the same measurement."""

Kind = Literal["published", "reproduction", "quoted"]
"""A source's own figure, another group's measurement of the same, or a figure passed on."""

_METRIC = re.compile(r"(pass|cons)@[1-9]\d*|rating|percentile")


def _known_metric(name: str) -> str:
    if not _METRIC.fullmatch(name):
        raise ValueError("a metric is pass@K, cons@K, rating or percentile")
    return name


_Count = Annotated[int, Field(ge=1)]


def _ascending(ends: tuple[int, int]) -> tuple[int, int]:
    if ends[0] > ends[1]:
        raise ValueError("a range has its least number first")
    return ends


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StatedProtocol(_Checked):
    """How a source says that it measured; None where it does not say.

    `prompt` is a description; `prompt_holds` is a phrase by which a prompt is known to be that one.
    `k` is the least and the greatest number of samples per problem, for the columns without a number
    of their own.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    window: str | None = None
    prompt: str | None = None
    prompt_holds: str | None = None
    extraction: str | None = None
    note: str | None = None
    k: Annotated[tuple[_Count, _Count], AfterValidator(_ascending)] | None = None

    def words(self) -> str:
        """One line of what is stated."""
        parts = [
            f"{label} {value:,}" if isinstance(value, int) else f"{label} {value}"
            for label, value in (
                ("temperature", self.temperature),
                ("top-p", self.top_p),
                ("cap", self.max_tokens),
                ("window", self.window),
                ("prompt:", self.prompt),
                ("extraction:", self.extraction),
            )
            if value is not None
        ]
        return "; ".join(filter(None, [", ".join(parts), self.note]))


class PublishedColumn(_Checked):
    """A benchmark and metric, shared by the values below it."""

    task: str
    metric: Annotated[str, AfterValidator(_known_metric)]
    protocol: str
    availability: Availability
    n: int | None = Field(default=None, ge=1)
    k: int | None = Field(default=None, ge=1)


class PublishedRow(_Checked):
    """One model's values; its protocol and availability stand in for the columns'."""

    model: str
    values: tuple[float | None, ...]
    protocol: str | None = None
    availability: Availability | None = None
    note: str | None = None


class PublishedTable(_Checked):
    """One table of a source, or a part of one."""

    printed: str
    kind: Kind = "published"
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]


class SourceFile(_Checked):
    """A whole file; names, widths and ranges are checked."""

    source: str
    title: str
    scale: Literal["percent", "fraction"]
    url: str | None = None
    date: datetime.date | None = None
    protocols: dict[str, StatedProtocol]
    columns: dict[str, PublishedColumn]
    tables: tuple[PublishedTable, ...]

    @model_validator(mode="after")
    def _names_and_widths(self) -> SourceFile:
        for name, column in self.columns.items():
            self._known("protocol", column.protocol, self.protocols, f"columns.{name}")
        for table in self.tables:
            for name in table.columns:
                self._known("column", name, self.columns, table.printed)
            for row in table.rows:
                place = f"{table.printed}, {row.model}"
                if len(row.values) != len(table.columns):
                    raise ValueError(
                        f"{place}: {len(row.values)} values for {len(table.columns)} columns"
                    )
                if row.protocol is not None:
                    self._known("protocol", row.protocol, self.protocols, place)
                for name, value in zip(table.columns, row.values, strict=True):
                    self._in_range(self.columns[name].metric, value, f"{place}, {name}")
        return self

    @staticmethod
    def _known(what: str, name: str, known: Iterable[str], place: str) -> None:
        if name not in known:
            raise ValueError(f"{place}: no {what} is called {name!r} ({', '.join(known)})")

    def _in_range(self, metric: str, value: float | None, place: str) -> None:
        top = {"rating": 5000.0, "percentile": 100.0}.get(
            metric, 100.0 if self.scale == "percent" else 1.0
        )
        if value is not None and not 0 <= value <= top:
            raise ValueError(f"{place}: {value} is not between 0 and {top:g} ({metric})")


def read_source(path: Path) -> SourceFile:
    """Read and check one file. DataError names the file, the place in it and the value."""
    try:
        data: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return SourceFile.model_validate(data)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "no YAML"
        raise DataError(f"{path}{line}: not valid YAML ({problem})") from error
    except ValidationError as error:
        raise DataError(f"{path}: {_first_error(error)}") from error


def _first_error(error: ValidationError) -> str:
    first, *others = error.errors(include_url=False)
    place = "".join(f"{part}." for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    shown = first["type"] != "missing" and not isinstance(first["input"], dict)
    given = f", not {first['input']!r}" * shown
    more = f" (and {len(others)} more)" * bool(others)
    return f"{place[:-1]}: {message}{given}{more}".removeprefix(": ")
