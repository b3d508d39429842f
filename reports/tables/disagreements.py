"""Published scores that sources disagree on, each source's value and protocol side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.reports.baselines.scores import Baselines, PublishedScore

from .blocks import Block, Entry, Listing
from .model import Column
from .published_text import (
    apart,
    apart_text,
    k_text,
    kind_text,
    shared_facts,
    subset_text,
)

_COLUMNS = (
    Column("Score"),
    Column("k"),
    Column("Date", "name"),
    Column("Source", "name"),
    Column("Where", "name", detail=True),
)


def disagreements(
    known: Baselines,
    chosen: Iterable[PublishedScore],
    disputed: Sequence[Sequence[PublishedScore]],
    most: int | None = None,
) -> Listing:
    """Each score that sources disagree on in a block, the furthest apart first.

    Args:
        known: the sources.
        chosen: the scores asked for; a group is shown whole where one of its scores is among them.
        disputed: the groups among all scores that sources disagree on.
        most: how many of them a terminal shows, None for all.
    """
    asked = set(chosen)
    groups = [group for group in disputed if not asked.isdisjoint(group)]
    groups.sort(key=lambda group: (group[0].unit != "share", -apart(group)))
    n = len(groups)
    return Listing(
        f"Sources disagree on {n} score{'s' * (n != 1)}, the furthest apart first",
        _COLUMNS,
        tuple(_block(known, group) for group in groups),
        ("Model", "Task", "Metric"),
        most=most,
        more="--disagreements lists all of them",
    )


def _block(known: Baselines, group: Sequence[PublishedScore]) -> Block:
    first = group[0]
    shared, own = shared_facts(group)
    low, *_, high = sorted(group, key=lambda cell: cell.value)
    about = ", ".join(filter(None, (f"{first.task} {first.metric}", subset_text(first))))
    entries = [
        Entry(
            (
                cell.text,
                k_text(cell),
                known.sources[cell.source].date or "–",
                cell.source,
                cell.printed,
            ),
            tuple(filter(None, (kind_text(cell), *said))),
            "quoted" * (cell.kind == "quoted"),
        )
        for cell, said in zip(group, own, strict=True)
    ]
    heading = (
        f"{first.model}, {about}: {low.text} to {high.text}, sources {apart_text(group)} apart"
    )
    return Block(
        heading,
        shared,
        tuple(entries),
        (first.model, first.task, first.metric),
    )
