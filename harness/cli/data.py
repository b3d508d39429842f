"""`harness data fetch` and `harness data check`."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.output import echo
from harness.waiting import waiting_for

STANDINGS = "codeforces-standings"


@click.group()
def data() -> None:
    """Fetch datasets for use without a network, or check your own copies."""


@data.command(short_help="Copy pinned datasets from the hub into a folder.")
@click.argument("names", nargs=-1, required=True, metavar="TASK..")
@click.option("--contests", metavar="ID[,ID..]",
              help="With codeforces-standings: the contests whose standings and rating changes "
              "are fetched from the Codeforces API.")  # fmt: skip
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False),
              metavar="DIR", help="Folder for the copies; pass it to `harness run --data`, or to "
              "`harness rating --standings`.")  # fmt: skip
def fetch(names: Sequence[str], contests: str | None, output: Path) -> None:
    """Copy the dataset of each TASK from the hub, at its pinned revision.

    \b
    harness data fetch aime24 math500 -o data
    harness data fetch codeforces-standings --contests 2046,2047 -o standings
    """
    from harness.data.datasets import OnHub
    from harness.registry import find_tasks

    if STANDINGS in names or contests is not None:
        _fetch_standings(names, contests, output)
        return
    tasks = find_tasks(",".join(names))
    output.mkdir(parents=True, exist_ok=True)
    for task in tasks:
        if not isinstance(task.dataset, OnHub):
            echo(f"{task.name}: ships with the harness")
            continue
        for file in task.dataset.hub_files():
            with waiting_for(f"{file.names[0]} to be downloaded"):
                path = file.path(None)
            copy = output / f"{file.names[0]}{path.suffix}"
            copy.parent.mkdir(exist_ok=True)
            shutil.copyfile(path, copy)
            echo(f"{task.name}: {copy} ({file.source(output)})")


def _fetch_standings(names: Sequence[str], contests: str | None, output: Path) -> None:
    from harness.data.codeforces_api import fetch_contest
    from harness.errors import UsageError

    ids = [id.strip() for id in (contests or "").split(",") if id.strip()]
    if tuple(names) != (STANDINGS,) or not ids or not all(id.isdecimal() for id in ids):
        raise UsageError(f"harness data fetch {STANDINGS} --contests 2046,2047 -o DIR: it "
                         f"takes no other name, and contests are numbers (got {contests!r})")  # fmt: skip
    for id in ids:
        contest = fetch_contest(id, output)
        echo(f"{contest.id}: {contest.name}, {len(contest.entrants)} rated participants")


@data.command(short_help="Parse every row, or compare two copies.")
@click.argument("names", nargs=-1, required=True, metavar="TASK..")
@click.option("--data", "folder", type=click.Path(path_type=Path), metavar="DIR",
              envvar="HARNESS_DATA", help="The folder to check; by default the hub's copy.")  # fmt: skip
@click.option("--against", type=click.Path(path_type=Path), metavar="DIR",
              help="List the problems that differ from the copy in this folder.")  # fmt: skip
def check(names: Sequence[str], folder: Path | None, against: Path | None) -> None:
    """Parse every row of each TASK, or compare two copies problem by problem.

    Copies of one benchmark can differ: reference answers are corrected, statements rewritten,
    problems added or dropped. Exits 1 if the two copies differ, or if the one checked has another
    number of problems than the benchmark.
    """
    from harness.data.datasets import load_problems, miscounted, select_problems
    from harness.data.selection import Selection, in_words
    from harness.protocol import content_hash
    from harness.registry import find_tasks

    differ = False
    for task in find_tasks(",".join(names)):
        found, left_out = select_problems(task, folder, Selection())
        problems = {problem.id: problem for problem in found}
        hashes = {problem.id: content_hash(problem) for problem in found}  # decodes every test
        others = f" (and {in_words(left_out)})" if left_out else ""
        echo(f"{task.name}: {len(problems)} problems{others}, {task.dataset.source(folder)}")
        if other := miscounted(task, len(problems) + left_out.total()):
            differ = True
            echo(f"  {other}")
        if against is None:
            continue
        theirs_by_id = {problem.id: problem for problem in load_problems(task, against)}
        for id in sorted(problems.keys() | theirs_by_id.keys()):
            ours, theirs = problems.get(id), theirs_by_id.get(id)
            if ours is None or theirs is None:
                what = f"only in {against if ours is None else folder or 'the hub'}"
            elif hashes[id] != content_hash(theirs):
                names_of_parts = [
                    "statement",
                    "answer",
                    "choices",
                    "tests",
                    "limits",
                    "starter_code",
                    "judging",
                ]
                parts = [n for n in names_of_parts if getattr(ours, n) != getattr(theirs, n)]
                what = f"other {', '.join(parts)}"
            else:
                continue
            differ = True
            echo(f"  {id}: {what}")
    click.get_current_context().exit(1 if differ else 0)
