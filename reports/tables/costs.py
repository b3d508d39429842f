"""What runs cost, as a table: tokens, dollars, dollars at k = 1, and points per dollar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.reports.costs import TaskCost, gpu_time_of, task_cost, why_no_cost
from harness.reports.format import count_text, points
from harness.reports.results import Result
from harness.stats.cost import Cost, GpuTime, usd_text
from harness.stats.usage import Usage

from .model import Column, Row, Table

K1_NOTE = (
    "USD at k=1: of one sample of every problem, the mean of those drawn, so that runs of different k "
    "compare; ± its standard error over new samples. Points per USD: pass@1 in points over the USD at "
    "k=1; it favours a cheap model, however weak."
)
MEASURED = (
    "USD of measured tokens: a prompt counts with each of its samples, a prefix cache is not taken "
    "off, reasoning is in the completion. Failed tries, and samples that ended in error, are not in "
    "it: what they cost is not known."
)
GPU_NOTE = (
    "GPU hours: GPUs times the time from the first request to the last sample, over all starts; "
    "without loading the model, and without grading after the last sample."
)


def costs(group: Sequence[Result]) -> Table:
    """The costs of one task's runs; without rows where no price is known."""
    found = [task_cost(result) for result in group]
    times = {result.run: gpu_time_of(result.manifest) for result in group}
    rows = tuple(_row(row, row.cost) for row in found if row.cost is not None)
    columns = (
        Column("Run", "name"),
        Column("Prompt tokens", detail=True),
        Column("Completion tokens", detail=True),
        Column("USD"),
        Column("USD at k=1"),
        Column("±", detail=True),
        Column("pass@1"),
        Column("Points per USD"),
    )
    hours = [f"{hours_text(run, time)}." for run, time in times.items() if time is not None]
    sources = source_texts({row.run: row.cost for row in found if row.cost is not None})
    notes = [*sources, *([K1_NOTE, MEASURED] if rows else []), *hours]
    notes += [GPU_NOTE] * bool(hours)
    alerts = [text for result in group if (text := no_cost_text(result))]
    alerts += [line for row in found if row.cost is not None for line in caveats(row, row.cost)]
    return Table("Cost", columns if rows else (), rows, tuple(alerts), tuple(notes))


def hours_text(place: str, time: GpuTime) -> str:
    """The GPU hours of a run, all of its tasks together.

    Args:
        place: what the line begins with.
        time: of the run.
    """
    starts = "" if time.starts == 1 else f" in {time.starts} starts"
    lacking = f"; {time.lacking}" if time.lacking else ""
    up_to = "" if time.starts == 1 else "up to "
    gpus = f"{up_to}{time.most:g} GPU{'s' * (time.most != 1)}"
    return (
        f"{place}: {hours_figure(time.hours)} GPU hours of sampling, all tasks together "
        f"({gpus}{starts}){lacking}"
    )


def hours_figure(hours: float) -> str:
    """Hours with three digits at most: 128, 3.25, 0.012."""
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.3g}"


def source_texts(costs: Mapping[str, Cost]) -> list[str]:
    """What the dollars of runs rest on: one line where it is the same for all."""
    lines = {run: f"USD {cost.source}." for run, cost in costs.items()}
    if len(set(lines.values())) == 1:
        return list(lines.values())[:1]
    return [f"{run}: {line}" for run, line in lines.items()]


def caveats(row: TaskCost, cost: Cost) -> list[str]:
    """What the dollars of a task lack, or hold beside its samples, each as one line."""
    place = f"{row.task}, {row.run}"
    lines = [f"{place}: {cost.lacking}."] * bool(cost.lacking)
    if cost.at_k1 is None:
        lines.append(f"{place}: no USD at k=1: some problems have no measured sample.")
    if cost.discarded:
        lines.append(
            f"{place}: {usd_text(cost.discarded)} of the USD went into samples beyond the analysis "
            "that stopped the sampling; they are not kept."
        )
    return lines


def no_cost_text(result: Result) -> str:
    """Why a task has no cost although a price is known; empty where it has one, or no price is known."""
    priced = result.price is not None or result.manifest.price is not None
    if not priced or result.scored is None or task_cost(result).cost is not None:
        return ""
    folder = result.folder.path.parent if result.folder else result.run
    why = why_no_cost(result.scored.usage, priced=True, folder=folder)
    return f"{result.task}, {result.run}: no cost: {why}."


def _row(row: TaskCost, cost: Cost) -> Row:
    usage = row.usage or Usage()
    cells = (
        row.run,
        count_text(usage.prompt_tokens),
        count_text(usage.completion_tokens),
        usd_text(cost.usd),
        usd_or_dash(cost.at_k1),
        k1_error_text(cost),
        points(row.score.value if row.score else None, sign=False),
        ratio_text(row.points_per_usd),
    )
    return Row(cells, "run")


def usd_or_dash(value: float | None) -> str:
    """Dollars, or a dash where they are not known."""
    return "–" if value is None else usd_text(value)


def k1_error_text(cost: Cost | None) -> str:
    """The standard error of USD at k=1, to the last digit of that; a dash where it is not known."""
    if cost is None or cost.at_k1 is None or cost.at_k1_error is None:
        return "–"
    decimals = len(usd_text(cost.at_k1).partition(".")[2])
    text = f"{cost.at_k1_error:,.{decimals}f}"
    return (
        f"<{10**-decimals:.{decimals}f}"
        if cost.at_k1_error and not float(text.replace(",", ""))
        else text
    )


def ratio_text(value: float | None) -> str:
    """Points per dollar with three digits: 1,234, 56.7, 0.0891; a dash where it is not known."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
