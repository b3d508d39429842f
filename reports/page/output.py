"""A report as one HTML page, as Markdown, as JSON, or in the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from harness.errors import UsageError
from harness.reports.baselines.loader import Cell
from harness.reports.figures.style import Plot
from harness.reports.results import Rate, Result, by_task, scores_json
from harness.reports.tables.protocol import protocol_table, runs_table
from harness.reports.tables.published import beside
from harness.reports.tables.summary import Table, breakdowns, outcomes, problems, summary
from harness.storage.files import write_text
from harness.types import Verdict

from .build import render_html
from .chunks import Chunks
from .templating import markdown_page

if TYPE_CHECKING:
    from rich.console import Console

_WIDE = 100  # columns of a terminal from which on details are shown


@dataclass(frozen=True, slots=True)
class Part:
    """One verdict's stretch of a bar, start and share between 0 and 1."""

    verdict: Verdict
    start: float
    share: float


@dataclass(frozen=True, slots=True)
class Mix:
    """How the samples of one run ended."""

    run: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One problem in a strip: its pass rate in words, and as a level r0 to r4 (rx: none)."""

    text: str
    level: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Every problem of a task, for one run."""

    run: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One task."""

    task: str
    summary: Table
    beside: Table
    outcomes: Table
    breakdown: Table
    problems: Table
    protocol: Table
    mixes: tuple[Mix, ...]
    strips: tuple[Strip, ...]
    figures: tuple[Plot, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables in reading order."""
        groups = (self.breakdown,) if self.breakdown.rows else ()
        return self.beside, self.outcomes, *groups, self.problems, self.protocol


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown."""

    title: str
    models: tuple[str, ...]
    warnings: tuple[str, ...]
    summary: Table
    sections: tuple[Section, ...]
    runs: Table
    results: tuple[Result, ...]
    show_masked: bool = False
    home: str | None = None


def build(
    results: Sequence[Result],
    cells: Sequence[Cell],
    *,
    show_masked: bool = False,
    figures: Mapping[str, Sequence[Plot]] | None = None,
    home: str | None = None,
) -> Report:
    """Lay out a report.

    Args:
        results: what was read from the run folders.
        cells: the baselines to set beside them.
        show_masked: show statements and answers of tasks that ask to hide them.
        figures: by task, those to draw on the page.
        home: address of the page that lists all runs, where there is one.
    """
    drawn = figures or {}
    groups = by_task(results)
    return Report(
        title=", ".join(dict.fromkeys(result.run for result in results)),
        models=tuple(dict.fromkeys(result.model for result in results)),
        warnings=tuple(f"{r.task}, {r.run}: {r.status}." for r in results if not r.complete),
        summary=summary(groups),
        sections=tuple(
            replace(
                _section(group, cells, show_masked),
                figures=tuple(plot for plot in drawn.get(task, ()) if plot.on_page),
            )
            for task, group in groups.items()
        ),
        runs=runs_table(results),
        results=tuple(results),
        show_masked=show_masked,
        home=home,
    )


def render_markdown(report: Report) -> str:
    """The same tables, GitHub-flavoured."""
    return markdown_page("report.md.jinja", report=report)


def render_tables(title: str, tables: Sequence[Table]) -> str:
    """Tables that are no report of runs, as Markdown under one heading."""
    return markdown_page("tables.md.jinja", title=title, tables=tables)


def render_json(report: Report) -> str:
    """The scores alone, for scripts."""
    return orjson.dumps(
        scores_json(report.results), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    ).decode()


FORMATS: dict[str, Callable[[Report], str]] = {
    ".html": render_html,
    ".md": render_markdown,
    ".json": render_json,
}


def check_format(path: Path, formats: Iterable[str] = FORMATS) -> None:
    """Refuse a file name whose ending stands for no format, before any work is done."""
    if path.suffix.lower() not in formats:
        table_only = " (.tex with --table)" * (path.suffix.lower() == ".tex")
        raise UsageError(
            f"-o {path}: cannot write {path.suffix or 'a file without an ending'}; "
            f"supported: {', '.join(formats)}{table_only}"
        )


def write_report(report: Report, path: Path) -> None:
    """Write a report in the format that the file's ending names.

    A page whose texts are too many for one file gets a folder beside it: r.html and r_files/.
    """
    check_format(path)
    suffix = path.suffix.lower()
    chunks = Chunks(path.with_name(f"{path.stem}_files")) if suffix == ".html" else None
    write_text(path, render_html(report, chunks) if chunks else FORMATS[suffix](report))
    if chunks:
        chunks.finish()


def print_report(report: Report, console: Console) -> None:
    """The tables that a terminal has room for, task by task; a note is printed once, at the end."""
    notes: dict[str, None] = {}
    for section in report.sections:
        console.rule(section.task, align="left")
        notes |= _print_without_notes((section.summary, section.outcomes, section.beside), console)
    _print_notes(notes, console)


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Tables one after another; a note that several share is printed once, at the end."""
    _print_notes(_print_without_notes(tables, console), console)


