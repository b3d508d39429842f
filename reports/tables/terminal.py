"""Tables in the terminal, as wide as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .model import Table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

_WIDE = 100  # columns of a terminal from which on details are shown


def print_tables(tables: Sequence[Table], console: Console) -> None:
    """Tables one after another; a note that several share is printed once, at the end."""
    print_notes(print_without_notes(tables, console), console)


def print_without_notes(tables: Sequence[Table], console: Console) -> dict[str, None]:
    """Print tables and return the notes of those that have rows."""
    notes: dict[str, None] = {}
    for table in tables:
        shared = table.notes if table.rows else ()
        print_table(replace(table, notes=() if shared else table.notes), console)
        notes.update(dict.fromkeys(shared))
        console.print()
    return notes


def print_notes(notes: Iterable[str], console: Console) -> None:
    """Print notes as they stand, below what they explain."""
    for note in notes:
        console.print(note, style="dim", markup=False, highlight=False)


def print_table(table: Table, console: Console) -> None:
    """One table through rich, with its details where they fit.

    Text from runs is never read as markup.
    """
    from rich.text import Text

    if table.rows:
        wide = console.width >= _WIDE
        details = wide and _room(table) <= console.width
        console.print(_drawn(table, wide=wide, details=details))
    for style, lines in (("yellow", table.alerts), ("dim", table.notes)):
        for line in lines:
            console.print(Text(line, style))


def _room(table: Table) -> int:
    """Columns of a terminal that a table needs with its details; texts may fold between words."""
    from rich.cells import cell_len

    room = 0
    for number, column in enumerate(table.columns):
        texts = [column.head, *(row.cells[number] for row in table.rows)]
        if column.role == "text":
            texts = [word for text in texts for word in text.split()]
        room += 2 + max(map(cell_len, texts), default=0)
    return room


def _drawn(table: Table, *, wide: bool, details: bool) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    columns = [
        (number, column)
        for number, column in enumerate(table.columns)
        if details or not column.detail
    ]
    drawn = RichTable(
        title=Text(table.title, "bold"),
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, int(wide), 0, 0),
    )
    for _, column in columns:
        drawn.add_column(
            column.head,
            justify="right" if column.role == "number" else "left",
            no_wrap=column.role != "text",
            overflow="fold" if column.role == "text" else "ellipsis",
        )
    for row in table.rows:
        cells = [Text(row.cells[number]) for number, _ in columns]
        drawn.add_row(*cells, style="bold" if row.kind == "run" else None)
    return drawn
