"""A paper's table in words: the grid with its verdicts, what they rest on, and one record per cell."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.reports.baselines.loader import PublishedScore, conflicts
from harness.reports.baselines.protocol_differences import unstated
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

    `style` is the verdict as one word of a style sheet.
    """

    lines: tuple[str, ...]
    ours: bool = False
    best: bool = False
    style: str = ""


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
    headings = table.layout.headings
    doubtful = {cell for group in conflicts(table.published) for cell in group}
    slots = [[_slot(entry, line.run, doubtful) for entry in line.entries] for line in table.lines]
    names = [_label(line) for line in table.lines]
    if transposed:
        areas = [h.area if i == 0 or headings[i - 1].area != h.area else ""
                 for i, h in enumerate(headings)]  # fmt: skip
        rows = [
            GridRow((area, f"{h.group} ({h.label})"), tuple(column))
            for area, h, column in zip(areas, headings, zip(*slots, strict=True), strict=True)
        ]
        heads: tuple[tuple[Head, ...], ...] = (
            (Head(""), Head("Benchmark (metric)"), *map(Head, names)),
        )
        return Grid(heads, 2, tuple(rows))
    groups = [Head(name, len(list(found))) for name, found in groupby(h.group for h in headings)]
    rows = [
        GridRow((name,), tuple(row), ours=line.run is not None)
        for name, row, line in zip(names, slots, table.lines, strict=True)
    ]
    last = (Head("Model"), *(Head(heading.label) for heading in headings))
    return Grid(((Head(""), *groups), last), 1, tuple(rows))


def verdict_table(table: PaperTable) -> Table:
    """One row per figure that a run was held against."""
    rows = [
        Row(
            (
                line.run or "",
                entry.heading.text,
                f"{score_text(entry.score)}\n{n_text(entry.score)}" if entry.score else "–",
                _published_text(entry),
                _difference_text(verdict),
                verdict_text(verdict),
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
    nothing = "No run is of a model in this table; harness report --as RUN=MODEL says which it is."
    return Table("Verdicts", columns, tuple(rows), notes=() if rows else (nothing,))


def verdict_text(verdict: CellVerdict) -> str:
    """The verdict in full: underpowered: the interval reaches ±4.1 points; k = 31 would do."""
    if verdict.word == "underpowered":
        do = f"; k = {verdict.k_needed:,} would do" if verdict.k_needed else ""
        return f"underpowered: {verdict.why}{do}"
    return verdict.word + f": {verdict.why}" * (verdict.word == "not comparable")


def records(table: PaperTable) -> list[dict[str, Any]]:
    """One record per cell and run; shares from 0 to 1, `published` as printed for ratings."""
    held = {(e.cell.subject) for _, e, _ in judged(table) if e.cell}
    rows = []
    for line in table.lines:
        for entry in line.entries:
            alone = line.run is None and entry.cell and entry.cell.subject not in held
            if alone or entry.score or entry.verdict:
                rows.append(_record(line, entry))
    return rows


def _record(line: Line, entry: Entry) -> dict[str, Any]:
    cell, score, verdict = entry.cell, entry.score, entry.verdict
    return {
        "model": line.model,
        "task": entry.heading.task,
        "metric": entry.heading.metric,
        "published": cell.value if cell else None,
        "published_k": cell.k if cell else None,
        "source": f"{cell.source} {cell.printed}" if cell else None,
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


def _label(line: Line) -> str:
    if line.run is None:
        return line.model
    return f"↳ {line.run}" if line.known else f"{line.run} ({line.model})"


def _slot(entry: Entry, run: str | None, doubtful: set[PublishedScore]) -> Slot:
    if run is not None and entry.result is None:
        return Slot(("",), ours=True)
    if entry.result is None:
        if entry.cell is None:
            return Slot(("–",))
        marks = " †" * (entry.cell in doubtful) + " ‡" * entry.borrowed
        return Slot((entry.cell.text + marks,), best=entry.best)
    verdict, n = entry.verdict, n_text(entry.score) if entry.score else ""
    word = verdict.word if verdict else "another protocol" * bool(entry.differences)
    lines = [score_text(entry.score) if entry.score else "–", ", ".join(filter(None, (word, n)))]
    if verdict and verdict.low is not None:
        lines.append(_difference_text(verdict))
    if verdict and verdict.k_needed:
        lines.append(f"k = {verdict.k_needed:,} would do")
    style = _style(verdict) if verdict else ""
    return Slot(tuple(filter(None, lines)), ours=True, best=entry.best, style=style)


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
    if entry.cell is None or entry.verdict is None:
        return ""
    return entry.cell.text
