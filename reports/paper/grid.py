"""A paper's table with runs of one's own in it, and a verdict per cell.

`harness.reports.paper.layouts` says what rows and columns there are; what stands in them comes from the
baselines (`harness.reports.paper.cells`) and from run folders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import UsageError
from harness.reports.baselines.measured import measured
from harness.reports.baselines.protocol_differences import stated_differences
from harness.reports.baselines.scores import PublishedScore
from harness.reports.baselines.verdict import CellVerdict, judge_cell
from harness.reports.results import Result
from harness.types import Score

from .cells import Figure, ModelLine, model_lines
from .layouts import Heading, Layout, Row
from .leads import Rival, leader
from .parts import part_of
from .placement import line_of


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at one model and heading: a published figure, or a run's score beside it.

    `figure` is the published one of the model, None where there is none. `result` is None on a
    published model's own line. `differences` are the stated parts in which the run's protocol is not
    that of the table. `verdict` is None without a figure of the same model, and `rival` is what
    competes for the heading's best value.
    """

    heading: Heading
    figure: Figure | None
    result: Result | None = None
    score: Score | None = None
    differences: tuple[str, ...] = ()
    verdict: CellVerdict | None = None
    rival: Rival | None = None
    best: bool = False

    @property
    def cell(self) -> PublishedScore | None:
        """The published figure itself."""
        return self.figure.score if self.figure else None

    @property
    def borrowed(self) -> bool:
        """Whether the figure comes from the fallback."""
        return self.figure is not None and self.figure.borrowed


@dataclass(frozen=True, slots=True)
class Line:
    """All entries of a published model, or of a run (`run` is its name) beside it.

    `row` is that of the model. It is None for a run whose model the table does not have, or has under
    other settings only.
    """

    model: str
    run: str | None
    entries: tuple[Entry, ...]
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class PaperTable:
    """A paper's table with runs in it; `margin` is a share from 0 to 1.

    `undecided` says of each heading without a best value why there is none, and the figures.
    `rows` are the table's models.
    """

    layout: Layout
    margin: float
    lines: tuple[Line, ...]
    undecided: Mapping[Heading, tuple[str, str]]
    absent: tuple[str, ...]
    published: tuple[PublishedScore, ...]
    rows: tuple[Row, ...] = ()


def lay_out(
    layout: Layout, results: Sequence[Result], published: Sequence[PublishedScore], *, margin: float
) -> PaperTable:
    """Set runs into a paper's table and judge each cell that has a published figure.

    Args:
        layout: the table.
        results: what was read from the run folders.
        published: every baseline there is.
        margin: see `harness.reports.baselines.verdict.judge_cell`; a share from 0 to 1.

    Raises:
        DataError: the table names what no baseline has, see `harness.reports.paper.cells`.
        UsageError: no run holds a task of the table.
    """
    models = model_lines(layout, published)
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
    rows = tuple(model.row for model in models)
    own = {run: line_of(rows, found[0]) for run, found in shown.items()}
    lines: list[Line] = []
    for number, model in enumerate(models):
        lines.append(_published_line(layout, model))
        for run in (run for run, beside in own.items() if beside == number):
            lines.append(_run_line(shown[run], model, models, layout, margin))
    for run in (run for run, beside in own.items() if beside is None):
        lines.append(_run_line(shown[run], None, models, layout, margin))
    best, undecided = _with_best(lines, layout)
    absent = tuple(
        f"{run} ({', '.join(r.task for r in runs[run])})" for run in runs if run not in shown
    )
    return PaperTable(layout, margin, best, undecided, absent, tuple(published), rows)


def _published_line(layout: Layout, model: ModelLine) -> Line:
    entries = []
    for heading, figure in zip(layout.headings, model.figures, strict=True):
        cell = figure.score if figure else None
        rival = None if cell is None else Rival(cell.model, cell.value, k=cell.ks[0])
        entries.append(Entry(heading, figure, rival=rival))
    return Line(model.row.model, None, tuple(entries), model.row)


def _run_line(
    results: Sequence[Result],
    beside: ModelLine | None,
    models: Sequence[ModelLine],
    layout: Layout,
    margin: float,
) -> Line:
    """A run beside its model's line, or on its own where `beside` is None."""
    by_task = {result.task: result for result in results}
    model = beside.row.model if beside else results[0].model
    entries = []
    for number, heading in enumerate(layout.headings):
        figure = beside.figures[number] if beside else None
        result = by_task.get(heading.task)
        if result is None or result.scored is None:
            entries.append(Entry(heading, None, result))
            continue
        stated = figure or next((m.figures[number] for m in models if m.figures[number]), None)
        entry = Entry(heading, figure, result)
        entries.append(_judged(entry, model, result, stated, margin))
    return Line(model, results[0].run, tuple(entries), beside.row if beside else None)


def _judged(
    entry: Entry, model: str, result: Result, stated: Figure | None, margin: float
) -> Entry:
    """The entry of a run with its score, its verdict, and what competes for the heading's best value.

    `stated` is a figure of the heading that says, without one of the same model, whether
    the run was drawn under the table's protocol and so may be its best.
    """
    heading, whole = entry.heading, result.problems
    if heading.subset:
        part = part_of(result, heading.subset)
        if part is None:
            return replace(entry, verdict=_without_part(entry))
        result, entry = part, replace(entry, result=part)
    score = result.scored.main.get(heading.ours) if result.scored else None
    if score is None:
        return replace(entry, verdict=_too_few(entry, result))
    differences = _differences(replace(result, problems=whole), stated)
    if heading.obstacle:
        barred = CellVerdict("not comparable", heading.obstacle) if entry.cell else None
        return replace(entry, score=score, verdict=barred)
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


def _differences(result: Result, stated: Figure | None) -> list[str]:
    """What of a run's protocol is not the figure's, over the same part of the problems."""
    return stated_differences(result, replace(stated.score, subset={})) if stated else []


def _without_part(entry: Entry) -> CellVerdict | None:
    """That a run's problems do not say which of them a figure is over."""
    if entry.cell is None:
        return None
    properties = ", ".join(f"{name} {value}" for name, value in entry.heading.subset)
    return CellVerdict("not comparable", f"the run has no problems of {properties}")


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
