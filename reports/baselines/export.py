"""Published scores as CSV, one flat row per score, and those nearest to a run as CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from .nearness import Neighbour, Neighbourhood
from .records import record
from .schema import StatedProtocol
from .scores import Baselines, PublishedScore

Cell = str | int | float | None
Disputed = Collection[PublishedScore]
"""The scores that sources disagree on."""

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_STATED = tuple(name for name in StatedProtocol.model_fields if name not in ("k", "note"))

_OF_NEIGHBOUR: dict[str, Callable[[Neighbourhood, Neighbour], Cell]] = {
    "run": lambda each, one: each.result.run,
    "run_value": lambda each, one: each.score.value,
    "run_k": lambda each, one: each.score.k,
    "same_model": lambda each, one: _yes(one.same_model),
    "differs": lambda each, one: "; ".join(part.difference or "" for part in one.differs),
    "in_words": lambda each, one: "; ".join(f"{p.name}: {p.theirs}" for p in one.described),
    "unstated_by_run": lambda each, one: "; ".join(part.name for part in one.open),
    "unstated_by_source": lambda each, one: "; ".join(part.name for part in one.silent),
    "distance": lambda each, one: one.distance[0],
    "distance_unstated": lambda each, one: one.distance[1],
}
_SCORE_HEADS = (
    "model", "label", "task", "metric", "printed_metric", "subset", "value", "unit", "printed_value",
    "k", "k_least", "k_most", "n", "kind", "source", "printed", "availability", *_STATED,
    "protocol_note", "note", "conflict", "date", "title", "url",
)  # fmt: skip


def nearest_as_json(
    known: Baselines, found: Sequence[Neighbourhood], disputed: Disputed
) -> dict[str, Any]:
    """Scores of a run with the published ones of the same task and metric, the nearest first."""
    names = (one.score.source for each in found for one in each.neighbours)
    return {
        "sources": [asdict(known.sources[name]) for name in dict.fromkeys(names)],
        "nearest": [
            {
                "run": each.result.run,
                "model": each.result.model,
                "task": each.result.task,
                "metric": each.score.metric,
                "value": each.score.value,
                "k": each.score.k,
                "published": [
                    {**record(one.score, conflict=one.score in disputed), **_beside(one)}
                    for one in each.neighbours
                ],
            }
            for each in found
        ],
    }


def as_csv(known: Baselines, chosen: Sequence[PublishedScore], disputed: Disputed) -> str:
    """One row per score. `k_least` and `k_most` are what a k may be that is not stated."""
    return _written(_SCORE_HEADS, (_score_row(known, cell, disputed) for cell in chosen))


def nearest_as_csv(known: Baselines, found: Sequence[Neighbourhood], disputed: Disputed) -> str:
    """One row per score of a run and published score of its task and metric, the nearest first."""
    rows = (
        {
            **{name: read(each, one) for name, read in _OF_NEIGHBOUR.items()},
            **_score_row(known, one.score, disputed),
        }
        for each in found
        for one in each.neighbours
    )
    return _written((*_OF_NEIGHBOUR, *_SCORE_HEADS), rows)


def _beside(one: Neighbour) -> dict[str, Any]:
    return {
        "same_model": one.same_model,
        "differs": [
            {"part": part.name, "run": part.ours, "source": part.theirs, "words": part.difference}
            for part in one.differs
        ],
        "in_words": {part.name: part.theirs for part in one.described},
        "unstated": {
            "source": [part.name for part in one.silent],
            "run": [part.name for part in one.open],
        },
        "distance": one.distance,
    }


def _score_row(known: Baselines, cell: PublishedScore, disputed: Disputed) -> dict[str, Cell]:
    source = known.sources[cell.source]
    said = record(cell, conflict=cell in disputed)
    flat = {
        **said["protocol"],
        **said,
        "protocol_note": cell.protocol.note,
        "subset": "; ".join(f"{name}={value}" for name, value in cell.subset.items()),
        "k_least": cell.ks[0],
        "k_most": cell.ks[1],
        "conflict": _yes(said["conflict"]),
        "date": source.date,
        "title": source.title,
        "url": source.url,
    }
    return {name: flat[name] for name in _SCORE_HEADS}


def _yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def _written(heads: Sequence[str], rows: Iterable[Mapping[str, Cell]]) -> str:
    """CSV that holds one line per row, and nothing that a spreadsheet would compute."""
    text = io.StringIO()
    writer = csv.DictWriter(text, heads, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return text.getvalue()


def _harmless(value: Cell) -> Cell:
    """A text on one line, with a ' in front where a spreadsheet would compute it."""
    if not isinstance(value, str):
        return value
    line = " ".join(value.split())
    return f"'{line}" if line.startswith(_FORMULA) else line
