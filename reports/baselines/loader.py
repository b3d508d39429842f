"""Published scores with where they stand: one YAML file per source (see `schema`).

Sources that disagree are shown side by side (`conflicts`), never averaged.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import DataError, UsageError

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

SHIPPED = Path(__file__).parent / "data"
UNSTATED_K = (1, 64)
"""The samples per problem that a figure may have whose source says nothing of them."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where figures come from."""

    name: str
    title: str
    url: str | None
    date: datetime.date | None


@dataclass(frozen=True, slots=True)
class PublishedScore:
    """One published figure. `value` is 0 to 1 for pass@k and cons@k, else as printed.

    `n` is the number of problems and `k` the samples per problem, None where not stated.
    """

    model: str
    task: str
    metric: str
    value: float
    source: str
    printed: str
    kind: Kind
    availability: Availability
    protocol: StatedProtocol
    n: int | None = None
    k: int | None = None
    note: str | None = None

    @property
    def subject(self) -> tuple[str, str, str]:
        """What the figure is about: (model, task, metric)."""
        return self.model, self.task, self.metric

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
        DataError: a file that cannot be read or does not follow the schema (file, place, value),
            or a source name that two files use.
    """
    sources: dict[str, Source] = {}
    origin: dict[str, Path] = {}
    scores: list[PublishedScore] = []
    for path in [*sorted(SHIPPED.glob("*.yaml")), *extra]:
        file = read_source(path)
        if file.source in sources:
            raise DataError(
                f"{path}: source {file.source!r} is already defined by {origin[file.source]}; "
                "give it a name of its own"
            )
        origin[file.source] = path
        sources[file.source] = Source(file.source, file.title, file.url, file.date)
        scores += _scores_of(file, path)
    return Baselines(sources, tuple(scores))


def select(
    scores: Iterable[PublishedScore],
    *,
    task: str | None = None,
    model: str | None = None,
    source: str | None = None,
) -> list[PublishedScore]:
    """Pick the scores that pass every filter that is given.

    Args:
        scores: those to pick from.
        task: only this task.
        model: only models whose name contains this, in any case.
        source: only this source.

    Raises:
        UsageError: a filter that no score passes on its own; the message lists what there is.
    """
    chosen = list(scores)
    for what, wanted in (("task", task), ("model", model), ("source", source)):
        if wanted is None:
            continue
        names = {getattr(score, what) for score in chosen}
        found = {wanted} & names
        if what == "model":
            found = {name for name in names if wanted.lower() in name.lower()}
        if not found:
            raise UsageError(
                f"no baseline for {what} {wanted!r}; there are: {', '.join(sorted(names))}"
            )
        chosen = [score for score in chosen if getattr(score, what) in found]
    return chosen


def conflicts(scores: Iterable[PublishedScore]) -> list[tuple[PublishedScore, ...]]:
    """Figures that are stated with different values, each group in the order of the scores.

    A reproduction is another measurement, so it never conflicts with what it reproduces. Figures
    that a source only quotes come last in their group.
    """
    stated: dict[tuple[str, str, str], list[PublishedScore]] = {}
    for score in scores:
        if score.kind != "reproduction":
            stated.setdefault(score.subject, []).append(score)
    return [
        tuple(sorted(group, key=lambda score: score.kind == "quoted"))
        for group in stated.values()
        if len({score.value for score in group}) > 1
    ]


def _scores_of(file: SourceFile, path: Path) -> list[PublishedScore]:
    scores: dict[tuple[object, ...], PublishedScore] = {}
    for table in file.tables:
        for row in table.rows:
            for name, value in zip(table.columns, row.values, strict=True):
                if value is None:
                    continue
                score = _score(file, table, row, file.columns[name], value)
                place = (*score.subject, table.printed, table.kind)
                if place in scores:
                    raise DataError(
                        f"{path}: {table.printed} gives {score.metric} of {row.model} on "
                        f"{score.task} twice; keep one, or name another place under 'printed'"
                    )
                scores[place] = score
    return list(scores.values())


def _score(
    file: SourceFile,
    table: PublishedTable,
    row: PublishedRow,
    column: PublishedColumn,
    value: float,
) -> PublishedScore:
    share = "@" in column.metric and file.scale == "percent"
    return PublishedScore(
        model=row.model,
        task=column.task,
        metric=column.metric,
        value=round(value / 100, 6) if share else value,  # 32.9 is 0.329, not 0.32899999999999996
        source=file.source,
        printed=table.printed,
        kind=table.kind,
        availability=row.availability or column.availability,
        protocol=file.protocols[row.protocol or column.protocol],
        n=column.n,
        k=column.k,
        note=row.note,
    )
