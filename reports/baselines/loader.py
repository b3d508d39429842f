"""Published scores with where they stand: one YAML file per source (see `schema`).

Sources that disagree are shown side by side (`conflicts`), never averaged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from harness.reports.format import value_text

from .aliases import canonical
from .metrics import Metric, Unit
from .schema import (
    Availability,
    Kind,
    PublishedColumn,
    PublishedRow,
    PublishedTable,
    SourceFile,
    StatedProtocol,
    read_source,
)
from .yaml_document import YamlDocument

SHIPPED = Path(__file__).parent / "data"
UNSTATED_K = (1, 64)
"""The samples per problem that a figure may have whose source says nothing of them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from.

    `date` is YYYY, YYYY-MM or YYYY-MM-DD, which sort as text. `read_from` says what was read: the
    original, a copy of it, or a figure by eye.
    """

    name: str
    title: str
    url: str | None
    date: str | None
    read_from: str | None = None


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One published figure, wherever its source prints it.

    Args:
        model: its name here, one for all spellings (see `aliases`).
        task: the benchmark.
        metric: one of ours where it is one, else the source's own name.
        value: 0 to 1 where `unit` is share, else as printed.
        source: who states it.
        places: where it stands there: table 2, table 4.
        kind: the source's own, a measurement of another group's model, or passed on.
        availability: what stands between a reader and the same measurement.
        protocol: what the source states of how it measured.
        label: the model as the source prints it.
        printed_metric: the metric as the source names it.
        printed_value: the value as the source prints it.
        unit: what the value counts.
        n: number of problems, None where not stated.
        k: samples per problem, None where not stated.
        subset: which part of the benchmark, such as {difficulty: easy}; empty for the whole.
        note: what else there is to say.
        positions: for each place, where in the order of the source's figures.
    """

    model: str
    task: str
    metric: str
    value: float
    source: str
    places: tuple[str, ...]
    kind: Kind
    availability: Availability
    protocol: StatedProtocol
    label: str
    printed_metric: str
    printed_value: str
    unit: Unit
    n: int | None = None
    k: int | None = None
    subset: Mapping[str, str] = field(default_factory=dict, hash=False)
    note: str | None = None
    positions: tuple[int, ...] = ()

    @property
    def subject(self) -> tuple[str, str, str]:
        """What the figure is about: (model, task, metric)."""
        return self.model, self.task, self.metric

    @property
    def printed(self) -> str:
        """Where it stands, in words: table 2; tables 2, 4."""
        return places_text(self.places)

    @property
    def text(self) -> str:
        """The value as papers print it: shares in percent with one decimal, ratings whole."""
        return value_text("pass@1" if self.unit == "share" else self.metric, self.value)

    def stands_in(self, place: str) -> bool:
        """Whether the source prints it there."""
        return place in self.places

    def position(self, place: str) -> int:
        """Where in the order of the source's figures it stands there; it must stand there."""
        return self.positions[self.places.index(place)]

    @property
    def ks(self) -> tuple[int, int]:
        """The least and the greatest number of samples per problem behind the figure.

        They are equal where it is stated, or a vote's. A metric of K samples has at least K.
        """
        kind, _, needed = self.metric.partition("@")
        least = int(needed) if needed else 1
        if self.k or kind == "cons":
            return (self.k or least,) * 2
        low, high = self.protocol.k or UNSTATED_K
        return max(low, least), max(high, least)


@dataclass(frozen=True, slots=True)
class Baselines:
    """The sources read and all of their scores, in the order of the files."""

    sources: dict[str, Source] = field(default_factory=dict)
    scores: tuple[PublishedScore, ...] = ()


def load(extra: Sequence[Path] = ()) -> Baselines:
    """Read the shipped baselines and the user's own files.

    Raises:
        DataError: a file that cannot be read or does not follow the schema (file, line, field,
            value), or a source name that two files use.
    """
    sources: dict[str, Source] = {}
    origin: dict[str, Path] = {}
    scores: list[PublishedScore] = []
    for path in [*sorted(SHIPPED.glob("*.yaml"), key=lambda path: path.stem), *extra]:
        file, document = read_source(path)
        if file.source in sources:
            raise document.error(
                ("source",),
                f"{file.source!r} is already defined by {origin[file.source]}; "
                "give it a name of its own",
            )
        origin[file.source] = path
        sources[file.source] = Source(file.source, file.title, file.url, file.date, file.read_from)
        scores += _scores_of(file, document)
    return Baselines(sources, tuple(scores))


