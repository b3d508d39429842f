"""A paper's table with verdicts as a page, Markdown, LaTeX, JSON, or in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness

from . import latex
from .page import check_format, csp_hash, environment, print_table, write_text
from .paper import PaperTable
from .paper_text import Grid, alerts, grid, notes, records, verdict_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable


def render_html(table: PaperTable) -> str:
    """One self-contained page; its policy lets nothing run and nothing load."""
    templates = environment()
    sheets = ("style.css.jinja", "paper.css.jinja")
    style = "".join(templates.get_template(sheet).render() for sheet in sheets)
    return templates.get_template("paper.html.jinja").render(
        **_values(table), style=style, style_hash=csp_hash(style), version=harness.__version__
    )


def render_markdown(table: PaperTable) -> str:
    """GitHub-flavoured; it has one row of heads, so theirs are joined."""
    import re

    values = _values(table)
    text = (
        environment().get_template("paper.md.jinja").render(**values, heads=_flat(values["grid"]))
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_latex(table: PaperTable) -> str:
    """A document with one booktabs table in it."""
    return latex.render(**_values(table), lines=[*alerts(table), *notes(table)])


def render_json(table: PaperTable) -> str:
    """One record a cell; see `harness.reports.paper_text.records`."""
    import orjson

    document = {"table": table.layout.name, "margin": table.margin, "cells": records(table)}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


FORMATS: dict[str, Callable[[PaperTable], str]] = {
    ".html": render_html,
    ".md": render_markdown,
    ".tex": render_latex,
    ".json": render_json,
}


def write_paper_table(table: PaperTable, path: Path) -> None:
    """Write the table in the format that the file's ending names."""
    check_format(path, FORMATS)
    write_text(path, FORMATS[path.suffix.lower()](table))


def print_paper_table(table: PaperTable, console: Console) -> None:
    """The grid, with a row a model where the paper's own layout is too wide, then the verdicts."""
    own = table.layout.transposed
    drawn = _drawn(grid(table, transposed=own))
    if own and console.measure(drawn).maximum > console.width:
        drawn = _drawn(grid(table, transposed=False))
    console.print(f"{table.layout.title}. {table.layout.caption}", style="bold", highlight=False)
    console.print(drawn)
    console.print()
    print_table(verdict_table(table), console)
    console.print()
    for style, lines in (("yellow", alerts(table)), ("dim", notes(table))):
        for line in lines:
            console.print(line, style=style, markup=False, highlight=False)


def _drawn(shown: Grid) -> RichTable:
    """The values of the grid alone; text from runs is never read as markup."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for number, head in enumerate(_flat(shown)):
        name = number < shown.n_labels
        drawn.add_column(Text(head), justify="left" if name else "right", no_wrap=not name,
                         overflow="fold")  # fmt: skip
    for row in shown.rows:
        values = [
            Text(s.lines[0], "bold" if s.best else "cyan" if s.ours else "") for s in row.slots
        ]
        drawn.add_row(*map(Text, row.labels), *values)
    return drawn


def _flat(shown: Grid) -> list[str]:
    """One head a column: those above it and its own."""
    above = [head.text for head in shown.heads[0] for _ in range(head.span)]
    own = [head.text for head in shown.heads[-1]]
    if len(shown.heads) == 1:
        return own
    return [" ".join(filter(None, pair)) for pair in zip(above, own, strict=True)]


def _values(table: PaperTable) -> dict[str, Any]:
    """What every template draws."""
    return {
        "title": table.layout.title,
        "caption": table.layout.caption,
        "grid": grid(table, transposed=table.layout.transposed),
        "verdicts": verdict_table(table),
        "alerts": alerts(table),
        "notes": notes(table),
    }
