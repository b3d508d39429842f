"""The tables and sentences of `harness plan`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cli.output import terminal
from harness.reports.format import count_text
from harness.reports.tables.model import Column, Row, Table
from harness.reports.tables.terminal import print_tables
from harness.stats.cost import usd_text
from harness.stats.power import MOST
from harness.workflows.plan import gpu_hours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.workflows.plan import Step, TaskPlan
    from harness.workflows.plan_cost import SampleCosts
    from harness.workflows.plan_decided import Decided

_NOTE = (
    "Standard errors and drops in points of pass@1. ± samp.: on the same problems again; ± prob.: "
    "on other problems like these. Detects: the smallest drop that a comparison detects with power "
    "0.8 at one-sided 5 %, shared among the tasks. Until decided: what --until decided needs with "
    "this k as the cap, on average where nothing changed. Hours: of sampling, every sample in "
    "flight equally fast."
)

_MOSTLY = 0.7  # of a run's time that its longest sample takes, from which that is said


def print_plans(plans: Sequence[TaskPlan], together: float | None) -> None:
    """Print the plan of each task, and the cost of all.

    Args:
        plans: of the tasks.
        together: hours of one run with all of them.
    """
    console = terminal()
    tables = [table for planned in plans for table in (_steps(planned), _choices(planned))]
    print_tables([table for table in tables if table is not None], console)
    if len(plans) > 1:
        cost = _cost([planned.step(planned.k) for planned in plans], plans[0], together)
        console.print(f"All tasks in one run: {cost}.", highlight=False)


def _steps(planned: TaskPlan) -> Table:
    """One row per k, with the conclusions as sentences below."""
    inputs, priced = planned.inputs, planned.inputs.costs is not None
    columns = (
        Column("k"),
        Column("Samples"),
        Column("Tokens", detail=priced),
        Column("Hours"),
        *([Column("USD")] if priced else []),
        *([Column("GPU hours", detail=True)] if planned.lanes.gpus else []),
        Column("± samp."),
        Column("± prob.", detail=priced),
        Column("Detects"),
        Column("Until decided: samples"),
        Column("hours"),
        Column(f"Power at {100 * planned.question.margin:g}", detail=True),
    )
    rows = tuple(
        Row(
            (
                f"{step.k:,}",
                f"{step.samples:,}",
                _tokens(step.tokens),
                _hours(step.hours),
                *([usd_text(step.usd)] if step.usd is not None else []),
                *([_hours(step.gpu_hours)] if planned.lanes.gpus else []),
                _points(step.se_sampling),
                _points(step.se_problems),
                _drop(step.drop, planned),
                "–" if step.decided is None else f"{step.decided.samples:,.0f}",
                "–" if step.decided is None else _hours(step.decided.hours),
                f"{step.margin_power:.0%}",
            ),
            "run" if step.k == planned.k else "",
        )
        for step in planned.steps
    )
    title = f"{inputs.task}: pass@1 {100 * float(inputs.rates.mean()):.1f}, from {inputs.origin}"
    notes = (_NOTE,) if inputs.costs is None else (_NOTE, _usd_note(inputs.costs))
    return Table(title, columns, rows, (*inputs.said, *_sentences(planned)), notes)


def _usd_note(costs: SampleCosts) -> str:
    return (
        f"USD {costs.source}: a prompt counts with each sample, prefix caches and failed tries are "
        "left out."
    )


def _choices(planned: TaskPlan) -> Table | None:
    """What `--until decided` needs with this and a larger base, uniform and by history."""
    if not planned.choices:
        return None
    step = planned.step(planned.k)
    columns = (
        Column("Base"),
        Column("Allocation", "text"),
        Column("n"),
        Column("Detects"),
        Column("Samples"),
        Column("of all"),
        Column("Tokens"),
        *([Column("USD")] if planned.inputs.costs is not None else []),
        Column("Hours"),
        Column("of all"),
    )
    rows = tuple(_choice(choice, step, planned) for choice in planned.choices)
    title = f"k {planned.k} until decided, on average where nothing changed"
    return Table(title, columns, rows, tuple(_costs_of_history(planned)))


def _choice(choice: Decided, step: Step, planned: TaskPlan) -> Row:
    n = f"{choice.fewest}" if choice.fewest == choice.most else f"{choice.fewest}–{choice.most}"
    hours = "–" if choice.hours is None or not step.hours else f"{choice.hours / step.hours:.0%}"
    cells = (
        f"k {choice.base_k:,}",
        choice.allocation,
        n,
        _drop(choice.drop, planned),
        f"{choice.samples:,.0f}",
        f"{choice.share:.0%}",
        _tokens(choice.tokens),
        *([usd_text(choice.usd)] if choice.usd is not None else []),
        _hours(choice.hours),
        hours,
    )
    return Row(cells, "run" if choice == step.decided else "")


def _sentences(planned: TaskPlan) -> Iterator[str]:
    k, step = planned.k, planned.step(planned.k)
    base = f" against a base of k {planned.base_k}" if planned.base_k else ""
    mean = float(planned.inputs.rates.mean())
    detects = (
        f"detects a drop of {_points(step.drop)} points"
        if step.drop < mean
        else "detects no drop, however large,"
    )
    yield f"k {k}{base} {detects} and costs {_cost([step], planned, step.hours)}."
    if step.hours and step.floor_hours and step.floor_hours > _MOSTLY * step.hours:
        yield (
            f"It waits for its longest sample, about {step.floor_hours / step.hours:.0%} of that time: "
            "more samples in flight save little."
        )
    if (larger := planned.larger_base) is not None:
        samples = larger.base_k * planned.inputs.n_problems
        yield (
            f"A base of four times the samples (once {samples:,}): a new run needs "
            f"{larger.share:.2f} of its samples (k {larger.k}) to detect the same drop."
        )
    yield from _detection(planned, base)


def _detection(planned: TaskPlan, base: str) -> Iterator[str]:
    """What it takes to see the drop that was asked for."""
    detection = planned.detection
    if detection is None:
        return
    mean = float(planned.inputs.rates.mean())
    drop = f"A drop of {100 * detection.drop:g} point{'s' * (detection.drop != 0.01)}"
    if (step := detection.step) is not None:
        yield f"{drop} needs k {detection.k:,}{base}: {_cost([step], planned, step.hours)}."
    elif detection.n_problems is not None:
        yield (
            f"{drop} is out of reach of any k up to {MOST:,}{base}; about {detection.n_problems:,} "
            f"problems like these ({planned.inputs.n_problems:,} now) would do at "
            f"k {detection.k_problems}."
        )
    elif detection.drop < mean:
        yield f"{drop} is out of reach of any k up to {MOST:,}{base}, and of any number of problems."
    else:
        yield f"{drop} cannot happen: the mean is {100 * mean:.1f}."


def _costs_of_history(planned: TaskPlan) -> Iterator[str]:
    """What is seen less where samples are allocated by history."""
    cost = planned.settled
    if cost is None:
        return
    one = f"{cost.fewest}" if cost.fewest == cost.most else f"{cost.fewest} to {cost.most}"
    yield (
        f"Allocated by history, drops on problems that earlier runs always or never solved are seen "
        f"less: {cost.problems:,} problems get {one} samples of {planned.k}."
    )


def _cost(steps: Sequence[Step], planned: TaskPlan, hours: float | None) -> str:
    """Samples, tokens, hours and what else is known of the cost, in words; says why hours are unknown."""
    parts = [f"{sum(step.samples for step in steps):,} samples"]
    tokens = [step.tokens for step in steps if step.tokens is not None]
    if len(tokens) == len(steps):
        parts.append(f"{_tokens(sum(tokens))} tokens")
    if hours is not None:
        parts.append(f"{_hours(hours)} hours")
    else:
        missing = [*(["--length"] if len(tokens) < len(steps) else []), *planned.lanes.missing]
        parts.append(f"hours unknown without {' and '.join(missing)}")
    usd = [step.usd for step in steps if step.usd is not None]
    if len(usd) == len(steps):
        parts.append(f"{usd_text(sum(usd))} USD")
    if (busy := gpu_hours(hours, planned.lanes)) is not None:
        parts.append(f"{_hours(busy)} GPU hours")
    return ", ".join(parts)


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _drop(share: float, planned: TaskPlan) -> str:
    return "none" if share >= float(planned.inputs.rates.mean()) else _points(share)


def _tokens(count: float | None) -> str:
    return "–" if count is None else count_text(count)


def _hours(hours: float | None) -> str:
    if hours is None:
        return "–"
    if hours < 0.01:
        return "<0.01"
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2f}"
