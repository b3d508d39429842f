"""`harness import`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.interrupt import run_async
from harness.cli.progress import task_progress
from harness.cli.score_table import finish


@click.command("import", short_help="Turn published responses into a graded run.")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--task", "task_name", required=True, metavar="T",
              help="A task whose schema the rows have, or a kind of answer: integer, choice, "
              "math.")  # fmt: skip
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN[,..]",
              help="Which column holds id, statement, answer, response or responses, "
              "finish_reason; absent ones are found by name. Repeatable.")  # fmt: skip
@click.option("--scoring", type=click.Choice(["process", "lcb-official"]),
              help="How programs are run: as processes, or as LiveCodeBench's own runner does; "
              "livecodebench shows both by default.")  # fmt: skip
@click.option("--window", metavar="M..M", help="Only problems of these months, both included: "
              "2024-08..2025-01.")  # fmt: skip
@click.option("--skip-errata", is_flag=True,
              help="Leave out problems that their publisher lists as faulty.")  # fmt: skip
@click.option("--model", metavar="NAME", help="What to call the model; the file's name by default.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path, file_okay=False),
              metavar="RUN", help="Run folder.")  # fmt: skip
@click.option("--unsafe-judge", is_flag=True,
              help="Run programs without a sandbox, with resource limits alone; marks the "
              "scores.")  # fmt: skip
@click.option("--take-over", is_flag=True,
              help="Take a folder that a dead process on another host left locked.")  # fmt: skip
def import_(
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
    """Turn published responses into a run, graded and scored like our own.

    FILE is .jsonl, .csv or .parquet, with one row per problem and a list of responses, or one row
    a response. Reasoning that was never closed has no response.

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
