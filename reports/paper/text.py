"""A paper's table in words: the grid with its verdicts, what they rest on, and one record per cell."""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.reports.baselines.conflicts import conflicts
from harness.reports.baselines.protocol_differences import unstated
from harness.reports.baselines.scores import PublishedScore
from harness.reports.baselines.verdict import CellVerdict
from harness.reports.choice_orders import orders_json
from harness.reports.format import n_text, score_text, signed_points
from harness.reports.tables.model import Column, Row, Table

from .grid import Entry, Line, PaperTable


@dataclass(frozen=True, slots=True)
class Head:
    """A heading over `span` columns."""

    text: str
    span: int = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of the grid: lines of text, the value first. `ours` marks a run's.

    `style` is the verdict as one word of a style sheet. `apart`: a run's value that is not
    comparable with the figures of its heading.
    """

    lines: tuple[str, ...]
    ours: bool = False
    best: bool = False
    style: str = ""
    apart: bool = False

    @property
    def short(self) -> str:
        """The value on its own, marked where the lines below it would say that it stands apart."""
        return self.lines[0] + " ≠" * self.apart


@dataclass(frozen=True, slots=True)
class GridRow:
    """One row: what it is called (one or two columns), and its places."""

    labels: tuple[str, ...]
    slots: tuple[Slot, ...]
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """The table as it is drawn; the last row of heads names every column."""

    heads: tuple[tuple[Head, ...], ...]
    n_labels: int
    rows: tuple[GridRow, ...]


def grid(table: PaperTable, *, transposed: bool) -> Grid:
    """The paper's layout, or the same with a row per model where `transposed` is not its own."""
    doubtful = {cell for group in conflicts(table.published) for cell in group}
    slots = [[_slot(entry, line.run, doubtful) for entry in line.entries] for line in table.lines]
    return _by_benchmark(table, slots) if transposed else _by_model(table, slots)


def _by_model(table: PaperTable, slots: Sequence[Sequence[Slot]]) -> Grid:
    headings = table.layout.headings
    groups = [Head(name, len(list(found))) for name, found in groupby(h.group for h in headings)]
    rows = [
        GridRow((_label(line, whole=True),), tuple(row), ours=line.run is not None)
        for row, line in zip(slots, table.lines, strict=True)
    ]
    last = (Head("Model"), *(Head(heading.label) for heading in headings))
    return Grid(((Head(""), *groups), last), 1, tuple(rows))


def _by_benchmark(table: PaperTable, slots: Sequence[Sequence[Slot]]) -> Grid:
    """With the areas before the benchmarks and the groups of models above them, where there are any."""
    headings = table.layout.headings
    named = any(heading.area for heading in headings)
    rows = []
    for i, (heading, column) in enumerate(zip(headings, zip(*slots, strict=True), strict=True)):
        first = i == 0 or headings[i - 1].area != heading.area
        area = (heading.area if first else "",) * named
        rows.append(GridRow((*area, f"{heading.group} ({heading.label})"), tuple(column)))
    groups = [line.row.group if line.row else "" for line in table.lines]
    names = [Head(_label(line, whole=not any(groups))) for line in table.lines]
    heads = [(*(Head(""),) * named, Head("Benchmark (metric)"), *names)]
    if any(groups):
        above = [(name, len(list(found))) for name, found in groupby(groups)]
        spans = [
            head for name, n in above for head in ([Head(name, n)] if name else [Head("")] * n)
        ]
        heads.insert(0, (*(Head(""),) * (1 + named), *spans))
    return Grid(tuple(heads), 1 + named, tuple(rows))


def verdict_table(table: PaperTable) -> Table:
    """One row per figure that a run was held against."""
    rows = [
        Row(
            (
                line.run or "",
                entry.heading.text,
                f"{_ours_text(entry)}\n{n_text(entry.score)}" if entry.score else "–",
                _published_text(entry),
                _difference_text(verdict),
                _in_full(verdict),
            ),
            _style(verdict),
        )
        for line, entry, verdict in judged(table)
    ]
    columns = (
        Column("Run", "text"),
        Column("Figure", "text"),
        Column("Ours"),
        Column("Published"),
        Column("Difference [95 %]"),
        Column("Verdict", "text"),
    )
    nothing = "No run stands beside a figure of its own model."  # why, and what to do: notes.alerts
    return Table("Verdicts", columns, tuple(rows), notes=() if rows else (nothing,))


def _in_full(verdict: CellVerdict) -> str:
    """The verdict in full: underpowered: the interval reaches ±4.1 points; k = 31 would do."""
    if verdict.word == "underpowered":
        do = f"; k = {verdict.k_needed:,} would do" if verdict.k_needed else ""
        return f"underpowered: {verdict.why}{do}"
    return verdict.word + f": {verdict.why}" * (verdict.word == "not comparable")


