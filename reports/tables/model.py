"""The one table of reports, as rows of text: page, Markdown, LaTeX and terminal draw the same one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Role = Literal["name", "number", "text"]


@dataclass(frozen=True, slots=True)
class Column:
    """The head of a column and what stands in it; a detail is left out where room is short.

    `most` is how many characters of a cell a listing in a terminal shows, None for all.
    """

    head: str
    role: Role = "number"
    detail: bool = False
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One row. `kind` is a style: run, same, conflict, weak, differs or none; `bar` 0 to 1."""

    cells: tuple[str, ...]
    kind: str = ""
    bar: float | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; without rows only its lines of text are shown.

    `alerts` are what a reader must know before believing a row, `notes` explain the rest.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    alerts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
