"""A paper's table with verdicts as a page, Markdown, LaTeX, JSON, or in the terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

import harness
from harness.points import points_of
from harness.reports.documents import check_format, csp_hash, environment
from harness.reports.tables.terminal import print_table
from harness.storage.files import write_text

from . import latex
from .grid import PaperTable
from .notes import LEGEND, alerts, notes
from .text import Grid, Head, grid, records, verdict_table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

_NAME = 14  # characters that a name should have in the terminal, or models become rows
_SHORT = 8  # that it has at least
_APART = "≠ Not comparable with what its column or row is headed: see the verdicts and notes."


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
    values = _values(table)
    text = (
        environment().get_template("paper.md.jinja").render(**values, heads=_flat(values["grid"]))
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def render_latex(table: PaperTable) -> str:
    """A document with one booktabs table in it."""
    return latex.render(
        **_values(table),
        landscape=table.layout.transposed,
        lines=[*alerts(table), *notes(table)],
    )


def render_json(table: PaperTable) -> str:
    """One record per cell; see `harness.reports.paper.text.records`."""
    document = {"table": table.layout.name, "margin_points": points_of(table.margin),
                "cells": records(table)}  # fmt: skip
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
    """The grid, with a row per model where the paper's own layout is too wide, then the verdicts.

    A grid that is too wide either way is drawn in parts, one below the other.
    """
    shown = grid(table, transposed=table.layout.transposed)
    if table.layout.transposed and _room(shown, console.width) < _NAME:
        shown = grid(table, transposed=False)
    title = f"{table.layout.title}. {table.layout.caption}".rstrip()
    console.print(title, style="bold", markup=False, highlight=False)
    for number, part in enumerate(_parts(shown, console.width)):
        if number:
            console.print()
        console.print(_drawn(part, console.width))
    console.print()
    print_table(verdict_table(table), console)
    console.print()
    apart = any(place.apart for row in shown.rows for place in row.slots)
    legend = [LEGEND, *[_APART] * apart, *notes(table)]
    for style, lines in (("yellow", alerts(table)), ("dim", legend)):
        for line in lines:
            console.print(line, style=style, markup=False, highlight=False)


def _drawn(shown: Grid, width: int) -> RichTable:
    """The values of the grid alone, names broken at hyphens to leave the values whole."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    room = max(_SHORT, _room(shown, width))
    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, padding=0)
    heads = [head.split() for head in _flat(shown)]
    for number, words in enumerate(heads):
        name = number < shown.n_labels
        text = " ".join(words) if name else "\n".join(words)
        drawn.add_column(Text(text), justify="left" if name else "right", no_wrap=not name)
    for row in shown.rows:
        labels = [Text(textwrap.fill(label, room)) for label in row.labels]
        places = [
            Text(place.short, "bold" if place.best else "cyan" if place.ours else "")
            for place in row.slots
        ]
        drawn.add_row(*labels, *places)
    return drawn


def _room(shown: Grid, width: int) -> int:
    """The characters left for each column of names beside columns that hold their values whole."""
    return (width - sum(_widths(shown))) // shown.n_labels - (shown.n_labels - 1)


def _widths(shown: Grid) -> list[int]:
    """What each column of values takes, with the space before it."""
    heads = _flat(shown)[shown.n_labels :]
    columns = zip(*(row.slots for row in shown.rows), strict=True)
    return [
        1 + max(map(len, [*head.split(), *(place.short for place in column)]))
        for head, column in zip(heads, columns, strict=True)
    ]


def _parts(shown: Grid, width: int) -> list[Grid]:
    """The grid, or as many columns of it at a time as leave room for the names."""
    if _room(shown, width) >= _SHORT:
        return [shown]
    room = width - shown.n_labels * (_NAME + 1)
    starts, taken = [0], 0
    for number, needed in enumerate(_widths(shown)):
        if taken + needed > room and number > starts[-1]:
            starts.append(number)
            taken = 0
        taken += needed
    heads = [Head(text) for text in _flat(shown)]
    labels, columns = tuple(heads[: shown.n_labels]), heads[shown.n_labels :]
    return [
        Grid(
            ((*labels, *columns[start:end]),),
            shown.n_labels,
            tuple(replace(row, slots=row.slots[start:end]) for row in shown.rows),
        )
        for start, end in pairwise([*starts, len(columns)])
    ]


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
        "legend": LEGEND,
        "alerts": alerts(table),
        "notes": notes(table),
    }
