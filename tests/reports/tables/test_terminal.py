"""Tables in terminals of several widths: no figure is ever cut."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.reports.tables.model import Column, Row, Table
from harness.reports.tables.terminal import print_table

FIGURES = tuple(f"{n}2345.6 to {n}2345.7" for n in range(1, 8))
TABLE = Table(
    "A task",
    (Column("Factor", "name"), Column("Claim", "text"), *(Column("95 %", detail=n > 1) for n in range(7))),
    (Row(("reasoning_budget", "no difference shown", *FIGURES)),),
)  # fmt: skip


def printed(width: int) -> str:
    console = Console(width=width, file=io.StringIO())
    print_table(TABLE, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "shown"), [(80, 2), (100, 2), (140, 2), (200, 7)])
def test_details_are_shown_where_they_fit_whole(width: int, shown: int) -> None:
    text = printed(width)
    assert "\u2026" not in text
    assert [figure in text for figure in FIGURES] == [n < shown for n in range(7)]
