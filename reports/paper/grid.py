"""The tables of the DeepSeek-R1 paper with runs of one's own in them, and a verdict per cell.

`harness.reports.paper.layouts` says what rows and columns there are; what stands in them comes from the
baselines and from run folders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UsageError
from harness.reports.baselines.loader import PublishedScore
from harness.reports.baselines.measured import measured
from harness.reports.baselines.protocol_differences import stated_differences
from harness.reports.baselines.verdict import CellVerdict, judge_cell
from harness.reports.results import Result
from harness.types import Score

from .layouts import Heading, Layout
from .leads import Rival, leader


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at one model and heading: a published figure, or a run's score beside it.

    `cell` is the published figure of the model, None where there is none; `borrowed` that it
    comes from the fallback. `result` is None on a published model's own line. `differences` are
    the stated parts in which the run's protocol is not that of the table. `verdict` is None without a
    figure of the same model, and `rival` is what competes for the heading's best value.
    """

    heading: Heading
    cell: PublishedScore | None
    borrowed: bool = False
    result: Result | None = None
    score: Score | None = None
    differences: tuple[str, ...] = ()
    verdict: CellVerdict | None = None
    rival: Rival | None = None
    best: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """All entries of a published model, or of a run (`run` is its name).

    `known` is False for a run whose model the table does not have.
    """

    model: str
    run: str | None
    entries: tuple[Entry, ...]
    known: bool = True


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A table of the paper with runs in it; `margin` is a share from 0 to 1.

    `undecided` says of each heading without a best value why there is none, and the figures.
    """

    layout: Layout
    margin: float
    lines: tuple[Line, ...]
    undecided: Mapping[Heading, tuple[str, str]]
    absent: tuple[str, ...]
    published: tuple[PublishedScore, ...]


def lay_out(
    layout: Layout, results: Sequence[Result], published: Sequence[PublishedScore], *, margin: float
) -> PaperTable:
    """Set runs into a table of the paper and judge each cell that has a published figure.

    Args:
        layout: the table.
        results: what was read from the run folders.
        published: every baseline there is.
        margin: see `harness.reports.baselines.verdict.judge_cell`; a share from 0 to 1.

    Raises:
        UsageError: no run holds a task of the table.
    """
    runs: dict[str, list[Result]] = {}
    for result in results:
        runs.setdefault(result.run, []).append(result)
    tasks = dict.fromkeys(heading.task for heading in layout.headings)
    shown = {run: found for run, found in runs.items() if {r.task for r in found} & tasks.keys()}
    if not shown:
        raise UsageError(
            f"--table {layout.name}: no run holds a task of it ({', '.join(tasks)}); the runs "
            f"hold {', '.join(dict.fromkeys(result.task for result in results))}"
        )
    figures = _published(layout, published)
    inside = [c for c in published if c.source == layout.source and c.stands_in(layout.printed)]
    inside.sort(key=lambda cell: cell.position(layout.printed))
    models = dict.fromkeys(cell.model for cell in inside)
    lines: list[Line] = []
    own = {
        run: next((m for m in models if found[0].is_of(m)), None) for run, found in shown.items()
    }
    for model in models:
        row = [_figure(model, h, *figures.get((model, h), (None, False))) for h in layout.headings]
        lines.append(Line(model, None, tuple(row)))
        for run in (run for run, stands_for in own.items() if stands_for == model):
            lines.append(_run_line(shown[run], model, figures, layout, margin))
    for run in (run for run, stands_for in own.items() if stands_for is None):
        line = _run_line(shown[run], shown[run][0].model, figures, layout, margin)
        lines.append(replace(line, known=False))
    best, undecided = _with_best(lines, layout)
    absent = tuple(
        f"{run} ({', '.join(r.task for r in runs[run])})" for run in runs if run not in shown
    )
    return PaperTable(layout, margin, best, undecided, absent, tuple(published))


def _published(
    layout: Layout, published: Iterable[PublishedScore]
) -> dict[tuple[str, Heading], tuple[PublishedScore, bool]]:
    """By model and heading, the figure that the table prints and whether it is borrowed."""
    found: dict[tuple[str, Heading], tuple[PublishedScore, bool]] = {}
    headings = {(heading.task, heading.metric): heading for heading in layout.headings}
    source, printed = layout.fallback or (None, "")
    for cell in published:
        heading = headings.get((cell.task, cell.metric))
        if heading is None or cell.subset:
            continue
        if cell.source == layout.source and cell.stands_in(layout.printed):
            found[cell.model, heading] = cell, False
        elif cell.source == source and cell.stands_in(printed):
            found.setdefault((cell.model, heading), (cell, True))
    return found


def _figure(model: str, heading: Heading, cell: PublishedScore | None, borrowed: bool) -> Entry:
    rival = None if cell is None else Rival(model, cell.value, k=cell.ks[0])
    return Entry(heading, cell, borrowed, rival=rival)


def _run_line(
    results: Sequence[Result],
    model: str,
    figures: Mapping[tuple[str, Heading], tuple[PublishedScore, bool]],
    layout: Layout,
    margin: float,
) -> Line:
    by_task = {result.task: result for result in results}
    entries = []
    for heading in layout.headings:
        cell, borrowed = figures.get((model, heading), (None, False))
        result = by_task.get(heading.task)
        if result is None or result.scored is None:
            entries.append(Entry(heading, None, result=result))
            continue
        stated = cell or next((c for (_, h), (c, _) in figures.items() if h == heading), None)
        entry = Entry(heading, cell, borrowed, result)
        entries.append(_judged(entry, model, result, stated, margin))
    return Line(model, results[0].run, tuple(entries))


def _judged(
    entry: Entry, model: str, result: Result, stated: PublishedScore | None, margin: float
) -> Entry:
    """The entry of a run with its score, its verdict, and what competes for the heading's best value.

    `stated` is a figure of the heading that says, without one of the same model, whether
    the run was drawn under the table's protocol and so may be its best.
    """
    score = result.scored.main.get(entry.heading.metric) if result.scored else None
    if score is None:
        return replace(entry, verdict=_too_few(entry, result))
    differences = stated_differences(result, stated) if stated else []
    if score.n_problems < len(result.protocol.problems):
        differences.append(
            f"problems {score.n_problems:,} scored of {len(result.protocol.problems):,}"
        )
    ours = measured(score, result.rates)
    verdict = None
    if entry.cell is not None:
        verdict = judge_cell(
            ours, entry.cell.value, entry.cell.ks, differences=differences, margin=margin
        )
    rival = None if differences else Rival(model, ours.value, ours)
    return replace(entry, score=score, differences=tuple(differences), verdict=verdict, rival=rival)


def _too_few(entry: Entry, result: Result) -> CellVerdict | None:
    """Why a vote among k samples has no score, where it is that the run has not so many."""
    metric, needed = entry.heading.metric, votes_of(entry.heading.metric)
    there = min(result.asked.values(), default=result.k)
    if entry.cell is None or needed is None or there >= needed:
        return None
    return CellVerdict(
        "not comparable", f"k: {metric} needs {needed} samples per problem, the run has {there}"
    )


def votes_of(metric: str) -> int | None:
    """64 for cons@64, None for a metric that takes no vote."""
    return int(metric.removeprefix("cons@")) if metric.startswith("cons@") else None


def _with_best(
    lines: Sequence[Line], layout: Layout
) -> tuple[tuple[Line, ...], dict[Heading, tuple[str, str]]]:
    """Mark the best value of each heading where its lead over the next one is real."""
    columns = []
    undecided: dict[Heading, tuple[str, str]] = {}
    for number, heading in enumerate(layout.headings):
        column = [line.entries[number] for line in lines]
        place, *why = leader([entry.rival for entry in column])
        if why[0]:
            undecided[heading] = why[0], why[1]
        columns.append([replace(e, best=i == place) for i, e in enumerate(column)])
    rows = zip(*columns, strict=True)
    return tuple(
        replace(line, entries=entries) for line, entries in zip(lines, rows, strict=True)
    ), undecided
