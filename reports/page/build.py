"""A report laid out: per task its tables, figures, outcomes and problems; rendered elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.reports.baselines.scores import PublishedScore
from harness.reports.figures.style import Plot
from harness.reports.results import Rate, Result, by_task
from harness.reports.tables.costs import costs
from harness.reports.tables.levels import levels_table
from harness.reports.tables.model import Table
from harness.reports.tables.protocol import protocol_table, runs_table
from harness.reports.tables.published import beside
from harness.reports.tables.summary import breakdowns, outcomes, problems, summary
from harness.types import Verdict


@dataclass(frozen=True, slots=True)
class Part:
    """One verdict's stretch of a bar, start and share between 0 and 1."""

    verdict: Verdict
    start: float
    share: float


@dataclass(frozen=True, slots=True)
class Mix:
    """How the samples of one run ended."""

    run: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One problem in a strip: its pass rate in words, and as a level r0 to r4 (rx: none)."""

    text: str
    level: str


@dataclass(frozen=True, slots=True)
class Strip:
    """Every problem of a task, for one run."""

    run: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One task."""

    task: str
    summary: Table
    beside: Table
    costs: Table
    outcomes: Table
    breakdown: Table
    levels: Table
    problems: Table
    protocol: Table
    mixes: tuple[Mix, ...]
    strips: tuple[Strip, ...]
    figures: tuple[Plot, ...] = ()

    @property
    def tables(self) -> tuple[Table, ...]:
        """The tables in reading order."""
        groups = (table for table in (self.breakdown, self.levels) if table.rows)
        costs = (self.costs,) if self.costs.rows or self.costs.notes or self.costs.alerts else ()
        return self.beside, *costs, self.outcomes, *groups, self.problems, self.protocol


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is shown."""

    title: str
    models: tuple[str, ...]
    warnings: tuple[str, ...]
    summary: Table
    sections: tuple[Section, ...]
    runs: Table
    results: tuple[Result, ...]
    show_masked: bool = False
    home: str | None = None


def build(
    results: Sequence[Result],
    published: Sequence[PublishedScore],
    *,
    show_masked: bool = False,
    figures: Mapping[str, Sequence[Plot]] | None = None,
    steps: Mapping[str, int] | None = None,
    home: str | None = None,
) -> Report:
    """Lay out a report.

    Args:
        results: what was read from the run folders.
        published: the baselines to set beside them.
        show_masked: show statements and answers of tasks that ask to hide them.
        figures: by task, those to draw on the page.
        steps: the training steps of runs that are checkpoints, by run.
        home: address of the page that lists all runs, where there is one.
    """
    drawn = figures or {}
    groups = by_task(results)
    return Report(
        title=", ".join(dict.fromkeys(result.run for result in results)),
        models=tuple(dict.fromkeys(result.model for result in results)),
        warnings=tuple(f"{r.task}, {r.run}: {r.status}." for r in results if not r.complete),
        summary=summary(groups),
        sections=tuple(
            replace(
                _section(group, published, steps or {}, show_masked=show_masked),
                figures=tuple(plot for plot in drawn.get(task, ()) if plot.on_page),
            )
            for task, group in groups.items()
        ),
        runs=runs_table(results),
        results=tuple(results),
        show_masked=show_masked,
        home=home,
    )


def _section(
    group: Sequence[Result],
    published: Sequence[PublishedScore],
    steps: Mapping[str, int],
    *,
    show_masked: bool,
) -> Section:
    return Section(
        task=group[0].task,
        summary=summary({group[0].task: group}),
        beside=beside(group, published),
        costs=costs(group),
        outcomes=outcomes(group),
        breakdown=breakdowns(group),
        levels=levels_table([(steps[r.run], r) for r in group if r.run in steps]),
        problems=problems(group, show_masked=show_masked),
        protocol=protocol_table(group),
        mixes=tuple(Mix(r.run, tuple(_parts(r))) for r in group if r.scored and r.scored.verdicts),
        strips=tuple(Strip(r.run, tuple(_marks(r))) for r in group if r.rates),
    )


def _parts(result: Result) -> Iterator[Part]:
    verdicts = result.scored.verdicts if result.scored else {}
    total, start = sum(verdicts.values()), 0.0
    for verdict in Verdict:
        share = verdicts.get(verdict, 0) / total
        if share:
            yield Part(verdict, start, share)
        start += share


def _marks(result: Result) -> Iterator[Mark]:
    for id in result.problems:
        rate = result.rates.get(id)
        yield (
            Mark(f"{id}: no graded sample", "rx")
            if rate is None
            else Mark(f"{id}: {rate.correct} of {rate.graded}", f"r{_level(rate)}")
        )


def _level(rate: Rate) -> int:
    """0 for none right, 4 for all right, 1 to 3 by thirds between."""
    if rate.correct in (0, rate.graded):
        return 4 if rate.correct else 0
    return 1 + int(rate.share * 3)
