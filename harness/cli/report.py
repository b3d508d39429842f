"""`harness report` and `harness baselines`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.reports.baselines import Baselines, Cell

_FILE = click.Path(path_type=Path)
_own_baselines = click.option(
    "--baselines",
    "extra",
    metavar="FILE",
    type=_FILE,
    multiple=True,
    help="Add published scores of your own (YAML); may be repeated.",
)


@click.command()
@click.argument("runs", metavar="RUN..", type=_FILE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=_FILE,
    help="Write a page (.html), Markdown (.md) or the scores (.json); else print to the terminal.",
)
@_own_baselines
@click.option("--window", metavar="M..M", help="Only problems of these months, both included, "
              "in tasks whose problems have dates: 2024-08..2025-01.")  # fmt: skip
@click.option("--show-masked", is_flag=True, help="Show statements and answers of masked tasks.")
def report(
    runs: tuple[Path, ...],
    output: Path | None,
    extra: tuple[Path, ...],
    window: str | None,
    show_masked: bool,
) -> None:
    """Report on one or more runs, beside published scores.

    Needs nothing but the run folders: no GPU, no engine, no network. A page whose
    samples are more than 20 MB keeps their texts in a folder beside it
    (r.html, r_files/); move the two together.
    """
    from harness.cli.lookup import task_named
    from harness.reports.baselines import load
    from harness.reports.page import build, check_format, print_report, write_report
    from harness.reports.results import read_results
    from harness.selection import Window
    from harness.workflows.regrade import scores_in_window

    if output is not None:
        check_format(output)
    months = Window.parse(window) if window else None
    results = read_results(runs, months, lambda path, w: scores_in_window(path, task_named, w))
    built = build(results, load(extra).cells, show_masked=show_masked)
    if output is not None:
        write_report(built, output)
        for warning in built.warnings:
            click.echo(f"warning: {warning}", err=True)
        click.echo(f"wrote {output}", err=True)
        return
    from rich.console import Console

    print_report(built, Console())


@click.command()
@click.option("--task", help="Only this task, such as aime24.")
@click.option("--model", help="Only models whose name contains this.")
@click.option("--source", help="Only this source, such as r1-paper.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document with every detail.")
@_own_baselines
def baselines(
    task: str | None,
    model: str | None,
    source: str | None,
    as_json: bool,
    extra: tuple[Path, ...],
) -> None:
    """List published scores with where they stand; † marks those that sources disagree on."""
    from harness.reports.baselines import load, select

    known = load(extra)
    chosen = select(known.cells, task=task, model=model, source=source)
    if as_json:
        click.echo(_json(known, chosen))
        return
    _print(known, chosen)


def _json(known: Baselines, chosen: Sequence[Cell]) -> str:
    import orjson

    from harness.reports.baselines import conflicts

    doubtful = {cell.subject for group in conflicts(known.cells) for cell in group}
    document = {
        "sources": [known.sources[name] for name in dict.fromkeys(c.source for c in chosen)],
        "baselines": [
            {
                **{name: getattr(cell, name) for name in cell.__dataclass_fields__},
                "protocol": cell.protocol.model_dump(),
                "conflict": cell.subject in doubtful,
            }
            for cell in chosen
        ],
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()


def _print(known: Baselines, chosen: Sequence[Cell]) -> None:
    from rich.console import Console

    from harness.reports.baselines import conflicts
    from harness.reports.beside import listing
    from harness.reports.page import print_table

    console = Console()
    for table in listing(chosen, conflicts(known.cells)):
        print_table(table, console)
    for name in dict.fromkeys(cell.source for cell in chosen):
        source = known.sources[name]
        facts = [source.title, str(source.date or ""), source.url or ""]
        console.print(f"{name}: {', '.join(filter(None, facts))}", style="dim", markup=False)