def records(table: PaperTable) -> list[dict[str, Any]]:
    """One record per cell and run; shares from 0 to 1, `published` as printed for ratings."""
    held = {id(entry.figure) for _, entry, _ in judged(table)}
    rows = []
    for line in table.lines:
        for entry in line.entries:
            alone = line.run is None and entry.cell and id(entry.figure) not in held
            if alone or entry.score or entry.verdict:
                rows.append(_record(table, line, entry))
    return rows


def _record(table: PaperTable, line: Line, entry: Entry) -> dict[str, Any]:
    cell, score, verdict, heading = entry.cell, entry.score, entry.verdict, entry.heading
    selected = {**dict(line.row.protocol if line.row else ()), **dict(heading.protocol)}
    return {
        "model": line.model,
        "label": line.row.label if line.row else None,
        "task": heading.task,
        "metric": heading.metric,
        "subset": dict(heading.subset) or None,
        "protocol": selected or None,
        "published": cell.value if cell else None,
        "published_k": cell.k if cell else None,
        "source": f"{cell.source} {_place(table, cell)}" if cell else None,
        "kind": cell.kind if cell else None,
        "availability": cell.availability if cell else None,
        "run": line.run,
        "ours": score.value if score else None,
        "scoring": score.scoring if score else None,
        "se": score.se_sampling if score else None,
        "n": score.n if score else None,
        "n_problems": score.n_problems if score else None,
        "k": score.k if score else entry.result.k if entry.result else None,
        "verdict": verdict.word if verdict else None,
        "why": verdict.why if verdict else "; ".join(entry.differences) or None,
        "difference": verdict.difference if verdict else None,
        "low": verdict.low if verdict else None,
        "high": verdict.high if verdict else None,
        "imputed_k": verdict.imputed_k if verdict else None,
        "k_needed": verdict.k_needed if verdict else None,
        "unstated": _silent(entry),
        "choice_order": orders_json(entry.result) if entry.result else None,
    }


def _silent(entry: Entry) -> dict[str, list[str]] | None:
    if entry.result is None or entry.cell is None:
        return None
    return dict(zip(("source", "run"), unstated(entry.result, entry.cell), strict=True))


def _place(table: PaperTable, cell: PublishedScore) -> str:
    """Where a figure stands, of the table's places."""
    places = [place for place in table.layout.printed if cell.stands_in(place)]
    return places[0] if cell.source == table.layout.source and places else cell.printed


def _label(line: Line, *, whole: bool) -> str:
    """The name of a line; `whole` with what the paper prints above several of them."""
    if line.run is not None:
        return f"↳ {line.run}" if line.row else f"{line.run} ({line.model})"
    if line.row is None:
        return line.model
    return line.row.name if whole else line.row.label


def _slot(entry: Entry, run: str | None, doubtful: Container[PublishedScore]) -> Slot:
    if run is not None and entry.result is None:
        return Slot(("",), ours=True)
    if entry.result is None:
        if entry.figure is None:
            return Slot(("–",))
        cell = entry.figure.score
        marks = " †" * (cell in doubtful) + " ‡" * entry.borrowed + " §" * (cell.kind == "quoted")
        return Slot((entry.figure.text + marks,), best=entry.best)
    verdict, n = entry.verdict, n_text(entry.score) if entry.score else ""
    word = verdict.word if verdict else "another protocol" * bool(entry.differences)
    lines = [_ours_text(entry), ", ".join(filter(None, (word, n)))]
    if verdict and verdict.low is not None:
        lines.append(_difference_text(verdict))
    if verdict and verdict.k_needed:
        lines.append(f"k = {verdict.k_needed:,} would do")
    style = _style(verdict) if verdict else ""
    apart = entry.score is not None and word in ("not comparable", "another protocol")
    return Slot(tuple(filter(None, lines)), ours=True, best=entry.best, style=style, apart=apart)


def _ours_text(entry: Entry) -> str:
    """The run's score, with its metric where that is not the heading's."""
    if entry.score is None:
        return "–"
    named = entry.heading.ours != entry.heading.metric
    return f"{entry.score.metric} " * named + score_text(entry.score)


def _style(verdict: CellVerdict) -> str:
    return verdict.word.replace(" ", "-")


def judged(table: PaperTable) -> Iterator[tuple[Line, Entry, CellVerdict]]:
    """The entries that have a verdict."""
    for line in table.lines:
        for entry in line.entries:
            if entry.verdict is not None:
                yield line, entry, entry.verdict


def _difference_text(verdict: CellVerdict) -> str:
    if verdict.low is None or verdict.difference is None:
        return "–"
    return f"{signed_points(verdict.difference)} {_interval_text(verdict)}"


def _interval_text(verdict: CellVerdict) -> str:
    return f"[{signed_points(verdict.low or 0)}, {signed_points(verdict.high or 0)}]"


def _published_text(entry: Entry) -> str:
    return entry.figure.text if entry.figure else ""
