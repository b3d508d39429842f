"""`harness baselines`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.report import own_baselines

if TYPE_CHECKING:
    from harness.reports.baselines.loader import Baselines, PublishedScore


@click.command()
@click.option("--task", metavar="T", help="Only this task, such as aime24.")
@click.option("--model", metavar="NAME", help="Only models whose name contains this.")
@click.option("--source", metavar="NAME", help="Only this source, such as r1-paper.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document with every detail.")
@own_baselines
def baselines(
    task: str | None,
    model: str | None,
    source: str | None,
    as_json: bool,
    extra: tuple[Path, ...],
) -> None:
    """List published scores with their sources; † marks those that sources disagree on."""
    from harness.reports.baselines.loader import load, select

    known = load(extra)
    chosen = select(known.scores, task=task, model=model, source=source)
    if as_json:
        click.echo(_json(known, chosen))
        return
    _print(known, chosen)


def _json(known: Baselines, chosen: Sequence[PublishedScore]) -> str:
    import orjson

    from harness.reports.baselines.records import document

    return orjson.dumps(document(known, chosen), option=orjson.OPT_INDENT_2).decode()


def _print(known: Baselines, chosen: Sequence[PublishedScore]) -> None:
    from rich.console import Console

    from harness.reports.baselines.loader import conflicts
    from harness.reports.tables.published import listing
    from harness.reports.tables.terminal import print_table

    console = Console()
    for table in listing(chosen, conflicts(known.scores)):
        print_table(table, console)
    for name in dict.fromkeys(cell.source for cell in chosen):
        source = known.sources[name]
        facts = [source.title, str(source.date or ""), source.url or ""]
        console.print(f"{name}: {', '.join(filter(None, facts))}", style="dim", markup=False)