def conflicts(scores: Iterable[PublishedScore]) -> list[tuple[PublishedScore, ...]]:
    """Figures that are stated with different values, each group in the order of the scores.

    Those whose stated protocols differ are not the same figure. A reproduction is another
    measurement, so it never conflicts with what it reproduces. Figures that a source only quotes
    come last in their group.
    """
    stated: dict[object, list[PublishedScore]] = {}
    for score in scores:
        if score.kind != "reproduction":
            about = (*score.subject, *sorted(score.subset.items()))
            stated.setdefault(about, []).append(score)
    return [
        tuple(sorted(group, key=lambda score: score.kind == "quoted"))
        for found in stated.values()
        if len({score.value for score in found}) > 1
        for group in _alike(found)
        if len({score.value for score in group}) > 1
    ]


def places_text(places: Sequence[str]) -> str:
    """Several places in words: tables 2, 4."""
    numbers = [place.removeprefix("table ") for place in places]
    if len(places) > 1 and all(number.isdecimal() for number in numbers):
        return f"tables {', '.join(numbers)}"
    return ", ".join(places)


_COMPARED = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "effort",
    "reasoning_budget",
    "mode",
    "tools",
    "window",
)


def _alike(scores: Sequence[PublishedScore]) -> list[list[PublishedScore]]:
    """Groups by what is stated of the protocols; one that says less belongs to all that it fits."""
    groups: list[list[PublishedScore]] = []
    for score in scores:
        fitting = [group for group in groups if any(_fits(score, other) for other in group)]
        joined = [other for group in fitting for other in group] + [score]
        groups = [group for group in groups if group not in fitting] + [joined]
    order = {id(score): place for place, score in enumerate(scores)}
    return [sorted(group, key=lambda score: order[id(score)]) for group in groups]


def _fits(first: PublishedScore, second: PublishedScore) -> bool:
    pairs = ((getattr(first.protocol, name), getattr(second.protocol, name)) for name in _COMPARED)
    return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)


def _scores_of(file: SourceFile, document: YamlDocument) -> list[PublishedScore]:
    """A file's figures, each once with all of its places."""
    metrics = {name: column.measured() for name, column in file.columns.items()}
    figures: dict[tuple[object, ...], tuple[dict[str, Any], dict[str, int]]] = {}
    placed: set[tuple[object, ...]] = set()
    for at, table in enumerate(file.tables):
        for number, row in enumerate(table.rows):
            for cell, (name, printed) in enumerate(zip(table.columns, row.values, strict=True)):
                if printed is None:
                    continue
                column, metric = file.columns[name], metrics[name]
                facts = _facts(file, table, row, (column, metric), printed)
                protocol, subset = facts["protocol"], tuple(column.subset.items())
                about = (row.model, column.task, column.metric, subset, protocol, facts["k"])
                place = (*about, table.printed, table.kind)
                if place in placed:
                    raise document.error(
                        ("tables", at, "rows", number, "values", cell),
                        f"{table.printed} gives {metric.name} of {row.model} on {column.task} "
                        "twice; keep one, or name another place under 'printed'",
                    )
                placed.add(place)
                same = (*about, table.kind, facts["availability"], column.n, printed, row.note)
                figures.setdefault(same, (facts, {}))[1][table.printed] = len(placed)
    return [
        PublishedScore(**facts, places=tuple(places), positions=tuple(places.values()))
        for facts, places in figures.values()
    ]


def _facts(
    file: SourceFile,
    table: PublishedTable,
    row: PublishedRow,
    measure: tuple[PublishedColumn, Metric],
    printed: str,
) -> dict[str, Any]:
    """The fields of one figure but its places.

    Args:
        file: its source.
        table: where it stands.
        row: likewise.
        measure: its column, and what the metric is.
        printed: the value.
    """
    column, metric = measure
    share = metric.unit == "share" and file.scale == "percent"
    protocol = file.protocols[row.protocol or column.protocol]
    return {
        "model": canonical(row.model),
        "task": column.task,
        "metric": metric.name,
        "value": float(Decimal(printed) / 100 if share else Decimal(printed)),
        "source": file.source,
        "kind": table.kind,
        "availability": row.availability or column.availability,
        "protocol": protocol.with_settings(table.settings).with_settings(row.settings),
        "label": row.model,
        "printed_metric": column.metric,
        "printed_value": printed,
        "unit": metric.unit,
        "n": column.n,
        # a vote's name says its number of samples; that of a mean does not, once it is pass@1
        "k": column.k or (metric.k if metric.name == "pass@1" else None),
        "subset": column.subset,
        "note": row.note,
    }
