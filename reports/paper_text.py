"""A paper's table in words: the grid with its verdicts, what they rest on, and one record a cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from .baselines import conflicts
from .beside import conflict_text, unstated
from .paper import Entry, Heading, Line, PaperTable
from .tables import Column, Row, Table, error_text, n_text, score_text, value_text
from .verdicts import CellVerdict, points


@dataclass(frozen=True, slots=True)
class Head:
    """A heading over `span` columns."""

    text: str
    span: int = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of the grid: lines of text, the value first. `ours` marks a run's."""

    lines: tuple[str, ...]
    ours: bool = False
    best: bool = False


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
    """The paper's layout, or the same with a row a model where `transposed` is not its own."""
    headings = table.layout.headings
    doubtful = {cell.subject for group in conflicts(table.cells) for cell in group}
    slots = [[_slot(entry, doubtful) for entry in line.entries] for line in table.lines]
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
    """One row a figure that a run was held against."""
    rows = [
        Row(
            (
                line.run or "",
                entry.heading.text,
                f"{score_text(entry.score)} ({n_text(entry.score)})" if entry.score else "–",
                _published_text(entry),
                "–" if verdict.low is None else points(verdict.difference or 0),
                "–" if verdict.low is None else _interval_text(verdict),
                verdict_text(verdict),
            ),
            verdict.word.replace(" ", "-"),
        )
        for line, entry, verdict in _judged(table)
    ]
    columns = (
        Column("Run", "text"),
        Column("Figure", "text"),
        Column("Ours"),
        Column("Published"),
        Column("Difference"),
        Column("95 % interval"),
        Column("Verdict", "text"),
    )
    nothing = "No run is of a model in this table; harness report --as RUN=MODEL says which it is."
    return Table("Verdicts", columns, tuple(rows), notes=() if rows else (nothing,))


def verdict_text(verdict: CellVerdict) -> str:
    """The verdict in full: underpowered: the interval reaches ±4.1 points; k = 31 would do."""
    if verdict.word == "underpowered":
        bound = "at most " * (verdict.low is None)
        do = f"; k = {bound}{verdict.k_needed:,} would do" if verdict.k_needed else ""
        return f"underpowered: {verdict.why}{do}"
    return verdict.word + f": {verdict.why}" * (verdict.word == "not comparable")


def alerts(table: PaperTable) -> list[str]:
    """What a reader must know before believing a value."""
    results = {e.result.run: e.result for line in table.lines for e in line.entries if e.result}
    every = [e.result for line in table.lines for e in line.entries if e.result]
    lines = list(dict.fromkeys(f"{r.task}, {r.run}: {r.status}." for r in every if not r.complete))
    lines += [f"{run} holds no task of this table." for run in table.absent]
    for line in table.lines:
        alone = [e for e in line.entries if e.score and e.cell is None]
        for entry in (entry for entry in alone if entry.differences):
            lines.append(
                f"{line.run}, {entry.heading.text}: not the exam of the table: "
                f"{'; '.join(entry.differences)}."
            )
    lines += [
        f"{run} ({result.model}) is no model of this table, so there is no verdict on it; "
        "--as RUN=MODEL names one."
        for run, result in results.items()
        if not any(result.is_of(line.model) for line in table.lines if line.run is None)
    ]
    subjects = {e.cell.subject for line in table.lines for e in line.entries if e.cell}
    disputed = [group for group in conflicts(table.cells) if group[0].subject in subjects]
    return lines + [f"† Sources disagree on {conflict_text(group)}." for group in disputed]


def notes(table: PaperTable) -> list[str]:
    """How values, errors and verdicts are to be read."""
    margin = f"{table.margin * 100:.1f}"
    borrowed = any(e.borrowed for line in table.lines for e in line.entries)
    layout = table.layout
    return [
        f"Published values: {layout.source} {layout.printed}, as printed.",
        *([f"‡ From {' '.join(layout.fallback)}."] if layout.fallback and borrowed else []),
        "Ours: value ± sampling error (the same problems again), n samples per problem. "
        "Differences and intervals are in points.",
        f"Verdicts: reproduced, the 95 % interval of the difference holds 0 and reaches {margin} "
        "points at most; differs, it excludes 0; underpowered, it holds 0 and is wider; not "
        "comparable, a part of the protocol that the source states is another one.",
        *_imputed(table),
        *_uncompared(table),
        *_availability(table),
        *_best(table),
    ]


