"""Published scores with where they stand: one YAML file per source (see `schema`).

Sources that disagree are shown side by side (see `conflicts.conflicts`), never averaged.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from .aliases import canonical
from .metrics import Metric
from .schema import PublishedColumn, PublishedRow, PublishedTable, SourceFile, read_source
from .scores import Baselines, PublishedScore, Source
from .yaml_document import YamlDocument

SHIPPED = Path(__file__).parent / "data"


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
