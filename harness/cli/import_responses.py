"""`harness import`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.interrupt import run_async
from harness.cli.progress import task_progress
from harness.cli.score_table import finish
from harness.judge.scoring import SCORINGS


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--task", "task_name", required=True, metavar="T",
              help="A kind of answer (integer, choice, math), or a task whose schema the rows "
              "have.")  # fmt: skip
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN[,..]",
              help="Which column holds id, statement, answer, response or responses, or "
              "finish_reason; others are found by their names. Repeatable.")  # fmt: skip
@click.option("--scoring", type=click.Choice(SCORINGS),
              help="How programs are run: as processes, or as LiveCodeBench's own runner does. "
              "livecodebench reports both by default.")  # fmt: skip
@click.option("--window", metavar="M..M", help="Only problems of these months, both included: "
              "2024-08..2025-01.")  # fmt: skip
@click.option("--skip-errata", is_flag=True,
              help="Leave out problems that their publisher lists as wrong.")  # fmt: skip
@click.option(
    "--model", metavar="NAME", help="Name of the model in reports; the file's name by default."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False),
              metavar="RUN", help="Run folder.")  # fmt: skip
@click.option("--unsafe-judge", is_flag=True,
              help="Run programs without a sandbox, with resource limits only; the scores are "
              "marked.")  # fmt: skip
@click.option("--take-over", is_flag=True,
              help="Take over a folder whose lock was left by a process on another host.")  # fmt: skip
def import_(
    *,
    file: Path,
    task_name: str,
    columns: Sequence[str],
    scoring: str | None,
    window: str | None,
    skip_errata: bool,
    model: str | None,
    output: Path,
    unsafe_judge: bool,
    take_over: bool,
) -> None:
    """Turn published responses into a run, graded and scored like any other.

    FILE is .jsonl, .csv or .parquet. It has one row per problem with a list of responses, or one
    row per response. A text whose reasoning never ends has no response.

    \b
    harness import responses.jsonl --task math \\
        --map statement=problem,responses=outputs -o runs/published
    """
    from harness.cli.task_lookup import task_named, with_judge
    from harness.data.selection import Selection, Window
    from harness.workflows.import_responses import import_responses, parse_columns

    task = with_judge(task_named(task_name), scoring, unsafe=unsafe_judge)
    selection = Selection(Window.parse(window) if window else None, skip_errata)
    with task_progress(sampling=True) as observe:
        work = import_responses(
            file,
            task,
            parse_columns(columns),
            output,
            model=model or file.stem,
            observe=observe,
            selection=selection,
            take_over=take_over,
        )
        results = run_async(work)
    finish(output, [task.name], results)
