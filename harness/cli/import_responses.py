"""`harness import`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.incomplete import SAME
from harness.cli.interrupt import run_async
from harness.cli.lock_option import take_over_option
from harness.cli.progress import task_progress
from harness.cli.score_table import finish
from harness.judge.scoring import SCORINGS


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--task", "task_name", required=True, metavar="T",
              help="A kind of answer (integer, choice, math), or a task whose schema the rows "
              "have.")  # fmt: skip
@click.option("--map", "columns", multiple=True, metavar="FIELD=COLUMN[,..]",
              help="Which column holds id, statement, answer, response or responses, finish_reason, "
              "choice_order or prompt; others are found by their names. For a task with a schema the "
              "column stands for the schema's own. A dot leads into an object: response=output.text. "
              "Repeatable.")  # fmt: skip
@click.option("--choice-order", type=click.Choice(["dataset"]),
              help="dataset: the letters of the responses refer to the choices in the dataset's own "
              "order. By default the order comes from the file.")  # fmt: skip
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
@take_over_option
def import_(
    *,
    file: Path,
    task_name: str,
    columns: Sequence[str],
    choice_order: str | None,
    scoring: str | None,
    window: str | None,
    skip_errata: bool,
    model: str | None,
    output: Path,
    unsafe_judge: bool,
    take_over: bool | None,
) -> None:
    """Turn published responses into a run, graded and scored like any other.

    FILE is .jsonl, .csv or .parquet. It has one row per problem with a list of responses, or one
    row per response; lists in CSV are JSON. A text whose reasoning never ends has no response. The
    file is complete as it is: problems may have different numbers of responses. A problem without
    any is left out of every mean and marks the scores as incomplete.

    A letter is read in the order in which the choices were shown. For a task with choices the order
    must be in the file: in its column choice_order, as a permutation ([2, 0, 1, 3]: the third choice
    of the dataset was A), as the choices in the order shown, or as the letter of the right one, one
    for the whole row or a list with one per response; in a column named permutation, choices,
    options, answer_letter, gold_index or the like; or in the text of the prompt. All that a row
    says of it must agree. Otherwise --choice-order dataset states that it is the dataset's own (for
    GPQA, the right choice first).

    \b
    harness import responses.jsonl --task math \\
        --map statement=problem,responses=outputs -o runs/published
    """
    from harness.cli.task_lookup import task_named, with_judge
    from harness.data.columns import parse_columns
    from harness.data.selection import Selection, Window
    from harness.workflows.import_responses import import_responses

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
            dataset_order=choice_order == "dataset",
            take_over=bool(take_over),
        )
        results = run_async(work)
    finish(output, [task.name], results, SAME)
