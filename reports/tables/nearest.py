"""The published scores whose stated protocol is nearest to a run's, with the parts that differ."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reports.baselines.nearness import Neighbour, Neighbourhood
from harness.reports.baselines.scores import Baselines
from harness.reports.format import n_text, value_text

from .blocks import Block, Entry, Listing
from .model import Column
from .published_text import k_text, kind_text

_COLUMNS = (
    Column("Model", "name"),
    Column("Score"),
    Column("k"),
    Column("Date", "name"),
    Column("Source", "name"),
    Column("Where", "name", detail=True),
)
_LEGEND = (
    "The run's own model (●) first; then the least difference, by how much each part moves scores; "
    "then the least that one of the two does not state. No value plays a part."
)


def nearest_listing(known: Baselines, found: Neighbourhood, most: int | None) -> Listing:
    """The nearest published scores of one score, with what tells their protocols apart.

    Args:
        known: the sources.
        found: the score and all published ones.
        most: how many are shown, None for all.
    """
    shown, score = found.neighbours[:most], found.score
    ours = f"{value_text(score.metric, score.value)} ({n_text(score)})"
    count = f"{len(shown)} of {len(found.neighbours)}" if most else f"{len(shown)}"
    title = (
        f"{found.result.run}, {found.result.task} {score.metric} {ours}: "
        f"{count} published score{'s' * (len(shown) != 1)}, the nearest protocol first"
    )
    block = Block("", (), tuple(_entry(known, one) for one in shown))
    return Listing(title, _COLUMNS, (block,), notes=(_LEGEND,))


def without_neighbours(found: Sequence[Neighbourhood], *, filtered: bool) -> list[str]:
    """What is said of the scores that nothing published is of, a line per task.

    Args:
        found: the scores of runs with their neighbours.
        filtered: whether these were chosen among fewer scores than there are.
    """
    which = " that passes the filters" if filtered else ""
    missing: dict[tuple[str, str], list[Neighbourhood]] = {}
    for one in found:
        if not one.neighbours:
            missing.setdefault((one.result.run, one.result.task), []).append(one)
    lines = []
    for (run, task), ones in missing.items():
        names = ", ".join(one.score.metric for one in ones)
        there = ", ".join(ones[0].metrics)
        lines.append(
            f"{run}, {task}: no published score{which} in {names}"
            + (f"; those of the task are in {there}." if there else ", nor in any other metric.")
        )
    return lines


def parts_text(one: Neighbour) -> tuple[str, ...]:
    """What differs between a run and a score, what its source leaves open, what the run does."""
    texts = (
        ("differs", [part.difference or "" for part in one.differs]),
        ("in words", [f"{part.name}: {part.theirs}" for part in one.described]),
        ("the run does not state", [f"{part.name} {part.theirs}" for part in one.open]),
        ("not stated", [part.name for part in one.silent]),
    )
    said = tuple(f"{what}: {', '.join(names)}" for what, names in texts if names)
    return said if one.differs else ("nothing stated differs", *said)


def _entry(known: Baselines, one: Neighbour) -> Entry:
    cell = one.score
    cells = (
        "● " * one.same_model + cell.model,
        cell.text,
        k_text(cell),
        known.sources[cell.source].date or "–",
        cell.source,
        cell.printed,
    )
    details = tuple(filter(None, (kind_text(cell), *parts_text(one))))
    kind = "same" if one.same_model else "quoted" * (cell.kind == "quoted")
    return Entry(cells, details, kind)
