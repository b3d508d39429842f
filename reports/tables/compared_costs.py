"""What the two runs of a comparison cost, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from harness.reports.format import points, range_text
from harness.stats.comparison import Comparison, CostChange, GpuUse

from .costs import MEASURED, hours_figure, k1_error_text, ratio_text, usd_or_dash
from .model import Column, Row, Table

_NOTE = (
    "USD at k=1: of one sample of every problem, the mean of those drawn; ± its standard error, and "
    "95 % the interval, for the same problems again. Points per USD: pass@1 in points over the USD at "
    "k=1; it favours a cheap model, however weak, so read it beside the change in points."
)


def compared_costs(found: Comparison) -> Table:
    """Dollars at k = 1 and points per dollar of both runs, by task; GPU hours as notes."""
    columns = (
        Column("Task", "name"),
        Column("Run", "name"),
        Column("USD", detail=True),
        Column("USD at k=1"),
        Column("±", detail=True),
        Column("pass@1"),
        Column("Points per USD"),
    )
    rows = tuple(row for change in found.costs for row in _rows(change))
    alerts = [line for change in found.costs for line in _lacking(change)]
    notes = [line for change in found.costs for line in _in_words(change)]
    notes += dict.fromkeys(line for change in found.costs for line in _sources(change))
    notes += [_NOTE, MEASURED] if rows else []
    notes += [_gpu_text(side, use) for side, use in zip(("base", "new run"), found.gpus, strict=True)
              if use is not None]  # fmt: skip
    return Table("Cost", columns if rows else (), rows, tuple(alerts), tuple(notes))


def _rows(change: CostChange) -> Iterator[Row]:
    """The base, the new run, and how many times as much that costs."""
    scores = change.difference.base, change.difference.new
    sides = ("base", change.base), ("new", change.new)
    for number, (side, cost) in enumerate(sides):
        cells = (
            "" if number else change.task,
            side,
            usd_or_dash(None if cost is None else cost.usd),
            usd_or_dash(None if cost is None else cost.at_k1),
            k1_error_text(cost),
            points(scores[number], sign=False),
            ratio_text(change.points_per_usd[number]),
        )
        yield Row(cells)
    if (ratio := change.ratio) is not None:
        yield Row(("", "new / base", "", f"{ratio.value:.2f}", "", "", ""), "run")


def _in_words(change: CostChange) -> Iterator[str]:
    """The change of costs beside that of points; nothing where a cost is not known."""
    ratio, difference = change.ratio, change.difference
    if ratio is not None:
        ends = ratio.interval
        likely = "" if ends is None else f" (95 % {ends[0]:.2f} to {ends[1]:.2f})"
        yield (
            f"{change.task}: a sample of each problem costs {ratio.value:.2f} times as much{likely}, for "
            f"{points(difference.value)} points (95 % {range_text(difference.interval_sampling)})."
        )


def _sources(change: CostChange) -> Iterator[str]:
    """What the dollars of both sides rest on."""
    sides = ("base", change.base), ("new run", change.new)
    for (side, cost), why in zip(sides, change.why, strict=True):
        known = f"no cost: {why}" if cost is None else f"USD {cost.source}"
        yield f"{side}: {known}."


def _lacking(change: CostChange) -> Iterator[str]:
    for side, cost in (("base", change.base), ("new run", change.new)):
        if cost is not None and cost.lacking:
            yield f"{change.task}, {side}: {cost.lacking}."


def _gpu_text(side: str, use: GpuUse) -> str:
    seconds = use.seconds_per_sample
    each = "" if seconds is None else f", {seconds:.3g} GPU seconds per sample"
    lacking = f"; {use.time.lacking}" if use.time.lacking else ""
    hours = f"{hours_figure(use.time.hours)} GPU hours for {use.samples:,} samples"
    return f"{side}: {hours}{each}, all tasks together{lacking}."
