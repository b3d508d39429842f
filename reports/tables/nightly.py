"""A night over checkpoints: a table for each, as Markdown for a CI, or in the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.reports.documents import markdown_page
from harness.reports.format import p_text, points
from harness.stats.nights import OverNights
from harness.stats.selection import Choice
from harness.storage.nights import CheckpointResult, TaskResult

from .comparison import lay_out, power_text, rise_text, verdict_cells
from .model import Column, Row, Table
from .terminal import print_table

if TYPE_CHECKING:
    from rich.console import Console

_ALWAYS_DIFFER = ("model", "weights")
_STYLES = {0: "bold green", 1: "bold red", 5: "bold yellow", 4: "bold yellow"}


@dataclass(frozen=True, slots=True)
class Shown:
    """One checkpoint laid out: its verdicts, and the tables of its comparison."""

    table: Table
    details: tuple[Table, ...]


def headline(results: Sequence[CheckpointResult]) -> str:
    """The night in one line: what is wrong, of how many."""
    if not results:
        return "no new checkpoint"
    found: dict[str, list[str]] = {}
    for result in sorted(results, key=lambda result: result.exit_code == 0):
        found.setdefault(result.verdict, []).append(result.checkpoint.run)
    parts = (f"{verdict}: {', '.join(runs)}" for verdict, runs in found.items())
    return f"{len(results)} checkpoints; {'; '.join(parts)}"


def to_table(result: CheckpointResult, runs: Path) -> Table:
    """The verdicts on one checkpoint, under a line that says the worst.

    Args:
        result: of the night.
        runs: the folder of runs, for the commands that a reader may want to give.
    """
    columns = (
        Column("Task", "name"),
        Column("Verdict", "name"),
        Column("Base"),
        Column("New"),
        Column("Change"),
        Column("95 %"),
        Column("Over nights", "name"),
        Column("Held against", "text", detail=True),
    )
    rows = tuple(_row(task) for task in result.tasks)
    return Table(_title(result), columns, rows, tuple(_alerts(result)),
                 tuple(_next_steps(result, runs)))  # fmt: skip


def print_result(result: CheckpointResult, runs: Path, console: Console) -> None:
    """One checkpoint in the terminal."""
    from rich.text import Text

    table = to_table(result, runs)
    console.print()
    console.print(Text(table.title, _STYLES.get(result.exit_code, "bold red")))
    print_table(Table("", table.columns, table.rows, table.alerts, table.notes), console)


def to_markdown(results: Sequence[CheckpointResult], runs: Path) -> str:
    """For a CI summary: the verdicts, with the details folded."""
    shown = [Shown(to_table(result, runs), _details(result)) for result in results]
    return markdown_page("nights.md.jinja", headline=headline(results), shown=shown)


def _details(result: CheckpointResult) -> tuple[Table, ...]:
    if result.comparison is None:
        return ()
    shown = lay_out(result.comparison)
    return shown.verdicts, *shown.details


def _title(result: CheckpointResult) -> str:
    bad = [task.task for task in result.tasks
           if task.verdict == result.verdict or (task.falling and result.exit_code == 1)]  # fmt: skip
    where = f" on {', '.join(bad)}" if result.exit_code and len(bad) < len(result.tasks) else ""
    bases = sorted({task.base for task in result.tasks if task.base and task.comparison})
    against = f" against {', '.join(bases)}" if bases else ""
    rises = result.comparison.rises if result.comparison is not None else ()
    rise = f"; a rise on {', '.join(rises)}" if rises and result.verdict != "rise" else ""
    return f"{result.checkpoint.run}: {result.verdict}{where}{against}{rise}"


def _row(task: TaskResult) -> Row:
    if task.comparison is None:
        score = next((score.value for score in task.scores.scores), None)
        cells: tuple[str, ...] = task.task, task.verdict, "–", points(score, sign=False), "–", "–"
    else:
        cells = verdict_cells(task.comparison)
    kind = "run" if task.verdict == "regression" or task.falling else ""
    return Row((*cells, _over_nights_cell(task.over_nights), task.base or "–"), kind)


def _over_nights_cell(test: OverNights | None) -> str:
    if test is None:
        return "–"
    return f"{'fall' if test.alarm else 'no fall'}, p {p_text(test.p)}"


def over_nights_text(test: OverNights) -> str:
    """The test over nights in one line: whether there is a fall, since when, and how large."""
    over = f"over {test.nights} nights since {test.since}"
    p = f"p {p_text(test.p)}, level {test.level:.3g}"
    if test.p > test.level:
        return f"no fall {over} ({p})"
    low, high = (points(bound, sign=False) for bound in test.interval)
    size = f"{points(test.size, sign=False)} points (95 % {low} to {high})"
    what = (
        f"a fall of {size} at {test.first}"
        if test.shape == "step"
        else f"a drift from {test.first} on, {size} by now"
    )
    return f"{what}{', made up for since' if test.recovered else ''}, {over} ({p})"


def luck_text(choice: Choice) -> str:
    """How a baseline lies among the runs that it was chosen from."""
    return (
        f"the baseline is {'the best' if choice.best else 'one'} of {choice.n} nights with a mean of "
        f"{points(choice.mean, sign=False)}: held against {points(choice.shrunk, sign=False)} instead of "
        f"{points(choice.score, sign=False)} too"
    )


def _alerts(result: CheckpointResult) -> Iterator[str]:
    """What a reader must know before believing the verdict."""
    if result.failure is not None:
        yield str(result.failure)
    if result.comparison is not None:
        yield from result.comparison.incomplete
    for task in result.tasks:
        if task.falling and task.over_nights is not None:
            yield f"{task.task}: {over_nights_text(task.over_nights)}"
        for line in _task_alerts(task):
            yield f"{task.task}: {line}"
    for name, (base, new) in result.fingerprint.items():
        if name not in _ALWAYS_DIFFER and not name.startswith("k of "):  # that is n=.. below
            yield f"made in another way: {name} {base} against {new}"


def _task_alerts(task: TaskResult) -> Iterator[str]:
    if task.why:
        yield task.why
    if task.comparison is None:
        lacking = {"pending": task.scores.pending, "ended in error": task.scores.errors}
        for what, count in lacking.items():
            if count:
                yield f"{count:,} samples {what}; the same command completes them"
        return
    yield from task.comparison.notes
    ruling = task.comparison.ruling
    if task.comparison.rise:
        yield rise_text(ruling)
    if task.verdict == "underpowered":
        yield power_text(ruling)


def _next_steps(result: CheckpointResult, runs: Path) -> Iterator[str]:
    """The commands that a person may want to give now."""
    run = runs / result.checkpoint.run
    free = [task.task for task in result.tasks if task.verdict == "no baseline"]
    other = [task.task for task in result.tasks if task.why]
    for tasks, what in ((free, "no baseline yet"), (other, "a new protocol needs a new baseline")):
        if tasks:
            only = "" if len(tasks) == len(result.tasks) else f" --tasks {','.join(tasks)}"
            yield f"{what} for {', '.join(tasks)}: harness accept {run}{only}"
    yield from _other_nights(result)
    falling = [task.task for task in result.tasks if task.falling]
    if falling:
        only = "" if len(falling) == len(result.tasks) else f" --tasks {','.join(falling)}"
        yield f"to accept the lower level of {', '.join(falling)}: harness accept {run}{only}"
    compared = [task for task in result.tasks if task.comparison is not None]
    if compared:
        sizes = {(t.comparison.ruling.k_base, t.comparison.ruling.k_new) for t in compared
                 if t.comparison is not None}  # fmt: skip
        n = ", ".join(f"n={base} against n={new}" for base, new in sorted(sizes))
        yield f"pass@1 in points, {n}; 95 % by the sampling error (by problems at n=1)."
        yield f"The problems behind it: harness compare {runs / str(compared[0].base)} {run}"


def _other_nights(result: CheckpointResult) -> Iterator[str]:
    """What the nights before say where it is no alarm, and at which levels all of it is tested."""
    for task in result.tasks:
        if task.over_nights is not None and not task.falling:
            yield f"{task.task}: {over_nights_text(task.over_nights)}"
        if task.choice is not None and task.choice.score > task.choice.shrunk:
            yield f"{task.task}: {luck_text(task.choice)}"
        yield from (f"{task.task}: {remark}" for remark in task.remarks)
    levels = [(task.level, task.over_nights.level) for task in result.tasks
              if task.level is not None and task.over_nights is not None]  # fmt: skip
    if levels:
        night, over = levels[0]
        yield (f"Levels over all tasks, from false_alarms_per_month: {100 * night:.2g} % for this night "
               f"against the baseline, {100 * over:.2g} % for the fall over nights.")  # fmt: skip
