"""`harness accept`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.compare import names
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.storage.ledger import Acceptance

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("run", type=_FOLDER, required=False)
@click.option("--tasks", metavar="T[,T..]", help="Only these tasks; all of RUN by default.")
@click.option("--note", default="", metavar="TEXT", help="The reason, kept with the acceptance.")
@click.option("--force", is_flag=True, help="Accept a run although samples are missing.")
@click.option("--list", "show", is_flag=True, help="List the accepted runs and change nothing.")
@click.option("--runs", type=_FOLDER, metavar="DIR",
              help="The folder of runs whose baseline is set; by default the one above RUN, "
              "or `runs` with --list.")  # fmt: skip
def accept(
    *, run: Path | None, tasks: str | None, note: str, force: bool, show: bool, runs: Path | None
) -> None:
    """Make RUN the baseline that `harness nightly` compares new checkpoints with.

    Writes DIR/accepted.json, which also keeps every earlier acceptance. A run that lacks
    samples is refused.

    \b
    harness accept runs/nightly/step-400 --note "new data mix"
    harness accept --list --runs runs/nightly
    """
    from harness.storage.ledger import read_ledger
    from harness.workflows.accept import accept as accept_run

    if show:
        if run is not None:
            raise UsageError("--list takes no RUN; --runs names the folder of runs")
        ledger = read_ledger(runs or Path("runs"))
        for entry in ledger.accepted.values():
            click.echo(f"{entry.task}: {_accepted(entry)}")
        if not ledger.accepted:
            click.echo(f"{runs or 'runs'}: no run is accepted yet")
        return
    if run is None:
        raise UsageError("RUN is missing: name the folder of the run to accept")
    before = read_ledger(runs or run.resolve().parent).accepted
    for entry in accept_run(run, runs=runs, tasks=names(tasks) or (), note=note, force=force):
        old = f", in place of {_accepted(before[entry.task])}" if entry.task in before else ""
        lacks = f" although {entry.missing}" if entry.missing else ""
        click.echo(f"{entry.task}: accepted {entry.run}{lacks}{old}")


def _accepted(entry: Acceptance) -> str:
    note = f" ({entry.note})" if entry.note else ""
    return f"{entry.run}, accepted {entry.time}{note}"
