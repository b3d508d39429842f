"""Whether two runs come from one model: as tables, as Markdown for a CI summary, or in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.reports.documents import markdown_page
from harness.reports.format import p_text, points, range_text
from harness.stats.same_model import SameModel, TaskSameness
from harness.stats.traits import Trait

from .comparison import Shown, fingerprint_table
from .model import Column, Row, Table
from .terminal import print_table

if TYPE_CHECKING:
    from rich.console import Console

_STYLES = {"different": "bold red", "no difference found": "bold green"}


def lay_out(found: SameModel) -> Shown:
    """The tables of a check."""
    return Shown(headline(found), _verdicts(found), (_traits(found), fingerprint_table(found)))


def headline(found: SameModel) -> str:
    """The verdict on the whole, and which tasks it rests on."""
    names = [t.task for t in found.tasks if t.verdict == found.verdict]
    where = "" if len(names) == len(found.tasks) else f" ({', '.join(names)})"
    return f"{found.verdict}{where}: {found.new} against {found.base}"


def to_markdown(found: SameModel) -> str:
    """For a CI summary: the verdicts, with the traits folded."""
    return markdown_page("compare.md.jinja", shown=lay_out(found))


def print_same_model(found: SameModel, console: Console) -> None:
    """Everything."""
    from rich.text import Text

    shown = lay_out(found)
    console.print(Text(shown.headline, _STYLES.get(found.verdict, "bold yellow")))
    console.print()
    for table in (shown.verdicts, *shown.details):
        if table.rows or table.notes:
            print_table(table, console)
            console.print()


def sentences(task: TaskSameness) -> list[str]:
    """What the verdict on one task rests on, in words."""
    lines = [f"{task.verdict}: {_differences(task) or 'no trait differs'}"]
    seen = [f"{t.name} {_detects(t)}" for t in task.traits if t.detectable is not None]
    if seen:
        lines.append(f"smallest difference seen with power 0.8: {', '.join(seen)}")
    if task.verdict == "underpowered":
        lines.append(_needs(task))
    return lines


def _differences(task: TaskSameness) -> str:
    return ", ".join(
        f"{t.name} {_change(t)} (p {p_text(t.p_adjusted or 0.0)})" for t in task.differing
    )


def _needs(task: TaskSameness) -> str:
    blind = ", ".join(
        f"{t.name} {'none' if t.detectable is None else _detects(t)} where {_limit(t)} is asked for"
        for t in task.traits
        if t.blind
    )
    if task.k_needed:
        how = f"to see it: k={task.k_needed} on both sides, or a larger --margin"
    else:
        why = "at temperature 0 k is 1" if task.greedy else "no k up to 4,096 would show it"
        how = f"{why}: take more problems, or a larger --margin"
    return f"detectable: {blind}; {how}"


def _verdicts(found: SameModel) -> Table:
    columns = (Column("Task", "name"), Column("Verdict", "name"), Column("Differs in", "text"),
               Column("Same texts"))  # fmt: skip
    rows = [
        Row(
            (task.task, task.verdict, ", ".join(t.name for t in task.differing) or "–",
             f"{task.identical:,} of {task.n_pairs:,}"),
            "run" if task.verdict == "different" else "",
        )
        for task in found.tasks
    ]  # fmt: skip
    alerts = [line for task in found.tasks for line in task.incomplete]
    alerts += found.notes
    for task in found.tasks:
        lines = [*task.notes, *([_needs(task)] if task.verdict == "underpowered" else [])]
        alerts += [f"{task.task}: {line}" for line in lines]
    note = (
        "Same texts: samples whose text is that of the sample of the same number in the other run. "
        "What no difference leaves open: docs/provider-check.md."
    )
    return Table("Verdicts", columns, tuple(rows), tuple(alerts), (note,))


def _traits(found: SameModel) -> Table:
    columns = (
        Column("Task", "name"),
        Column("Trait", "name"),
        Column("Base"),
        Column("New"),
        Column("Change"),
        Column("95 %", detail=True),
        Column("p"),
        Column("Detects"),
    )
    rows = [_trait_row(task, trait) for task in found.tasks for trait in task.traits]
    units = sorted({task.length_unit for task in found.tasks})
    note = (
        f"Shares in points; length: geometric mean in {' or '.join(units)}, change in percent. Answers, "
        "openings: how alike two samples of a problem are in each run, and how much more alike than "
        "two of different runs. p: two-sided, adjusted over traits and tasks; – where nothing varies. "
        "Detects: the smallest change seen with power 0.8; of answers and openings, the share of "
        "samples like no other."
    )
    return Table("Traits", columns, tuple(rows), notes=(note,))


def _trait_row(task: TaskSameness, trait: Trait) -> Row:
    cells = (
        task.task,
        trait.name,
        _level(trait, trait.base),
        _level(trait, trait.new),
        _change(trait),
        "–" if trait.interval is None else range_text(trait.interval),
        "–" if trait.p_adjusted is None else p_text(trait.p_adjusted),
        _detects(trait) if trait.detectable is not None else "none" if trait.blind else "–",
    )
    return Row(cells, "run" if trait in task.differing else "")


def _level(trait: Trait, value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if trait.name == "length" else points(value, sign=False)


def _change(trait: Trait) -> str:
    if trait.difference is None:
        return "–"
    return f"{points(trait.difference)}{' %' if trait.name == 'length' else ''}"


def _detects(trait: Trait) -> str:
    return _size(trait, trait.detectable)


def _limit(trait: Trait) -> str:
    return _size(trait, trait.limit)


def _size(trait: Trait, value: float | None) -> str:
    """A detectable difference to a tenth, and no smaller than that: 0.0 would promise too much."""
    if value is None:
        return "–"
    text = "<0.1" if 0 < value < 0.0005 else points(value, sign=False)
    return f"{text}{' %' if trait.name == 'length' else ''}"
