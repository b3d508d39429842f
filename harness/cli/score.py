"""`harness score`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.lock_option import take_over_option
from harness.waiting import waiting_for


@click.command()
@click.argument("run", type=click.Path(path_type=Path, file_okay=False))
@click.option("--window", metavar="M..M",
              help="Print the scores over the problems of these months (2024-08..2025-01, both "
              "included) and write nothing.")  # fmt: skip
@take_over_option
@waiting_for("the scores to be computed")
def score(run: Path, window: str | None, take_over: bool | None) -> None:
    """Compute scores.json from the stored samples and grades, and print the scores.

    Exits with 4 where samples are pending or ended in an internal error; the last line is the
    command that completes the run.
    """
    from harness.cli.score_table import finish
    from harness.cli.task_lookup import task_named
    from harness.data.selection import Window
    from harness.storage.run_folder import RunFolder
    from harness.workflows.regrade import rescore, scores_in_window

    if window is not None:
        found = scores_in_window(run, task_named, Window.parse(window))
        finish(run, list(found), list(found.values()))
        return
    results = rescore(run, task_named, take_over=bool(take_over))
    finish(run, [folder.name for folder in RunFolder(run).tasks()], results)
