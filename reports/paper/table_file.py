"""The file of a paper's table, and how one is read.

    title, caption               what stands above it
    source, printed              whose figures, and where they stand there (one place or several)
    fallback: {source, printed}  for figures that these places do not hold
    transposed: true             a row per benchmark and a column per model
    margin                       in points, where --margin does not say
    headings:                    task, metric; as printed: group, label, area; which figures: protocol,
                                 subset, kind; beside, not_comparable
    models:                      names, or model, label, group, protocol; all of the places without it
    footnotes:                   sentences below the table

`protocol` names parts of a stated protocol and their values, {effort: low, tools: none}. It selects a
figure where one model has several. Only what a table needs is written down.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness.reports.baselines.near import near
from harness.reports.baselines.schema import Kind, StatedProtocol
from harness.reports.baselines.yaml_document import Field as Place
from harness.reports.baselines.yaml_document import read_yaml
from harness.stats.breakdown import PROPERTIES

from .layouts import Heading, Layout, Row, Selection, our_metric

SHIPPED = Path(__file__).parent / "data"


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_model(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


class _Checked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, str_min_length=1)


class _Fallback(_Checked):
    source: str
    printed: str


class _Heading(_Checked):
    task: str
    metric: str
    group: str | None = None
    label: str | None = None
    area: str | None = None
    protocol: StatedProtocol = Field(default_factory=StatedProtocol)
    subset: dict[str, str] = Field(default_factory=dict)
    kind: Kind | None = None
    beside: str | None = None
    not_comparable: str | None = None


class _Model(_Checked):
    model: str
    label: str | None = None
    group: str | None = None
    protocol: StatedProtocol = Field(default_factory=StatedProtocol)


class _TableFile(_Checked):
    title: str
    caption: str | None = None
    source: str
    printed: Annotated[tuple[str, ...], BeforeValidator(_as_list), Field(min_length=1)]
    fallback: _Fallback | None = None
    transposed: bool = False
    margin: float | None = Field(default=None, gt=0, le=100)
    headings: Annotated[tuple[_Heading, ...], Field(min_length=1)]
    models: tuple[Annotated[_Model, BeforeValidator(_as_model)], ...] = ()
    footnotes: tuple[str, ...] = ()


def shipped() -> dict[str, Path]:
    """The tables of the package by name, table 8 before table 13."""
    paths = {path.stem: path for path in SHIPPED.glob("*.yaml")}
    return {name: paths[name] for name in sorted(paths, key=_by_number)}


def _by_number(name: str) -> tuple[str, int]:
    text = name.rstrip("0123456789")
    return text, int(name[len(text) :] or 0)


def read_layout(path: Path) -> Layout:
    """Read one table; its figures are looked up by `harness.reports.paper.cells`.

    Raises:
        DataError: a file that cannot be read or does not follow the schema, with file, line and field.
    """
    document = read_yaml(path)
    if not isinstance(document.content, dict):
        raise document.error(
            (), "a table has title, source, printed and headings: docs/paper-tables.md"
        )
    for place, message in _unknown_fields(document.content, _TableFile):
        raise document.error(place, message)
    file = document.parse(_TableFile)
    headings = tuple(_heading(found) for found in file.headings)
    rows = tuple(_row(found) for found in file.models)
    for place, message in _misfits(headings, rows):
        raise document.error(place, message)
    return Layout(
        name=path.stem,
        title=file.title,
        caption=file.caption or "",
        source=file.source,
        printed=file.printed,
        headings=headings,
        document=document,
        rows=rows,
        transposed=file.transposed,
        fallback=(file.fallback.source, file.fallback.printed) if file.fallback else None,
        footnotes=file.footnotes,
        margin=file.margin,
    )


def _heading(found: _Heading) -> Heading:
    return Heading(
        task=found.task,
        metric=our_metric(found.metric) or found.metric,
        group=found.group or found.task,
        label=found.label or found.metric,
        area=found.area or "",
        protocol=_selection(found.protocol),
        subset=tuple(sorted(found.subset.items())),
        kind=found.kind,
        beside=found.beside,
        not_comparable=found.not_comparable,
    )


def _row(found: _Model) -> Row:
    return Row(
        found.model, found.label or "", found.group or "", protocol=_selection(found.protocol)
    )


def _selection(stated: StatedProtocol) -> Selection:
    """The parts that are written in the file, null for one that a source must not state."""
    return tuple((name, getattr(stated, name)) for name in sorted(stated.model_fields_set))


def _unknown_fields(
    content: object, model: type[BaseModel], place: Place = ()
) -> Iterator[tuple[Place, str]]:
    """Names that no field of a file has, with those near to them: (place, message)."""
    if not isinstance(content, dict):
        return
    inside: dict[str, type[BaseModel]] = {"fallback": _Fallback, "protocol": StatedProtocol}
    listed: dict[str, type[BaseModel]] = {"headings": _Heading, "models": _Model}
    for name, value in content.items():
        found = (*place, name)
        if name not in model.model_fields:
            yield found, f"no field is called {name!r}; {near(str(name), model.model_fields)}"
        elif name in inside:
            yield from _unknown_fields(value, inside[name], found)
        elif name in listed and isinstance(value, list):
            for number, one in enumerate(value):
                yield from _unknown_fields(one, listed[name], (*found, number))


def _misfits(headings: Sequence[Heading], rows: Sequence[Row]) -> Iterator[tuple[Place, str]]:
    """Properties that no problem has, and what stands there twice: (place, message)."""
    for number, heading in enumerate(headings):
        for name, _ in heading.subset:
            if name not in PROPERTIES:
                place = ("headings", number, "subset", name)
                yield place, f"problems have no property {name!r}; {near(name, PROPERTIES)}"
    columns: list[Hashable] = [replace(h, group="", label="", area="") for h in headings]
    lines: list[Hashable] = [(row.model.lower(), row.protocol) for row in rows]
    for what, one, keys in (("headings", "heading", columns), ("models", "model", lines)):
        for number, key in enumerate(keys):
            first = keys.index(key)
            if first != number:
                yield (what, number), f"the same as {one} {first + 1}; keep one"
