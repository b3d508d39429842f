"""Rows in blocks under headings: lines for a terminal of any width, or one line per row for a pipe.

A `Table` gives every row of a column the same room. Published scores have long texts in some rows
only and share others, so here what a block's rows share stands in its heading, and the details of a
row wrap beside it. Pure.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import NamedTuple

from .model import Column

_WIDE = 120  # columns of a terminal from which on details are shown
_ROOMY = 100  # from which on two spaces stand between columns
_ROOM = 24  # columns that the details of a row need beside it; with fewer they stand below
_LONG = 24  # characters from which on a detail of several rows is said once, under a letter
_LEAST = 12  # characters of a cell that is cut
_INDENT = "  "


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: a cell per column of its listing, and what else there is to say of it.

    `kind` is a style: quoted, same or none.
    """

    cells: tuple[str, ...]
    details: tuple[str, ...] = ()
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows that share something.

    Args:
        heading: of the block, "" for none.
        facts: what holds for all of its rows.
        entries: the rows.
        keys: what a row says in a line of its own in place of the heading, such as the source.
    """

    heading: str
    facts: tuple[str, ...]
    entries: tuple[Entry, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Listing:
    """Blocks of the same columns.

    Args:
        title: above all.
        columns: of the entries' cells; a detail is left out where room is short.
        blocks: in their order.
        keys: heads of the blocks' keys.
        notes: below all.
        most: blocks that a terminal shows, None for all.
        more: how to see the others.
    """

    title: str
    columns: tuple[Column, ...]
    blocks: tuple[Block, ...]
    keys: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    most: int | None = None
    more: str = ""


class Line(NamedTuple):
    """A line of text with its style, in rich's words."""

    text: str
    style: str = ""


_STYLES = {"quoted": "dim", "same": "bold"}


def terminal_lines(listing: Listing, width: int) -> Iterator[Line]:
    """The listing in lines of at most `width` columns; a name that is cut stands whole behind it."""
    shown = _shown(listing, width)
    columns = [listing.columns[i] for i in shown]
    gap = "  " if width >= _ROOMY else " "
    widths = _narrowed(
        [
            max(
                len(column.head),
                *(len(entry.cells[i][: column.most]) for entry in _entries(listing)),
            )
            for i, column in zip(shown, columns, strict=True)
        ],
        [column.role == "name" for column in columns],
        width - len(_INDENT) - len(gap) * (len(columns) - 1),
    )

    def row(cells: Sequence[str]) -> str:
        return _INDENT + _row([*map(_cut, cells, widths)], widths, columns, gap)

    yield from _wrapped(listing.title, width, "bold")
    yield Line(row([column.head for column in columns]).rstrip(), "dim")
    for block in listing.blocks[: listing.most]:
        letters = _letters(block)
        yield from _heading_lines(block, letters, width)
        for entry in block.entries:
            cells = [entry.cells[i] for i in shown]
            cut = (cell for cell, most in zip(cells, widths, strict=True) if len(cell) > most)
            details = (*cut, *(letters.get(detail, detail) for detail in entry.details))
            yield from _beside(row(cells), "; ".join(details), _STYLES.get(entry.kind, ""), width)
    left = len(listing.blocks) - len(listing.blocks[: listing.most])
    notes = (f"{left} more: {listing.more}",) * bool(left) + listing.notes
    if notes:
        yield Line("")
    for note in notes:
        yield from _wrapped(note, width, "dim")


def _narrowed(widths: list[int], may: Sequence[bool], room: int) -> list[int]:
    """The widths of columns with the widest of those that may be cut narrowed until all fit."""
    while sum(widths) > room:
        at = max(range(len(widths)), key=lambda i: (may[i], widths[i]))
        if not may[at] or widths[at] <= _LEAST:
            break
        widths[at] -= 1
    return widths


def _cut(cell: str, width: int) -> str:
    return cell if len(cell) <= width else f"{cell[: width - 1]}…"


def _heading_lines(block: Block, letters: Mapping[str, str], width: int) -> Iterator[Line]:
    if block.heading:
        yield Line("")
        yield from _wrapped(block.heading, width, "bold", later=_INDENT)
    for fact in block.facts:
        yield from _wrapped(fact, width, "dim", first=_INDENT, later=_INDENT)
    for detail, letter in letters.items():
        said = f"{_INDENT}{letter} "
        yield from _wrapped(detail, width, "dim", first=said, later=" " * len(said))


def _shown(listing: Listing, width: int) -> list[int]:
    """The columns for which there is room, and of the details those that say something."""
    return [
        i
        for i, column in enumerate(listing.columns)
        if not column.detail
        or (width >= _WIDE and any(entry.cells[i] not in ("", "–") for entry in _entries(listing)))
    ]


def _letters(block: Block) -> dict[str, str]:
    """A letter for each long detail that several rows under a heading have: (a)."""
    if not block.heading:
        return {}
    count = Counter(detail for entry in block.entries for detail in entry.details)
    repeated = [detail for detail, n in count.items() if n > 1 and len(detail) >= _LONG]
    return {
        detail: f"({letter})" for detail, letter in zip(repeated, ascii_lowercase, strict=False)
    }


def plain_lines(listing: Listing) -> Iterator[str]:
    """One line per row, whatever its length, with its block's keys in front, under one of heads."""
    heads = (*listing.keys, *(column.head for column in listing.columns))
    rows = [
        ((*block.keys, *entry.cells), "; ".join((*entry.details, *block.facts)))
        for block in listing.blocks
        for entry in block.entries
    ]
    columns = (*(Column(head, "text") for head in listing.keys), *listing.columns)
    widths = [
        max(len(head), *(len(cells[i]) for cells, _ in rows)) if rows else len(head)
        for i, head in enumerate(heads)
    ]
    head = "Details" * any(details for _, details in rows)
    for cells, details in ((heads, head), *rows):
        yield f"{_row(cells, widths, columns, '  ')}  {details}".rstrip()


def _entries(listing: Listing) -> Iterator[Entry]:
    for block in listing.blocks:
        yield from block.entries


def _row(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column], gap: str) -> str:
    return gap.join(
        cell.rjust(width) if column.role == "number" else cell.ljust(width)
        for cell, width, column in zip(cells, widths, columns, strict=True)
    )


def _beside(text: str, details: str, style: str, width: int) -> Iterator[Line]:
    """A row with its details beside it, or below where the room is too short for them."""
    start = len(text) + 2
    if not details:
        yield Line(text.rstrip(), style)
    elif width - start >= min(_ROOM, len(details)):
        first, *more = textwrap.wrap(details, width - start, break_on_hyphens=False)
        yield Line(f"{text}  {first}", style)
        yield from (Line(" " * start + line, style) for line in more)
    else:
        yield Line(text.rstrip(), style)
        yield from _wrapped(details, width, style, first=_INDENT * 3, later=_INDENT * 3)


def _wrapped(
    text: str, width: int, style: str, *, first: str = "", later: str = ""
) -> Iterator[Line]:
    lines = textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=later, break_on_hyphens=False
    )
    return (Line(line, style) for line in lines)
