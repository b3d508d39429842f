"""A report as one HTML page, as Markdown, as JSON, or in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from harness.reports.choice_orders import orders_rows
from harness.reports.costs import costs_json
from harness.reports.documents import check_format, markdown_page
from harness.reports.results import scores_json
from harness.reports.tables.terminal import print_notes, print_without_notes
from harness.storage.files import write_text

from .build import Report
from .chunks import Chunks
from .html import page_parts, render_html

if TYPE_CHECKING:
    from rich.console import Console


def render_markdown(report: Report) -> str:
    """The same tables, GitHub-flavoured."""
    return markdown_page("report.md.jinja", report=report)


def render_json(report: Report) -> str:
    """The scores and the costs, for scripts."""
    return orjson.dumps(
        {
            **scores_json(report.results),
            **orders_rows(report.results),
            **costs_json(report.results),
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    ).decode()


FORMATS: dict[str, Callable[[Report], str]] = {
    ".html": render_html,
    ".md": render_markdown,
    ".json": render_json,
}


def write_report(report: Report, path: Path) -> None:
    """Write a report in the format that the file's ending names.

    A page whose texts are too many for one file gets a folder beside it: r.html and r_files/.
    """
    check_format(path, FORMATS)
    suffix = path.suffix.lower()
    if suffix != ".html":
        write_text(path, FORMATS[suffix](report))
        return
    chunks = Chunks(path.with_name(f"{path.stem}_files"))
    write_text(path, page_parts(report, chunks))
    chunks.finish()


def print_report(report: Report, console: Console) -> None:
    """The tables that a terminal has room for, task by task; a note is printed once, at the end."""
    notes: dict[str, None] = {}
    for section in report.sections:
        console.rule(section.task, align="left")
        levels = (section.levels,) if section.levels.rows else ()
        tables = (section.summary, section.outcomes, *levels, section.beside, section.costs)
        notes |= print_without_notes(tables, console)
    print_notes(notes, console)
