"""The tables of the package, as a table."""

from __future__ import annotations

from harness.reports.tables.model import Column, Row, Table

from .table_file import read_layout, shipped


def shipped_tables() -> Table:
    """One row per table: its name, where the source prints it, and what it holds."""
    rows = []
    for name, path in shipped().items():
        layout = read_layout(path)
        benchmarks = ", ".join(dict.fromkeys(heading.group for heading in layout.headings))
        rows.append(Row((name, layout.title, f"{layout.caption}\n{benchmarks}")))
    columns = (Column("Name", "name"), Column("Table", "text"), Column("What it holds", "text"))
    note = "harness report RUN --table NAME draws one. --table FILE.yaml takes a table of your own."
    return Table("Tables", columns, tuple(rows), notes=(note,))
