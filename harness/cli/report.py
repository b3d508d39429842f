"""`harness report`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from harness.cli.output import echo, terminal
from harness.cli.paper_tables import layout_named, list_tables
from harness.errors import Incomplete, UsageError
from harness.points import share_of
from harness.waiting import waiting_for

if TYPE_CHECKING:
    from rich.console import Console

    from harness.reports.baselines.scores import PublishedScore
    from harness.reports.figures.style import Plot
    from harness.reports.paper.layouts import Layout
    from harness.reports.results import Result

Document = TypeVar("Document")
MARGIN = 3.0  # points
_FILE = click.Path(path_type=Path)
own_baselines = click.option(
    "--baselines",
    "extra",
    metavar="FILE",
    type=_FILE,
    multiple=True,
    help="Add published scores of your own (YAML); repeatable.",
)


@click.command()
@click.argument("runs", metavar="RUN..", type=_FILE, nargs=-1, required=True)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=_FILE,
    help="Write a page (.html), Markdown (.md), the scores (.json) or, with --table, LaTeX "
    "(.tex); by default print to the terminal.",
)
@click.option("--table", "table", metavar="NAME", is_eager=True, callback=list_tables,
              help="A paper's table with the runs in it and a verdict per cell: a name, or a "
              "YAML file of your own. --table list shows the names.")  # fmt: skip
@click.option("--margin", type=float, metavar="POINTS", help="With --table: how far the interval of "
              "a reproduced figure may reach; 3 by default, or the table's own.")  # fmt: skip
@click.option("--as", "claims", metavar="RUN=MODEL", multiple=True,
              help="The published model that a run reproduces, if its name differs; RUN= may be "
              "omitted for a single run. Repeatable.")  # fmt: skip
@own_baselines
@click.option("--price", "prices", metavar="[RUN=]IN,OUT", multiple=True,
              help="Price of a million prompt tokens and of a million completion tokens, in USD, "
              "in place of what the runs recorded; of one run with RUN=. Repeatable.")  # fmt: skip
@click.option("--window", metavar="M..M", help="Only problems of these months (2024-08..2025-01, "
              "both included), in tasks whose problems have dates.")  # fmt: skip
@click.option("--show-masked", is_flag=True, help="Show statements and answers of masked tasks.")
@click.option(
    "--figures",
    "figures_dir",
    metavar="DIR",
    type=_FILE,
    help="Write every figure as SVG and PDF into this folder.",
)
@click.option(
    "--cutoff",
    metavar="MONTH",
    help="Mark the model's knowledge cutoff, such as 2024-07, in pass@1 by month.",
)
@click.option(
    "--training",
    metavar="LOG.jsonl",
    type=_FILE,
    help="Show the runs as checkpoints over the steps of this training log: accuracy, by level "
    "of the problems too, and lengths.",
)
@click.option("--steps", metavar="RUN=STEP", multiple=True,
              help="The training step of a run, if neither the log nor its name says it; "
              "repeatable.")  # fmt: skip
@waiting_for("the report to be made")
def report(
    *,
    runs: tuple[Path, ...],
    output: Path | None,
    table: str | None,
    margin: float | None,
    claims: tuple[str, ...],
    extra: tuple[Path, ...],
    prices: tuple[str, ...],
    window: str | None,
    show_masked: bool,
    figures_dir: Path | None,
    cutoff: str | None,
    training: Path | None,
    steps: tuple[str, ...],
) -> None:
    """Report on one or more runs, beside published scores.

    Reads only the run folders: no GPU, no engine, no network. Exits with 4, after
    writing, where samples are pending or ended in an internal error. A page with more than
    20 MB of samples keeps their texts in a folder beside it (r.html, r_files/);
    move the two together.

    \b
    harness report runs/NAME --table r1-table5 --margin 3 -o table.tex
    """
    from harness.cli.task_lookup import task_named
    from harness.data.selection import Window
    from harness.reports.baselines.claims import stand_for
    from harness.reports.baselines.loader import load
    from harness.reports.costs import with_prices
    from harness.reports.documents import check_format
    from harness.reports.page import output as page
    from harness.reports.page.build import build
    from harness.reports.paper import output as paper_output
    from harness.reports.paper.grid import lay_out
    from harness.reports.results import read_results
    from harness.workflows.regrade import scores_in_window

    layout = layout_named(table) if table else None
    share = check_margin(margin, table, layout.margin if layout else None)
    if output is not None:
        check_format(output, paper_output.FORMATS if layout else page.FORMATS)
    months = Window.parse(window) if window else None
    published = load(extra).scores
    results = read_results(runs, months, lambda path, w: scores_in_window(path, task_named, w))
    results = with_prices(stand_for(results, claims, claimable(published, layout)), prices)
    if layout is not None:
        laid_out = lay_out(layout, results, published, margin=share)
        _deliver(output, laid_out, paper_output.write_paper_table, paper_output.print_paper_table)
    else:
        figures: dict[str, tuple[Plot, ...]] = {}
        if figures_dir is not None or (output is not None and output.suffix.lower() == ".html"):
            figures = drawn(results, published, cutoff=cutoff, training=training, steps=steps)
        _write_figures(figures, figures_dir)
        if output is not None or figures_dir is None:
            at = _steps(results, training, steps)
            built = build(results, published, show_masked=show_masked, figures=figures, steps=at)
            _deliver(output, built, page.write_report, page.print_report)
    _end(output, results)


def _end(output: Path | None, results: Sequence[Result]) -> None:
    """Say what was written and what is missing; Incomplete where a command would add it."""
    _say_written(output, results)
    _check_complete(results)


def _say_written(output: Path | None, results: Sequence[Result]) -> None:
    for result in (result for result in results if output is not None and not result.complete):
        echo(f"warning: {result.task}, {result.run}: {result.status}.", err=True)
    if output is not None:
        echo(f"wrote {output}", err=True)


def _check_complete(results: Sequence[Result]) -> None:
    """Raise Incomplete where a run lacks what a command would add; the report is written by then."""
    from harness.cli.incomplete import how_to_resume

    lacking = [result for result in results if result.can_be_completed]
    if not lacking:
        return
    first = lacking[0]
    how = "" if first.folder is None else f"; {how_to_resume(first.folder.path.parent)}"
    if first.scored is None or not (first.scored.pending or first.scored.errors):
        how = ""  # its status names the command
    count = f"; {len(lacking)} of {len(results)} results are like it" if len(results) > 1 else ""
    raise Incomplete(f"{first.task}, {first.run}: {first.lack}{how}{count}")


def claimable(published: Sequence[PublishedScore], layout: Layout | None) -> set[str]:
    """What `--as` may name: the published models, and the lines of the table."""
    return {cell.model for cell in published} | (layout.line_names if layout else set())


def check_margin(points: float | None, table: str | None, usual: float | None = None) -> float:
    """The share that `--margin` asks for, else the table's own, else 3 points.

    Args:
        points: what the option says.
        table: the table that it goes with.
        usual: the table's own margin, in points.

    Raises:
        UsageError: a margin without a table, or one out of range.
    """
    if points is None:
        return (MARGIN if usual is None else usual) / 100
    if table is None:
        raise UsageError(f"--margin {points:g}: it goes with --table")
    return share_of(points, "--margin")


def _deliver(
    output: Path | None,
    document: Document,
    write: Callable[[Document, Path], None],
    show: Callable[[Document, Console], None],
) -> None:
    """Write a document to the file, or print it if there is none."""
    if output is not None:
        write(document, output)
        return
    show(document, terminal())


def _write_figures(figures: Mapping[str, Sequence[Plot]], folder: Path | None) -> None:
    if folder is None:
        return
    from harness.reports.figures.style import write_plots

    written = write_plots([plot for plots in figures.values() for plot in plots], folder)
    echo(f"wrote {len(written)} files to {folder}", err=True)


def drawn(
    results: Sequence[Result],
    published: Sequence[PublishedScore],
    *,
    cutoff: str | None = None,
    training: Path | None = None,
    steps: Sequence[str] = (),
) -> dict[str, tuple[Plot, ...]]:
    """Every figure of these results by task, those over training steps first.

    Args:
        results: the tasks of the runs.
        published: scores to be drawn beside them.
        cutoff: the last month that the model can know, such as "2024-07".
        training: a training log whose lengths and scores are drawn over its steps.
        steps: RUN=STEP, for runs that are checkpoints and do not say it in their names.

    Raises:
        UsageError: a cutoff or step that cannot be read.
        DataError: a damaged training log.
    """
    from harness.reports.figures.scores import figures
    from harness.reports.figures.training import training_figures
    from harness.reports.figures.training_log import read_log, steps_given

    log = read_log(training) if training else []
    over_steps = training_figures(results, published, log, steps_given(steps, results))
    plots = figures(results, published, classes=answer_classes, cutoff=cutoff)
    return {task: (*over_steps.get(task, ()), *plots[task]) for task in plots}


def _steps(
    results: Sequence[Result], training: Path | None, steps: Sequence[str]
) -> dict[str, int]:
    """The training steps of checkpoints, where a log, an option or their names say them."""
    from harness.reports.figures.training_log import read_log, steps_given, steps_of

    return steps_of(results, read_log(training) if training else [], steps_given(steps, results))


def answer_classes(task: str) -> Callable[[Sequence[str]], list[int]] | None:
    """The function that numbers equivalence classes of a task's answers; None without its plugin."""
    from harness.cli.task_lookup import task_named

    try:
        return task_named(task).grader.classes
    except UsageError:
        return None
