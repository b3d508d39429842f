"""`harness watch`."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import echo, terminal
from harness.cli.signals import CTRL_C, Stopped
from harness.errors import Incomplete

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from harness.storage.follow import RunProgress, TaskProgress

_LINE_SECONDS = 30.0  # between two lines without a terminal, so that a log stays readable
_WIDE = 100  # columns of a terminal from which rates and shares are shown
_PALE = "dim"


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Print the state once and exit.")
@click.option("--every", metavar="SECONDS", type=click.FloatRange(0.1, 3600), default=1.0,
              show_default=True, help="Time between two updates.")  # fmt: skip
def watch(run: Path, once: bool, every: float) -> None:
    """Follow a run in the terminal while another process samples it.

    Shows each task's samples, speed and time left, pass@1 so far with its standard error, how
    samples ended and what failed. Reads only and takes no lock. Exits when no process writes to
    the run any more: with 0 if the run is complete, otherwise with 4. Ctrl-C exits with 0.
    """
    from harness.storage.follow import RunProgress

    progress, console = RunProgress(run), terminal()
    progress.update()
    if once:
        console.print(view(progress, console.width))
        return
    try:
        if console.is_terminal:
            _redraw(progress, console, every)
        else:
            _lines(progress, every)
    except KeyboardInterrupt as stop:  # following leaves nothing to resume
        if isinstance(stop, Stopped) and stop.exit_code != CTRL_C:
            raise
        return
    if not progress.complete:
        raise Incomplete(f"{run} is not complete and no process writes to it; "
                         "the command that started it resumes it")  # fmt: skip


def _redraw(progress: RunProgress, console: Console, every: float) -> None:
    """Redraw in place until no process writes any more; the last view stays."""
    from rich.live import Live

    with Live(view(progress, console.width), console=console, auto_refresh=False) as live:
        while progress.writer() is not None:
            time.sleep(every)
            progress.update()
            live.update(view(progress, console.width), refresh=True)
        progress.update()
        live.update(view(progress, console.width), refresh=True)


def _lines(progress: RunProgress, every: float) -> None:
    """Print a line every 30 seconds, for logs, and one at the end."""
    written = time.monotonic()
    while progress.writer() is not None:
        time.sleep(every)
        progress.update()
        if time.monotonic() - written >= _LINE_SECONDS:
            written = time.monotonic()
            echo(line(progress))
    progress.update()
    echo(line(progress))
    sys.stdout.flush()


def line(progress: RunProgress) -> str:
    """The state of all tasks on one line."""
    parts = []
    for task in progress.tasks.values():
        text = f"{task.name} {task.sampled:,}/{task.asked:,}"
        if (score := _score(task)) != "–":
            text += f" pass@1 {score}"
        if task.errors:
            text += f" {task.errors:,} errors"
        rate = task.rate()
        if rate and rate[0] and task.sampled < task.asked:
            text += f" {rate[0]:,.1f}/s {_left(task)} left"
        parts.append(text)
    return " | ".join(parts) or "no task yet"


def view(progress: RunProgress, width: int) -> RenderableType:
    """The whole view: the writing process, a table of the tasks, how samples ended, notes."""
    from rich.console import Group
    from rich.text import Text

    writer = progress.writer()
    if writer:
        state, style = f"sampled by {writer}", "green"
    else:
        state, style = (
            ("complete", "green") if progress.complete else ("not being sampled", "yellow")
        )
    head = Text.assemble(
        (progress.path.resolve().name, "bold"), f"  {progress.model}  ",
        (f"{progress.engine}  ", _PALE), (state, style),
    )  # fmt: skip
    if writer:
        share = progress.sampled / progress.asked if progress.asked else 0.0
        head.append(f"\n{share:.0%} of {progress.asked:,} samples", "bold")
        left = progress.left()
        times = [f"{_span(time.time() - progress.since)} so far"] if progress.since else []
        times += [f"about {_span(left)} left"] if left else []
        head.append("".join(f", {text}" for text in times))
    rows: list[RenderableType] = [
        head,
        Text(),
        _table(progress, width, running=writer is not None),
        Text(),
    ]
    rows.append(_endings(progress))
    notes = _notes(progress)
    return Group(*rows, *([Text(), Text(notes, _PALE)] if notes else []))


def _table(progress: RunProgress, width: int, *, running: bool) -> Table:
    from rich import box
    from rich.progress_bar import ProgressBar
    from rich.table import Table

    wide = width >= _WIDE
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Task", no_wrap=True)
    table.add_column("Samples", justify="right", no_wrap=True)
    if wide:
        table.add_column("", width=16)
    table.add_column("Left", justify="right", no_wrap=True)
    table.add_column("Samples/s", justify="right", no_wrap=True)
    if wide:
        table.add_column("Tokens/s", justify="right", no_wrap=True)
    table.add_column("pass@1 so far", justify="right", no_wrap=True)
    if wide:
        table.add_column("Truncated", justify="right", no_wrap=True)
    table.add_column("Errors", justify="right", no_wrap=True)
    for task in progress.tasks.values():
        rate = task.rate() if running and task.sampled < task.asked else None
        samples = f"{task.sampled:,}/{task.asked:,}"
        truncated = f"{task.capped / task.sampled:.1%}" if task.sampled else "–"
        tokens = f"{rate[1]:,.0f}" if rate and rate[1] and task.counted else ""
        cells: list[RenderableType] = [
            task.name, samples,
            *([ProgressBar(max(task.asked, 1), task.sampled, 16)] if wide else []),
            _left(task) if running or task.sampled >= task.asked else "–",
            f"{rate[0]:,.1f}" if rate and rate[0] else "",
            *([tokens] if wide else []),
            _score(task),
            *([truncated] if wide else []),
            f"[red]{task.errors:,}[/red]" if task.errors else "0",
        ]  # fmt: skip
        table.add_row(*cells)
    return table


def _score(task: TaskProgress) -> str:
    found = task.score()
    if found is None:
        return "–"
    value, error, sampling = found
    if error is None:
        return f"{value * 100:.1f}"
    return f"{value * 100:.1f} ±{error * 100:.1f}" + ("" if sampling else "*")


def _left(task: TaskProgress) -> str:
    """Time until the last sample at the rate of the last minute."""
    rate = task.rate()
    missing = task.asked - task.sampled
    if missing <= 0:
        return "grading" if not task.complete and task.graded + task.errors < task.asked else "done"
    return _span(missing / rate[0]) if rate and rate[0] > 0 else "–"


def _span(seconds: float) -> str:
    """A duration: 0:42, 12:05, 3:07:00."""
    whole = max(int(seconds), 0)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _endings(progress: RunProgress) -> RenderableType:
    """How the samples of each task ended, and which problems were finished last."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True, style=_PALE)
    grid.add_column()
    for task in progress.tasks.values():
        total = sum(task.verdicts.values())
        counts = Text(", ").join(
            Text(f"{verdict.replace('_', ' ')} {count:,} ({count / total:.1%})",
                 "green" if verdict == "correct" else "")
            for verdict, count in task.verdicts.most_common()
        )  # fmt: skip
        grid.add_row(task.name, counts or Text("no grade yet", _PALE))
        if task.last and not task.complete:
            found = task.correct
            ends = ", ".join(f"{id} {found[id][0]}/{found[id][1]}" for id in reversed(task.last))
            grid.add_row("", Text(f"last finished: {ends}", _PALE, overflow="ellipsis",
                                  no_wrap=True))  # fmt: skip
    return grid


def _notes(progress: RunProgress) -> str:
    """What a reader must know about the numbers above."""
    scores = [task.score() for task in progress.tasks.values()]
    notes = []
    if any(score and not score[2] and score[1] is not None for score in scores):
        notes.append("* problems error: some problems have a single sample so far.")
    if not progress.complete and any(scores):
        notes.append("pass@1 so far covers the problems with a graded sample.")
    for task in progress.tasks.values():
        silent = task.problems - len(task.correct)
        if task.complete and silent > 0:
            notes.append(
                f"{task.name}: problems without any response, left out of the mean: {silent:,}."
            )
    return " ".join(notes)
