"""`harness grade`."""

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


@click.command()
@_RUN
@click.option("--diff", is_flag=True, help="List the samples whose verdict changes.")
@click.option("--undecided", "list_undecided", is_flag=True,
              help="List the samples whose answer could not be read, and grade nothing.")  # fmt: skip
@click.option("--take-over", is_flag=True,
              help="Take over a folder whose lock was left by a process on another host.")  # fmt: skip
def grade(run: Path, diff: bool, list_undecided: bool, take_over: bool) -> None:
    """Grade the stored samples of a run with the graders of this version.

    grades.jsonl and scores.json of a task are replaced once all of its samples are graded.
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
