"""`harness plan`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.points import MARGIN, share_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.reports.tables.model import Table
    from harness.workflows.plan import Step, TaskPlan

_PATH = click.Path(path_type=Path)


@click.command()
@click.option("--tasks", metavar="T[,T..]", default="",
              help="Task names; by default all tasks of the --from run.")  # fmt: skip
@click.option("--from", "run", metavar="RUN", type=_PATH,
              help="An earlier run whose rates and lengths are used.")  # fmt: skip
@click.option("--assume", "rate", metavar="RATE", type=float,
              help="Assume this mean pass@1 instead of a run's, such as 0.7.")  # fmt: skip
@click.option("--spread", metavar="S", type=float,
              help="With --assume: standard deviation of pass@1 between problems; by default that "
              "of AIME-like sets.")  # fmt: skip
@click.option("--length", metavar="TOKENS", type=float,
              help="Tokens generated per sample, reasoning included.")  # fmt: skip
@click.option("--tokens-per-second", "speed", metavar="N", type=float,
              help="Tokens that the engine generates per second over all samples in flight; by "
              "default as measured in RUN.")  # fmt: skip
@click.option("--k", type=int, metavar="N", help="Plan for this k too; by default the run's or the "
              "task's.")  # fmt: skip
@click.option("--base-k", type=int, metavar="N", help="Samples per problem of the run to compare "
              "with; by default as many as the new run has.")  # fmt: skip
@click.option("--detect", metavar="POINTS", type=float,
              help="Print the k that is needed to detect this drop.")  # fmt: skip
@click.option("--margin", type=float, default=MARGIN, show_default=True, metavar="POINTS",
              help="Show the power to detect this drop; see compare.")  # fmt: skip
@click.option("--data", type=_PATH, metavar="DIR", envvar="HARNESS_DATA",
              help="Your own copies of the datasets, to count problems.")  # fmt: skip
@click.option(
    "--json", "document", type=_PATH, metavar="FILE", help="Write the plan as JSON as well."
)
def plan(
    *,
    tasks: str,
    run: Path | None,
    rate: float | None,
    spread: float | None,
    length: float | None,
    speed: float | None,
    k: int | None,
    base_k: int | None,
    detect: float | None,
    margin: float,
    data: Path | None,
    document: Path | None,
) -> None:
    """Estimate what a run will cost and what drop it can detect, before a GPU is used.

    For k from 1 to 64: samples, tokens, hours, both expected standard errors, and the smallest
    drop that `harness compare` detects (one-sided 5 %, power 0.8), with a fixed k and with
    `--until decided`.

    \b
    harness plan --from runs/last --detect 2
    harness plan --tasks aime24 --assume 0.7 --length 12000 \\
        --tokens-per-second 8000
    """
    from harness.cli.task_lookup import task_named
    from harness.stats.power import ALPHA
    from harness.storage.files import write_json
    from harness.workflows.plan import plan_task
    from harness.workflows.plan_inputs import Assumptions, plan_inputs, throughput

    stated = Assumptions(rate=rate, spread=spread, length=length, tokens_per_second=speed)
    names = list(dict.fromkeys(name.strip() for name in tasks.split(",") if name.strip()))
    found = plan_inputs(names, task_named, run=run, data=data, stated=stated)
    if speed is None and run is not None:
        speed = throughput(run)
    plans = [
        plan_task(inputs, k=k, base_k=base_k, margin=share_of(margin, "--margin"),
                  detect=None if detect is None else share_of(detect, "--detect"),
                  tokens_per_second=speed, alpha=ALPHA / len(found))
        for inputs in found
    ]  # fmt: skip
    if document is not None:
        write_json(document, {"plans": [planned.to_json() for planned in plans]})
    _print(plans, k)


def _print(plans: Sequence[TaskPlan], k: int | None) -> None:
    from rich.console import Console

    from harness.reports.tables.terminal import print_tables

    console = Console()
    print_tables([_table(planned, k or planned.inputs.k) for planned in plans], console)
    if len(plans) > 1:
        steps = [planned.step(k or planned.inputs.k) for planned in plans]
        console.print(f"All tasks: {_cost(steps)}.", highlight=False)


def _table(planned: TaskPlan, k: int) -> Table:
    """One row per k, with the conclusions as sentences below."""
    from harness.reports.tables.model import Column, Row, Table

    inputs = planned.inputs
    columns = (
        Column("k"),
        Column("Samples"),
        Column("Tokens"),
        Column("Hours"),
        Column("± samp."),
        Column("± prob."),
        Column("Detects"),
        Column("until decided"),
        Column("of samples"),
        Column(f"Power at {100 * planned.margin:g}", detail=True),
    )
    rows = tuple(
        Row(
            (
                f"{step.k:,}",
                f"{step.samples:,}",
                _tokens(step.tokens),
                _hours(step.hours),
                _points(step.se_sampling),
                _points(step.se_problems),
                _drop(step.drop, planned),
                "–" if step.decided_drop is None else _drop(step.decided_drop, planned),
                "–" if step.decided_share is None else f"{step.decided_share:.0%}",
                f"{step.margin_power:.0%}",
            ),
            "run" if step.k == k else "",
        )
        for step in planned.steps
    )
    notes = (
        "Standard errors and drops in points of pass@1. ± samp.: on the same problems again; "
        "± prob.: on other problems like these. Detects: the smallest drop that a comparison "
        "detects with power 0.8 at one-sided 5 %, shared among the tasks. Until decided: the same "
        "with k as the cap, and the share of the samples that it needs on average when nothing changed.",
    )
    title = f"{inputs.task}: pass@1 {100 * float(inputs.rates.mean()):.1f}, from {inputs.origin}"
    return Table(title, columns, rows, tuple(_sentences(planned, k)), notes)


def _sentences(planned: TaskPlan, k: int) -> Iterator[str]:
    from harness.stats.power import MOST

    step = planned.step(k)
    base = f" against a base of k {planned.base_k}" if planned.base_k else ""
    mean = float(planned.inputs.rates.mean())
    detects = (
        f"detects a drop of {_points(step.drop)} points"
        if step.drop < mean
        else "detects no drop, however large,"
    )
    sentence = f"k {k}{base} {detects} and costs {_cost([step])}"
    if step.decided_share is not None:
        sentence += f"; until decided about {step.decided_share:.0%} of that when nothing changed"
    yield f"{sentence}."
    detection = planned.detection
    if detection is None:
        return
    drop = f"A drop of {100 * detection.drop:g} point{'s' * (detection.drop != 0.01)}"
    if detection.step is not None:
        yield f"{drop} needs k {detection.k:,}{base}: {_cost([detection.step])}."
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


def _cost(steps: Sequence[Step]) -> str:
    """Samples, tokens and hours in words; says which of them are unknown."""
    parts = [f"{sum(step.samples for step in steps):,} samples"]
    tokens = [step.tokens for step in steps if step.tokens is not None]
    hours = [step.hours for step in steps if step.hours is not None]
    if len(tokens) == len(steps):
        parts.append(f"{_tokens(sum(tokens))} tokens")
    if len(hours) == len(steps):
        parts.append(f"{_hours(sum(hours))} hours")
    else:
        missing = "--length" if len(tokens) < len(steps) else "--tokens-per-second"
        parts.append(f"hours unknown without {missing}")
    return ", ".join(parts)


def _points(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _drop(share: float, planned: TaskPlan) -> str:
    return "none" if share >= float(planned.inputs.rates.mean()) else _points(share)


def _tokens(count: float | None) -> str:
    """A count with a unit: 950, 12.3k, 4.5M, 1.2G."""
    if count is None:
        return "–"
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:.0f}"


def _hours(hours: float | None) -> str:
    if hours is None:
        return "–"
    if hours < 0.01:
        return "<0.01"
    return f"{hours:,.1f}" if hours >= 1 else f"{hours:.2f}"