def records(table: PaperTable) -> list[dict[str, Any]]:
    """One record a cell and run; shares from 0 to 1, `published` as printed for ratings."""
    held = {(e.cell.subject) for _, e, _ in _judged(table) if e.cell}
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
        "se": score.se_sampling if score else None,
        "n": score.n if score else None,
        "n_problems": score.n_problems if score else None,
        "k": score.k if score else entry.result.k if entry.result else None,
        "verdict": verdict.word if verdict else None,
        "why": verdict.why if verdict else "; ".join(entry.differences) or None,
        "difference": verdict.difference if verdict else None,
        "low": verdict.low if verdict else None,
        "high": verdict.high if verdict else None,
        "published_se": verdict.published_error if verdict else None,
        "imputed_k": verdict.published_k if verdict else None,
        "k_assumed": verdict.assumed_k if verdict else None,
        "k_needed": verdict.k_needed if verdict else None,
        "unstated": unstated(entry.result, cell) if entry.result and cell else None,
    }


def _label(line: Line) -> str:
    if line.run is None:
        return line.model
    known = any(entry.cell for entry in line.entries)
    return f"↳ {line.run}" if known else f"{line.run} ({line.model})"


def _slot(entry: Entry, doubtful: set[tuple[str, str, str]]) -> Slot:
    if entry.result is None:
        if entry.cell is None:
            return Slot(("–",))
        marks = " †" * (entry.cell.subject in doubtful) + " ‡" * entry.borrowed
        return Slot((value_text(entry.cell.metric, entry.cell.value) + marks,), best=entry.best)
    lines = [score_text(entry.score), n_text(entry.score)] if entry.score else ["–"]
    verdict = entry.verdict
    if verdict is None:
        lines += ["another exam"] * bool(entry.differences)
    elif verdict.low is None:
        lines.append(verdict.word)
    else:
        lines += [f"{verdict.word} {points(verdict.difference or 0)}", _interval_text(verdict)]
    if verdict and verdict.k_needed:
        lines.append(f"k = {verdict.k_needed:,} would do")
    return Slot(tuple(lines), ours=True, best=entry.best)


def _judged(table: PaperTable) -> Iterator[tuple[Line, Entry, CellVerdict]]:
    for line in table.lines:
        for entry in line.entries:
            if entry.verdict is not None:
                yield line, entry, entry.verdict


def _interval_text(verdict: CellVerdict) -> str:
    return f"[{points(verdict.low or 0)}, {points(verdict.high or 0)}]"


def _published_text(entry: Entry) -> str:
    if entry.cell is None or entry.verdict is None:
        return ""
    value = value_text(entry.cell.metric, entry.cell.value)
    return f"{value} {error_text(entry.cell.metric, entry.verdict.published_error)}".rstrip()


def _imputed(table: PaperTable) -> Iterator[str]:
    """Which figures' errors were imputed, and at which k."""
    by_k: dict[str, list[Heading]] = {}
    for line, entry, verdict in _judged(table):
        if verdict.published_error is not None:
            k = f"k = {verdict.published_k}"
            words = f"{k} of {line.run}, for want of a stated one" if verdict.assumed_k else k
            by_k.setdefault(words, []).append(entry.heading)
    if by_k:
        at = "; ".join(f"at {k}: {_headings(found)}" for k, found in by_k.items())
        yield (
            "Published figures come without errors. Theirs are imputed from the run's own "
            f"per-problem rates, with the rounding to a tenth of a point: {at}."
        )


def _uncompared(table: PaperTable) -> Iterator[str]:
    """The parts that a verdict could not look at."""
    silent: dict[tuple[str, str], list[Heading]] = {}
    for line, entry, _ in _judged(table):
        if entry.result and entry.cell and (parts := unstated(entry.result, entry.cell)):
            key = f"{entry.cell.source} and {line.run}", ", ".join(parts)
            silent.setdefault(key, []).append(entry.heading)
    for (pair, parts), found in silent.items():
        yield f"Not stated, so not compared between {pair}, {_headings(found)}: {parts}."


def _availability(table: PaperTable) -> Iterator[str]:
    """What not everyone can measure again: whole headings, and models beyond those."""
    for kind in ("data gated", "protocol not public"):
        whole, models = [], []
        for number, heading in enumerate(table.layout.headings):
            cells = [c for line in table.lines if not line.run and (c := line.entries[number].cell)]
            found = [cell.model for cell in cells if cell.availability == kind]
            if 2 * len(found) > len(cells):
                whole.append(heading)
            else:
                models += found
        names = [_headings(whole), *dict.fromkeys(models)]
        if any(names):
            yield f"{kind.capitalize()}: {', '.join(filter(None, names))}."


def _best(table: PaperTable) -> Iterator[str]:
    """What bold means, and why there is none in some columns."""
    yield (
        "Bold: the best value, where the 95 % interval of its lead over the next one excludes 0; "
        "published errors are imputed in the same way, and runs of another exam do not compete."
    )
    reasons: dict[str, list[Heading]] = {}
    for heading, why in table.undecided.items():
        reasons.setdefault(why, []).append(heading)
    for why, found in reasons.items():
        yield f"Nothing is bold under {_headings(found)}: {why}."


def _headings(found: Iterable[Heading]) -> str:
    return ", ".join(dict.fromkeys(heading.text for heading in found))
