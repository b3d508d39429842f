"""The schema of a baseline file, and how one is read.

    source, title, url, date     what is quoted; a date is YYYY, YYYY-MM or YYYY-MM-DD, such as 2025-06
    read_from                    what was read: the original, a copy, a figure by eye
    scale: percent|fraction      how shares are written in this file
    protocols: {name: ..}        temperature, top_p, top_k, max_tokens, effort, reasoning_budget, mode,
                                 tools, window, prompt, extraction, note, and k as a range: [4, 64]
                                 where no number is stated per benchmark
    columns: {name: ..}          task, metric (as the source names it), n (problems), k, subset, unit,
                                 protocol, availability
    tables:                      printed (where), kind, columns (names), rows of model and values;
                                 a table's and a row's `settings` are added to the column's protocol,
                                 a row's `protocol` stands in for it

A part that the source does not state is left out; a value that it prints as a dash is null.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from .metrics import Metric, Unit, read_metric
from .yaml_document import YamlDocument, read_yaml

Availability = Literal["reproducible", "data gated", "protocol not public"]
"""What stands between a reader and the same measurement."""

Kind = Literal["published", "reproduction", "quoted"]
"""A source's own figure, another group's measurement of the same, or a figure passed on."""

Mode = Literal["thinking", "non-thinking"]
"""Whether a model that can do both reasoned."""

_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_MOST: dict[Unit, float] = {"rating": 5000.0, "percentile": 100.0, "count": 10_000.0}
_NUMBER = re.compile(r"[+-]?[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}")
_Count = Annotated[int, Field(ge=1, le=10**12)]


def _ascending(ends: tuple[int, int]) -> tuple[int, int]:
    if ends[0] > ends[1]:
        raise ValueError("a range has its least number first")
    return ends


def checked_date(text: str) -> str:
    """The date of a source, as far as it is stated. Raises ValueError where it is none."""
    if not _DATE.fullmatch(text):
        raise ValueError("a date is YYYY, YYYY-MM or YYYY-MM-DD, such as 2025-06")
    try:
        datetime.date.fromisoformat(text + "-01-01"[len(text) - 4 :])
    except ValueError:
        raise ValueError("there is no such date") from None
    return text


def _number(text: object) -> str:
    if not isinstance(text, str) or not _NUMBER.fullmatch(text.strip()):
        raise ValueError("a value is a number as printed, or null for a dash")
    return text.strip()


def _line(value: object) -> object:
    """A text is to be printed on one line of a terminal."""
    if isinstance(value, str) and not value.isprintable():
        raise ValueError("a text is one line without control characters")
    return value


_FACTS: dict[str, Callable[[Any], str]] = {
    "mode": str,
    "effort": "effort {}".format,
    "reasoning_budget": "reasoning budget {:,}".format,
    "tools": lambda tools: "no tools" if tools == "none" else f"tools: {tools}",
    "temperature": "temperature {}".format,
    "top_p": "top-p {}".format,
    "top_k": lambda top_k: "no top-k" if top_k < 1 else f"top-k {top_k}",
    "max_tokens": "cap {:,}".format,
    "window": "window {}".format,
    "prompt": "prompt: {}".format,
    "extraction": "extraction: {}".format,
}
"""How each part of a protocol is said."""


class _Checked(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        str_strip_whitespace=True,
        str_min_length=1,
    )
    _one_line = field_validator("*")(_line)


class StatedProtocol(_Checked):
    """How a source says that it measured; None where it does not say.

    `tools` is "none" where the source says so. `prompt` is a description; `prompt_holds` is a phrase
    by which a prompt is known to be that one. `k` is the least and the greatest number of samples
    per problem, for the columns without a number of their own.
    """

    temperature: float | None = Field(default=None, ge=0)
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=-1)
    max_tokens: _Count | None = None
    effort: str | None = None
    reasoning_budget: _Count | None = None
    mode: Mode | None = None
    tools: str | None = None
    window: str | None = None
    prompt: str | None = None
    prompt_holds: str | None = None
    extraction: str | None = None
    note: str | None = None
    k: Annotated[tuple[_Count, _Count], AfterValidator(_ascending)] | None = None

    def facts(self) -> dict[str, str]:
        """What is stated, part by part in words; the note and the range of k apart."""
        return {
            name: write(value)
            for name, write in _FACTS.items()
            if (value := getattr(self, name)) is not None
        }

    def words(self) -> str:
        """One line of what is stated."""
        return "; ".join(filter(None, [", ".join(self.facts().values()), self.note]))

    def with_settings(self, settings: StatedProtocol | None) -> StatedProtocol:
        """The same with what else is stated; two notes are joined."""
        if settings is None:
            return self
        more = {name: getattr(settings, name) for name in settings.model_fields_set}
        if self.note and settings.note:
            more["note"] = f"{self.note}; {settings.note}"
        return self.model_copy(update=more)


class PublishedColumn(_Checked):
    """A benchmark and metric, shared by the values below it.

    `subset` says which part of the benchmark it is over, such as {difficulty: easy}; `unit` what a
    metric counts that is none of ours.
    """

    task: str
    metric: str
    protocol: str
    availability: Availability
    n: _Count | None = None
    k: _Count | None = None
    subset: dict[str, str] = Field(default_factory=dict)
    unit: Unit | None = None

    def measured(self) -> Metric:
        """The metric as one of ours, where it is one. Raises ValueError where it cannot be told."""
        metric = read_metric(self.metric, self.unit, self.subset.values())
        if self.k and metric.k:
            fits = self.k == metric.k if metric.name == "pass@1" else self.k >= metric.k
            if not fits:
                raise ValueError(f"{metric.k} samples per problem by its name, and k is {self.k}")
        return metric


class PublishedRow(_Checked):
    """One model's values; its protocol and availability stand in for the columns'."""

    model: str
    values: tuple[Annotated[str, BeforeValidator(_number)] | None, ...]
    protocol: str | None = None
    settings: StatedProtocol | None = None
    availability: Availability | None = None
    note: str | None = None


class PublishedTable(_Checked):
    """One table of a source, or a part of one."""

    printed: str
    kind: Kind = "published"
    settings: StatedProtocol | None = None
    columns: tuple[str, ...]
    rows: tuple[PublishedRow, ...]


class SourceFile(_Checked):
    """A whole file."""

    source: str
    title: str
    scale: Literal["percent", "fraction"]
    url: str | None = None
    date: Annotated[str, AfterValidator(checked_date)] | None = None
    read_from: str | None = None
    protocols: dict[str, StatedProtocol]
    columns: dict[str, PublishedColumn]
    tables: tuple[PublishedTable, ...]


def read_source(path: Path) -> tuple[SourceFile, YamlDocument]:
    """Read and check one file.

    Raises:
        DataError: a file that cannot be read or does not follow the schema, with its name, the line,
            the field and the value.
    """
    document = read_yaml(path)
    file = document.parse(SourceFile)
    for field, message in _misfits(file):
        raise document.error(field, message)
    return file, document


_Misfit = tuple[tuple[str | int, ...], str]


def _misfits(file: SourceFile) -> Iterator[_Misfit]:
    """Names that are not defined, metrics of no known kind, widths and ranges: (field, message)."""
    units: dict[str, Unit] = {}
    for name, column in file.columns.items():
        yield from _known(
            "protocol", column.protocol, file.protocols, ("columns", name, "protocol")
        )
        try:
            units[name] = column.measured().unit
        except ValueError as error:
            yield ("columns", name, "metric"), f"{error}, not {column.metric!r}"
    for at, table in enumerate(file.tables):
        place: tuple[str | int, ...] = ("tables", at)
        for number, name in enumerate(table.columns):
            yield from _known("column", name, file.columns, (*place, "columns", number))
        for number, row in enumerate(table.rows):
            inside = (*place, "rows", number)
            if row.protocol is not None:
                yield from _known("protocol", row.protocol, file.protocols, (*inside, "protocol"))
            if len(row.values) != len(table.columns):
                counts = f"{len(row.values)} values for {len(table.columns)} columns"
                yield (*inside, "values"), f"{table.printed}, {row.model}: {counts}"
            for cell, (name, value) in enumerate(zip(table.columns, row.values, strict=False)):
                top = _MOST.get(units[name], 100.0 if file.scale == "percent" else 1.0)
                if value is not None and not 0 <= float(value) <= top:
                    yield (
                        (*inside, "values", cell),
                        f"{table.printed}, {row.model}, {name}: {value} is not between 0 and "
                        f"{top:g} ({file.columns[name].metric})",
                    )


def _known(
    what: str, name: str, known: Iterable[str], field: tuple[str | int, ...]
) -> Iterator[_Misfit]:
    if name not in known:
        yield field, f"no {what} is called {name!r} ({', '.join(known) or 'none is defined'})"
