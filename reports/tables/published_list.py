"""Published scores alone, newest first: how much there is, and the scores in a block per source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby

from harness.reports.baselines.scores import Baselines, PublishedScore

from .blocks import Block, Entry, Listing
from .model import Column
from .published_text import k_text, kind_text, shared_facts, subset_text

_METRIC = 12  # characters of a metric's name in its column
_TITLE = 50  # characters of a source's title in the overview
_FEW = 3  # sources up to which each block has its source's address
_HOW = (
    "--task, --model, --metric, --source and --since list scores, --all every one, --disagreements "
    "those that sources disagree on; --csv and --json print them with every detail."
)
_LEGEND = {
    "†": "† sources disagree, see below.",
    "quoted": "quoted: taken over from another source, no measurement of its own.",
    "again": "measured again: by others than the model's makers.",
    "–": "k, samples per problem: – where the source does not state it.",
}


def overview(
    known: Baselines,
    chosen: Sequence[PublishedScore],
    disputed: Sequence[Sequence[PublishedScore]],
) -> list[Listing]:
    """How many scores there are by task and by source.

    Args:
        known: the sources.
        chosen: the scores, those of one source together and in the order in which sources are listed.
        disputed: the groups among all scores that sources disagree on.
    """
    doubtful = {cell for group in disputed for cell in group}
    counts = (Column("Scores"), Column("Quoted"), Column("Models"))
    disputes = Counter(cell.task for cell in chosen if cell in doubtful)
    by_task = sorted(_grouped(chosen, "task").items(), key=lambda item: -len(item[1]))
    tasks = tuple(
        Entry((task, *_counts(found), _different(found, "source"), str(disputes[task]),
               _dates(known, found)))
        for task, found in by_task
    )  # fmt: skip
    by_source = _grouped(chosen, "source")
    sources = tuple(
        Entry((known.sources[name].date or "–", name, *_counts(by_source[name]),
               _different(by_source[name], "task"), _shortened(known.sources[name].title)))
        for name in by_source
    )  # fmt: skip
    task_columns = (Column("Task", "name"), *counts, Column("Sources"), Column("Disputed"),
                    Column("Dates", "name"))  # fmt: skip
    source_columns = (Column("Date", "name"), Column("Source", "name"), *counts,
                      Column("Tasks"), Column("Title", "name", detail=True))  # fmt: skip
    return [
        Listing(f"{len(chosen):,} published scores by task", task_columns,
                (Block("", (), tasks),)),
        Listing("By source, newest first", source_columns, (Block("", (), sources),),
                notes=(_HOW,)),
    ]  # fmt: skip


def listing(
    known: Baselines,
    chosen: Sequence[PublishedScore],
    disputed: Sequence[Sequence[PublishedScore]],
) -> Listing:
    """Scores in a block per source. What a source states for all of its scores is in the heading.

    Args:
        known: the sources.
        chosen: the scores, those of one source together.
        disputed: the groups among all scores that sources disagree on.
    """
    doubtful = {cell for group in disputed for cell in group}
    sources = dict.fromkeys(cell.source for cell in chosen)
    several = {
        name: len({getattr(cell, name) for cell in chosen}) > 1 for name in ("task", "metric")
    }
    columns = (
        Column("Model", "name"),
        *[Column("Task", "name")] * several["task"],
        *[Column("Metric", "name", most=_METRIC)] * several["metric"],
        Column("Score"),
        Column("", "name"),
        Column("k"),
        Column("Problems", detail=True),
        Column("Where", "name", detail=True),
    )
    blocks = []
    for name, group in groupby(chosen, key=lambda cell: cell.source):
        found = list(group)
        source, (shared, own) = known.sources[name], shared_facts(found)
        address = f", {source.url}" if source.url and len(sources) <= _FEW else ""
        entries = [
            _entry(cell, said, several, disputed=cell in doubtful)
            for cell, said in zip(found, own, strict=True)
        ]
        heading = f"{source.date or 'no date'}  {name}: {source.title}{address}"
        blocks.append(Block(heading, shared, tuple(entries), (source.date or "–", name)))
    title = _title(chosen, len(sources), several)
    return Listing(title, columns, tuple(blocks), ("Date", "Source"), _legend(chosen, doubtful))


def _entry(
    cell: PublishedScore, said: Sequence[str], several: Mapping[str, bool], *, disputed: bool
) -> Entry:
    cells = (
        cell.model,
        *(getattr(cell, name) for name in several if several[name]),
        cell.text,
        "†" * disputed,
        k_text(cell),
        str(cell.n or "–"),
        cell.printed,
    )
    details = (kind_text(cell), subset_text(cell), *said)
    return Entry(cells, tuple(filter(None, details)), "quoted" * (cell.kind == "quoted"))


def _title(chosen: Sequence[PublishedScore], n_sources: int, several: Mapping[str, bool]) -> str:
    models = len({cell.model for cell in chosen})
    of = "".join(f" {getattr(chosen[0], name)}" for name in several if not several[name])
    return (
        f"{len(chosen):,} published{of} score{'s' * (len(chosen) != 1)} of {models} "
        f"model{'s' * (models != 1)} from {n_sources} source{'s' * (n_sources != 1)}, newest first"
    )


def _legend(chosen: Sequence[PublishedScore], doubtful: set[PublishedScore]) -> tuple[str, ...]:
    kinds = {cell.kind for cell in chosen}
    said = {
        "†": not doubtful.isdisjoint(chosen),
        "quoted": "quoted" in kinds,
        "again": "reproduction" in kinds,
        "–": any("–" in k_text(cell) for cell in chosen),
    }
    return (" ".join(_LEGEND[mark] for mark in said if said[mark]),)


def _grouped(scores: Sequence[PublishedScore], name: str) -> dict[str, list[PublishedScore]]:
    groups: dict[str, list[PublishedScore]] = {}
    for cell in scores:
        groups.setdefault(getattr(cell, name), []).append(cell)
    return groups


def _shortened(title: str) -> str:
    return title if len(title) <= _TITLE else title[: _TITLE - 2].rsplit(" ", 1)[0] + " …"


def _different(found: Sequence[PublishedScore], name: str) -> str:
    return str(len({getattr(cell, name) for cell in found}))


def _counts(found: Sequence[PublishedScore]) -> tuple[str, str, str]:
    """How many scores, quoted ones among them, and models."""
    quoted = sum(cell.kind == "quoted" for cell in found)
    return str(len(found)), str(quoted), _different(found, "model")


def _dates(known: Baselines, found: Sequence[PublishedScore]) -> str:
    """From the oldest to the newest source, by month."""
    dates = sorted({(known.sources[cell.source].date or "")[:7] for cell in found} - {""})
    return " to ".join(dict.fromkeys((dates[0], dates[-1]))) if dates else "–"