def _print_without_notes(tables: Sequence[Table], console: Console) -> dict[str, None]:
    """Print tables and return the notes of those that have rows."""
    notes: dict[str, None] = {}
    for table in tables:
        shared = table.notes if table.rows else ()
        print_table(replace(table, notes=() if shared else table.notes), console)
        notes.update(dict.fromkeys(shared))
        console.print()
    return notes


def _print_notes(notes: Iterable[str], console: Console) -> None:
    for note in notes:
        console.print(note, style="dim", markup=False, highlight=False)


def print_table(table: Table, console: Console) -> None:
    """One table through rich; text from runs is never read as markup."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = [
        (number, column)
        for number, column in enumerate(table.columns)
        if console.width >= _WIDE or not column.detail
    ]
    if table.rows:
        drawn = RichTable(
            title=Text(table.title, "bold"),
            title_justify="left",
            box=box.SIMPLE_HEAD,
            show_edge=False,
            padding=(0, int(console.width >= _WIDE), 0, 0),
        )
        for _, column in columns:
            drawn.add_column(
                column.head,
                justify="right" if column.role == "number" else "left",
                no_wrap=column.role != "text",
            )
        for row in table.rows:
            cells = [Text(row.cells[number]) for number, _ in columns]
            drawn.add_row(*cells, style="bold" if row.kind == "run" else None)
        console.print(drawn)
    for style, lines in (("yellow", table.alerts), ("dim", table.notes)):
        for line in lines:
            console.print(Text(line, style))


def _section(group: Sequence[Result], cells: Sequence[Cell], show_masked: bool) -> Section:
    return Section(
        task=group[0].task,
        summary=summary({group[0].task: group}),
        beside=beside(group, cells),
        outcomes=outcomes(group),
        breakdown=breakdowns(group),
        problems=problems(group, show_masked=show_masked),
        protocol=protocol_table(group),
        mixes=tuple(Mix(r.run, tuple(_parts(r))) for r in group if r.scored and r.scored.verdicts),
        strips=tuple(Strip(r.run, tuple(_marks(r))) for r in group if r.rates),
    )


def _parts(result: Result) -> Iterator[Part]:
    verdicts = result.scored.verdicts if result.scored else {}
    total, start = sum(verdicts.values()), 0.0
    for verdict in Verdict:
        share = verdicts.get(verdict, 0) / total
        if share:
            yield Part(verdict, start, share)
        start += share


def _marks(result: Result) -> Iterator[Mark]:
    for id in result.problems:
        rate = result.rates.get(id)
        yield (
            Mark(f"{id}: no graded sample", "rx")
            if rate is None
            else Mark(f"{id}: {rate.correct} of {rate.graded}", f"r{_level(rate)}")
        )


def _level(rate: Rate) -> int:
    """0 for none right, 4 for all right, 1 to 3 by thirds between."""
    if rate.correct in (0, rate.graded):
        return 4 if rate.correct else 0
    return 1 + int(rate.share * 3)
