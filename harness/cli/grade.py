"""`harness grade` and `harness score`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.interrupt import run_async
from harness.cli.progress import task_progress
from harness.errors import Incomplete

if TYPE_CHECKING:
    from harness.workflows.regrade import Change

_RUN = click.argument("run", type=click.Path(path_type=Path, file_okay=False))


@click.command(short_help="Grade a run again from its stored samples.")
@_RUN
@click.option("--diff", is_flag=True, help="List the samples whose verdict changes.")
@click.option("--undecided", "list_undecided", is_flag=True,
              help="Only list the samples whose answer could not be read; grade nothing.")  # fmt: skip
@click.option("--take-over", is_flag=True,
              help="Take a folder that a dead process on another host left locked.")  # fmt: skip
def grade(run: Path, diff: bool, list_undecided: bool, take_over: bool) -> None:
    """Grade a run again from its stored samples, with the graders of this version.

    Replaces grades.jsonl and scores.json once all samples of a task are graded.
    """
    from harness.cli.task_lookup import task_named
    from harness.storage.run_folder import RunFolder
    from harness.workflows.regrade import regrade, undecided

    if list_undecided:
        for folder in RunFolder(run).tasks():
            for found in undecided(folder):
                click.echo(f"{folder.name} {found.problem_id} {found.index}: {found.answer}")
        return
    with task_progress(sampling=False) as observe:
        changes = run_async(regrade(run, task_named, observe=observe, take_over=take_over))
    if diff:
        _print_changes(changes)
    click.echo(f"{len(changes)} verdicts changed")
    failed = sum(change.after.verdict == "error" for change in changes)
    if failed:
        raise Incomplete(f"{failed} samples ended in error, see {run}/*/errors.jsonl")


def _print_changes(changes: Sequence[Change]) -> None:
    for change in changes:
        before = change.before or "ungraded"
        after = change.after
        click.echo(
            f"{change.task} {after.problem_id} {after.index}: {before} -> {after.verdict} "
            f"({after.answer!r}, {after.detail})"
        )
