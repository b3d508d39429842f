"""pass@1 against the dollars that it takes: one point per run, dollars on a logarithmic axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.reports.costs import TaskCost, task_cost
from harness.reports.format import value_text
from harness.reports.results import Result
from harness.stats.cost import usd_text

from .style import MOST_SERIES, SERIES, Plot, label, legend, panel, percent_axis
from .whiskers import whiskers, within_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_Z = 1.959964  # of the normal distribution, for 95 %
_MOST_TICKS = 5


def cost_plot(group: Sequence[Result], stem: str) -> Plot | None:
    """pass@1 over the USD of one sample of every problem; None unless two runs have both.

    Args:
        group: the task in each run.
        stem: of the file's name.
    """
    rows = [row for row in map(task_cost, group) if row.score is not None and _usd(row)]
    if len(rows) < 2:
        return None
    intervals = {
        result.run: result.scored.sampling_interval(result.scored.main["pass@1"])
        for result in group
        if result.scored and "pass@1" in result.scored.main
    }
    figure, axes = panel()
    for number, row in enumerate(rows[:MOST_SERIES]):
        value, usd = row.score.value if row.score else 0.0, _usd(row)
        error = row.cost.at_k1_error if row.cost else None
        axes.errorbar(
            [usd], [value], [[end] for end in _ends(value, intervals.get(row.run))],
            None if error is None else [[min(_Z * error, 0.99 * usd)], [_Z * error]],
            fmt="o", color=SERIES[number], label=label(row.run), elinewidth=1.2,
        )  # fmt: skip
    _dollar_axis(axes, [_usd(row) for row in rows])
    axes.set_ylabel("pass@1")
    percent_axis(axes)
    within_shares(axes)
    legend(axes)
    title = "pass@1 against dollars"
    words = "; ".join(
        f"{row.run}: {value_text('pass@1', row.score.value)} for {usd_text(_usd(row))} USD"
        for row in rows
        if row.score
    )
    note = (
        "USD at k=1: of one sample of every problem, the mean of those drawn. Bars: 95 % intervals for "
        "the same problems again (sampling), of the score and of the dollars. Up and to the left is better."
    )
    return Plot(f"{stem}-dollars", title, f"{title}. {words}.", note, figure)


def _usd(row: TaskCost) -> float:
    return 0.0 if row.cost is None or row.cost.at_k1 is None else row.cost.at_k1


def _ends(value: float, ends: tuple[float, float] | None) -> tuple[float, float]:
    (below,), (above,) = whiskers([value], [ends])
    return max(0.0, below), max(0.0, above)


def _dollar_axis(axes: Axes, dollars: Sequence[float]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator

    low, high = min(dollars) / 1.6, max(dollars) * 1.6
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks(low, high)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: usd_label(value)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(low, high)
    axes.set_xlabel("USD at k=1")


def ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones, few enough for their labels to stand side by side.

    matplotlib's own locator falls back to a linear scale's ticks on less than a decade.
    """
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1,)):
        found = [step * 10.0**decade for decade in decades for step in steps]
        inside = [tick for tick in found if low <= tick <= high]
        if len(inside) <= _MOST_TICKS:
            return inside
    return inside[:: math.ceil(len(inside) / _MOST_TICKS)]


def usd_label(value: float) -> str:
    """A tick in dollars, with the digits that it needs: 2,000, 0.5, 0.0003."""
    return f"{value:,.0f}" if value >= 1 else f"{value:.10f}".rstrip("0")
