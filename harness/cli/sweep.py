"""`harness sweep`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.interrupt import run_async
from harness.cli.lock_option import take_over_option
from harness.cli.output import echo, terminal
from harness.cli.progress import task_progress
from harness.errors import Incomplete, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.stats.effects import Effect
    from harness.workflows.sweep import Sweep
    from harness.workflows.sweep_beside import FinishedSweep


@click.command()
@click.argument("config", type=click.Path(path_type=Path, dir_okay=False), metavar="CONFIG.yaml")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              required=True, help="Folder of the sweep. An existing one is completed.")  # fmt: skip
@click.option(
    "--dry-run", is_flag=True, help="Check the configuration and list what would be sampled."
)
@click.option("--model", metavar="MODEL", help="Replaces the base's model.")
@click.option("--tasks", metavar="T[,T..]", help="Replaces the base's tasks.")
@click.option("--k", type=int, metavar="N", help="Replaces the base's k.")
@click.option("--limit", type=int, metavar="N", help="Only the first N problems of each task.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", envvar="HARNESS_DATA",
              help="Your own copies of the datasets.")  # fmt: skip
@click.option("--beside", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              multiple=True,
              help="Another sweep of the same tasks, of another model or effort for one, whose line "
              "of accuracy over reasoning tokens is drawn too. Repeatable.")  # fmt: skip
@take_over_option
def sweep(
    config: Path, output: Path, dry_run: bool, beside: tuple[Path, ...], **options: Any
) -> None:
    """Vary one setting at a time around a base and measure its effect on the score.

    CONFIG.yaml has two parts: base, the settings of `harness run`, and vary, values for any of
    temperature, top_p, prompt, system_prompt, max_tokens, repetition_guard, effort,
    reasoning_budget (also none), choice_order, extract, scoring, grader (integer, math, choice) and
    k. Temperature 0 is sampled with k 1.

    \b
    base: {model: examples/practice-model/late, tasks: practice_integer, k: 8}
    vary:
      temperature: [0.3, 1.0]
      max_tokens: [32, 64]
      prompt: {terse: "{statement}"}

    Each value that must be sampled becomes a run folder in DIR. A lower max_tokens, a smaller k,
    extract, scoring and grader are computed from the base's stored samples. The effects, paired with
    the base by problem, are in DIR/sweep.json, .md, .svg and .pdf. For reasoning_budget and effort
    there is a figure per task, accuracy over reasoning tokens, in DIR/TASK-reasoning.svg and .pdf.
    """
    from harness.registry import find_tasks
    from harness.workflows.sweep import draw_samples, lay_out, measure_effects
    from harness.workflows.sweep_beside import read_finished
    from harness.workflows.sweep_config import read_sweep

    base, variants = read_sweep(config, output, options)
    planned = lay_out(find_tasks(base.tasks), base, variants)
    if output.resolve() in [path.resolve() for path in beside]:
        raise UsageError(f"--beside {output}: it is the folder of this sweep, -o; name another one")
    others = [read_finished(path, planned.protocols) for path in beside]
    if dry_run:
        _print_dry(planned)
        return
    echo(f"{_in_words(planned)} -> {output}", err=True)
    with task_progress(sampling=True, several=True) as observe:
        run_async(draw_samples(planned, observe=observe))
    with task_progress(sampling=False, several=True) as observe:
        effects = run_async(measure_effects(planned, observe=observe))
    _write(planned, effects, output, others)
    errors = sum(effect.errors for effect in effects)
    if errors:
        raise Incomplete(
            f"{errors} samples ended in error, see {output}/*/*/errors.jsonl; the same command "
            "tries them again"
        )


def _print_dry(planned: Sweep) -> None:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", overflow="fold")
    for name in ("to draw", "samples"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("tasks", overflow="fold")
    for draw in planned.draws:
        tasks = ", ".join(f"{item.task.name} (k={item.sampling.k})" for item in draw.prepared)
        table.add_row(draw.path.name, f"{draw.missing():,}", f"{draw.samples():,}", tasks)
    console = terminal(highlight=False)
    console.print(table)
    stored = dict.fromkeys(
        condition.variant.name for condition in planned.conditions if condition.stored
    )
    if stored:
        console.print(f"from the base's stored samples: {', '.join(stored)}")
    console.print(f"{_in_words(planned)}; nothing was sampled")


def _in_words(planned: Sweep) -> str:
    runs = len(planned.draws)
    missing = sum(draw.missing() for draw in planned.draws)
    return f"{missing:,} samples to draw in {runs} run{'s' * (runs > 1)}"


def _write(
    planned: Sweep, effects: Sequence[Effect], output: Path, others: Sequence[FinishedSweep]
) -> None:

    from harness.reports.figures.budget import Course, budget_figures
    from harness.reports.figures.style import write_plots
    from harness.reports.figures.sweep import write_figures
    from harness.reports.tables.sweep import effect_tables, render_markdown
    from harness.reports.tables.terminal import print_tables
    from harness.storage.files import write_json, write_text
    from harness.workflows.sweep_beside import names

    tables = effect_tables(effects, planned.protocols)
    write_json(output / "sweep.json", planned.to_json(effects))
    write_text(output / "sweep.md", render_markdown(tables))
    write_figures(effects, [output / "sweep.svg", output / "sweep.pdf"])
    called = names([(output, planned.model), *((one.path, one.model) for one in others)])
    found = [(effects, planned.protocols), *((one.effects, one.protocols) for one in others)]
    courses = [Course(name, *one) for name, one in zip(called, found, strict=True)]
    drawn = write_plots(budget_figures(courses), output)
    print_tables(tables, terminal())
    further = "".join(f", {path.name}" for path in drawn)
    echo(f"wrote {output}/sweep.json, .md, .svg and .pdf{further}", err=True)
