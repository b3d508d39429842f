"""The tables that `--table` names: shipped ones by name, a user's own by its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import terminal
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.reports.paper.layouts import Layout

LIST = "list"


def list_tables(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> str | None:
    """Print the tables and end, where `--table list` asks for them: it needs no run."""
    if value == LIST:
        from harness.reports.paper.table_list import shipped_tables
        from harness.reports.tables.terminal import print_table

        print_table(shipped_tables(), terminal())
        context.exit()
    return value


def layout_named(name: str) -> Layout:
    """A table of the package by its name, or one of a file.

    Raises:
        DataError: a file that cannot be read or does not follow the schema.
        UsageError: no table has this name; the message lists those that have.
    """
    from harness.reports.baselines.near import near
    from harness.reports.paper.table_file import read_layout, shipped

    tables = shipped()
    if name in tables:
        return read_layout(tables[name])
    path = Path(name)
    if path.suffix.lower() in (".yaml", ".yml") or path.is_file():
        return read_layout(path)
    raise UsageError(
        f"--table {name}: no table has this name; {near(name, tables)} "
        "harness report --table list shows all; a file of your own ends in .yaml"
    )
