"""A comparison of two runs as tables, as Markdown for a CI summary, or in the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.reports.documents import markdown_page
from harness.reports.format import p_text, points, range_text
from harness.stats.comparison import Change, Comparison, TaskComparison
from harness.stats.gate import Ruling
from harness.stats.same_model import SameModel

from .model import Column, Row, Table
from .terminal import print_table

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_PROBLEMS = 5  # of the largest changes, in text; the JSON has all


@dataclass(frozen=True, slots=True)
class Shown:
    """A comparison laid out: one line that says it all, the verdicts, and the details."""

    headline: str
    verdicts: Table
    details: tuple[Table, ...]


def lay_out(found: Comparison) -> Shown:
    """The tables of a comparison."""
    details = fingerprint_table(found), _changes(found.tasks), _problems(found.tasks)
    return Shown(headline(found), _verdicts(found), details)


def headline(found: Comparison) -> str:
    """The verdict on the whole, and which tasks it rests on."""
    names = [t.ruling.task for t in found.tasks if t.verdict == found.verdict]
    where = "" if len(names) == len(found.tasks) else f" ({', '.join(names)})"
    rises = f"; a rise on {', '.join(found.rises)}" if found.rises else ""
    incomplete = "; incomplete" if found.incomplete and found.verdict != "incomplete" else ""
    return f"{found.verdict}{where}{rises}{incomplete}: {found.new} against {found.base}"


def to_markdown(found: Comparison) -> str:
    """For a CI summary: the verdicts, with the details folded."""
    return markdown_page("compare.md.jinja", shown=lay_out(found))


def print_comparison(found: Comparison, console: Console) -> None:
    """Everything, with the largest changes of a few problems."""
    from rich.text import Text

    shown = lay_out(found)
    style = {"regression": "bold red", "no regression": "bold green"}.get(
        found.verdict, "bold yellow"
    )
    console.print(Text(shown.headline, style))
    console.print()
    for table in (shown.verdicts, *shown.details):
        if table.rows or table.notes:
            print_table(table, console)
            console.print()


def sentences(task: TaskComparison) -> list[str]:
    """What the verdict on one task rests on, in words."""
    ruling, difference = task.ruling, task.ruling.difference
    lines = [
        f"{_verdict_text(task)}: {points(difference.base, sign=False)} -> "
        f"{points(difference.new, sign=False)}, {points(difference.value)} points "
        f"(95 % {range_text(difference.interval_sampling)} by the sampling error), p of a drop {p_text(ruling.p_drop)}"
    ]
    if task.rise:
        lines.append(rise_text(ruling))
    lines.append(power_text(ruling))
    if ruling.analysis is not None:
        low, high = ruling.analysis.interval
        lines.append(
            f"stopped early, after interim analysis {ruling.analysis.stage}: the plain mean "
            f"{points(ruling.analysis.score, sign=False)} lies within "
            f"{points(low, sign=False)} to {points(high, sign=False)} whenever one stops"
        )
    return lines


def rise_text(ruling: Ruling) -> str:
    """What to think of when a score has risen."""
    return f"a significant rise (p {p_text(ruling.p_rise)}): is the extraction the same?"


def power_text(ruling: Ruling) -> str:
    """What drop the run can show, and what it would take where that is too little."""
    smallest = "none"
    if ruling.detectable is not None:
        smallest = f"{points(ruling.detectable, sign=False)} points"
    text = (
        f"smallest detectable drop {smallest} (power 0.8); "
        f"power {ruling.power:.2f} at the margin of {points(ruling.margin, sign=False)}"
    )
    if ruling.verdict != "underpowered":
        return text
    needs = f"k={ruling.k_needed} on both sides" if ruling.k_needed else "no k up to 4,096"
    more = (
        "no number of problems"
        if not ruling.problems_needed
        else (f"{ruling.problems_needed:,} problems")
    )
    return f"{text}; to see it: {needs}, or {more} like these"


def _verdicts(found: Comparison) -> Table:
    columns = (
        Column("Task", "name"),
        Column("Verdict", "name"),
        Column("Base", detail=True),
        Column("New", detail=True),
        Column("Change"),
        Column("95 %"),
        Column("95 % by problems", detail=True),
        Column("p drop"),
        Column("p sign-flip", detail=True),
        Column("Detects"),
        Column("Power"),
    )
    alerts = [*found.incomplete, *found.notes]
    for task in found.tasks:
        further = (line for line in sentences(task)[1:] if not line.startswith("smallest"))
        alerts += [f"{task.ruling.task}: {line}" for line in (*task.notes, *further)]
        if task.verdict == "underpowered":
            alerts.append(f"{task.ruling.task}: {power_text(task.ruling)}")
    note = (
        "In points. 95 %: of the change, over these problems again. p drop: one-sided and mid-p, "
        "adjusted over the tasks; p sign-flip: two-sided, over other problems, decides nothing. "
        "Detects: the smallest drop seen with power 0.8; power: at a drop of "
        f"{points(found.margin, sign=False)}."
    )
    rows = tuple(_verdict_row(task) for task in found.tasks)
    return Table("Verdicts", columns, rows, tuple(alerts), (note,))


def _verdict_row(task: TaskComparison) -> Row:
    ruling = task.ruling
    problems = ruling.difference.interval_problems
    cells = (
        *verdict_cells(task),
        range_text(problems) if problems else "–",
        p_text(ruling.p_drop),
        p_text(ruling.difference.p_sign_flip),
        "none" if ruling.detectable is None else points(ruling.detectable, sign=False),
        f"{ruling.power:.2f}",
    )
    if ruling.analysis is not None:  # those two are of a fixed number of samples
        cells = (*cells[:-2], "–", "–")
    return Row(cells, "run" if task.verdict == "regression" else "")


def verdict_cells(task: TaskComparison) -> tuple[str, ...]:
    """A ruling as cells: task, verdict, base, new, change, 95 %."""
    ruling, difference = task.ruling, task.ruling.difference
    return (
        ruling.task,
        _verdict_text(task),
        points(difference.base, sign=False),
        points(difference.new, sign=False),
        points(difference.value),
        range_text(difference.interval_sampling)
        if ruling.analysis is None
        else f"at least {points(ruling.analysis.low)}",
    )


def _verdict_text(task: TaskComparison) -> str:
    """The verdict, with what else must be known of it."""
    lacking = ["incomplete"] if task.incomplete and task.verdict != "incomplete" else []
    return ", ".join([task.verdict, *lacking, *(["rise"] if task.rise else [])])


def fingerprint_table(found: Comparison | SameModel) -> Table:
    """What made the runs, where it differs."""
    rows = [Row((name, base, new)) for name, (base, new) in found.fingerprint.items()]
    columns = (Column("What made them", "name"), Column("Base", "text"), Column("New", "text"))
    return Table("How the runs were made, where it differs", columns, tuple(rows))


def _changes(tasks: Sequence[TaskComparison]) -> Table:
    rows = [
        Row((task.ruling.task, change.name, _figure(change, change.base),
             _figure(change, change.new)))
        for task in tasks
        for change in task.changes
        if change.base or change.new
    ]  # fmt: skip
    columns = (Column("Task", "name"), Column("Figure", "name"), Column("Base"), Column("New"))
    return Table("Lengths and shares", columns, tuple(rows))


def _figure(change: Change, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if change.name.endswith("share") else f"{value:,.0f}"


def _problems(tasks: Sequence[TaskComparison]) -> Table:
    rows, notes = [], []
    for task in tasks:
        changed = [problem for problem in task.problems if problem.value]
        rows += [
            Row((task.ruling.task, problem.id, f"{problem.base.correct}/{problem.base.n}",
                 f"{problem.new.correct}/{problem.new.n}", points(problem.value)))
            for problem in changed[:SHOWN_PROBLEMS]
        ]  # fmt: skip
        notes.append(f"{task.ruling.task}: {len(changed)} of {len(task.problems)} changed.")
    columns = (Column("Task", "name"), Column("Problem", "name"), Column("Base"), Column("New"),
               Column("Change"))  # fmt: skip
    return Table("Problems with the largest changes", columns, tuple(rows), notes=tuple(notes))
