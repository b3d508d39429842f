"""`harness tasks`."""

from __future__ import annotations

import json

import click
from rich.console import JustifyMethod
from rich.table import Table

from harness.cli.output import terminal

COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("task", "left"), ("problems", "right"), ("k", "right"), ("grader", "left"), ("source", "left"),
)  # fmt: skip
"""Those that fit 80 characters; NAME and --json show the rest."""


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def tasks(name: str | None, as_json: bool) -> None:
    """List the tasks, or show NAME in full: its defaults, prompt and source.

    lm_eval:NAME is a task of lm-eval; lm_eval:DIR/NAME is one whose file is in DIR.
    """
    from harness.interfaces import ExtractsAnswers, RunsPrograms
    from harness.registry import find_tasks
    from harness.registry import tasks as all_tasks

    found = find_tasks(name) if name else list(all_tasks().values())
    if as_json or name:
        rows = [
            {
                "name": task.name,
                "problems": task.n_problems,
                "metrics": [metric.name for metric in task.metrics],
                "k": task.sampling.k,
                "temperature": task.sampling.temperature,
                "top_p": task.sampling.top_p,
                "max_tokens": task.sampling.max_tokens,
                "stop": list(task.sampling.stop),
                "grader": task.grader.version,
                "extract": task.grader.extract
                if isinstance(task.grader, ExtractsAnswers)
                else None,
                "scoring": task.grader.scoring if isinstance(task.grader, RunsPrograms) else None,
                "choice_order": task.choice_order,
                "source": task.dataset.source(None),
                "system_prompt": task.system_prompt,
                "prompt": task.prompt,
            }
            for task in found
        ]
        click.echo(json.dumps(rows if as_json else rows[0], indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, justify in COLUMNS:
        table.add_column(column, justify=justify, overflow="fold")
    for task in found:
        problems = "" if task.n_problems is None else f"{task.n_problems:,}"
        grader = task.grader.version.partition("+")[0]
        source = task.dataset.source(None).partition("@")[0].partition(" ")[0]
        table.add_row(task.name, problems, str(task.sampling.k), grader, source)
    terminal().print(table)
