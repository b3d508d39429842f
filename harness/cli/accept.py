"""`harness accept`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.compare import names
from harness.cli.output import echo
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.storage.ledger import Acceptance
    from harness.workflows.accept import Accepted

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

    Writes DIR/accepted.json, which also keeps every earlier acceptance and the nights that the run
    was chosen from. A run that lacks samples is refused. To accept a run that failed its night
    is to accept the lower level: the test over nights then begins anew.

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
            echo(f"{entry.task}: {_accepted(entry)}")
        if not ledger.accepted:
            echo(f"{runs or 'runs'}: no run is accepted yet")
        return
    if run is None:
        raise UsageError("RUN is missing: name the folder of the run to accept")
    before = read_ledger(runs or run.resolve().parent).accepted
    done = accept_run(run, runs=runs, tasks=names(tasks) or (), note=note, force=force)
    for accepted in done:
        entry = accepted.entry
        old = f", in place of {_accepted(before[entry.task])}" if entry.task in before else ""
        lacks = f" although {entry.missing}" if entry.missing else ""
        echo(f"{entry.task}: accepted {entry.run}{lacks}{old}")
        for line in _chosen(accepted):
            echo(f"{entry.task}: {line}")
    lucky = [accepted.entry.task for accepted in done
             if accepted.chosen.choice is not None and accepted.chosen.choice.for_its_score]  # fmt: skip
    if lucky:
        echo(
            f"to draw it again, without that luck ({', '.join(lucky)}): harness nightly CONFIG.yaml "
            f"--checkpoint {_model(run)} --redraw"
        )


def _accepted(entry: Acceptance) -> str:
    note = f" ({entry.note})" if entry.note else ""
    return f"{entry.run}, accepted {entry.time}{note}"


def _chosen(accepted: Accepted) -> Iterator[str]:
    """What the run was chosen from, how it lies among them, and how lucky such a choice is."""
    from harness.reports.format import points
    from harness.stats.change_point import weighted_mean
    from harness.stats.nights import variances
    from harness.stats.selection import expected_best

    recent, choice = accepted.chosen.recent, accepted.chosen.choice
    night = bool(accepted.entry.candidates)
    if accepted.chosen.score is not None and recent and (choice is not None or not night):
        mean, error = weighted_mean([night.score for night in recent], variances(recent))
        yield (
            f"its own score {points(accepted.chosen.score, sign=False)}, the mean of the nights since "
            f"the acceptance before ({len(recent)}) {points(mean, sign=False)} ± {points(error, sign=False)}"
        )
    if choice is not None and choice.for_its_score:
        yield (f"warning: chosen for its score: the best of {choice.n} nights; by chance alone the best of "
               f"{choice.n} lies {expected_best(choice.n):.1f} standard errors "
               f"({points(choice.luck, sign=False)} points) above their mean")  # fmt: skip


def _model(run: Path) -> str:
    """The checkpoint of a run."""
    from harness.storage.run_folder import RunFolder

    return RunFolder(run).manifest().model
