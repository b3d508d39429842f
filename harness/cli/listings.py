"""Listings on the terminal, as wide as it is, or in a pipe, one line per row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.cli.output import echo, terminal

if TYPE_CHECKING:
    from harness.reports.tables.blocks import Listing


def print_listings(listings: Sequence[Listing]) -> None:
    """Listings one after another, an empty line between two."""
    from rich.text import Text

    from harness.reports.tables.blocks import plain_lines, terminal_lines

    console = terminal()
    for number, listing in enumerate(listings):
        if number:
            echo()
        if not console.is_terminal:
            for text in plain_lines(listing):
                echo(text)
            continue
        for line in terminal_lines(listing, console.width):
            console.print(Text(line.text, line.style), overflow="ignore", no_wrap=True, crop=False)
