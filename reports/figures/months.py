"""pass@1 by the month of the problems, before and after what the model can know."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.reports.format import value_text
from harness.reports.results import Result
from harness.stats.scores import BreakdownRow

from .style import INK, MOST_SERIES, SERIES, Plot, label, legend, panel, percent_axis
from .whiskers import whiskers, within_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


def check_month(cutoff: str) -> None:
    """Raise UsageError for a cutoff that is no month."""
    if not _MONTH.fullmatch(cutoff):
        raise UsageError(f"--cutoff {cutoff!r}: it is a month, such as 2024-07")


def month_plot(group: Sequence[Result], stem: str, cutoff: str | None) -> Plot | None:
    """pass@1 by the month of the problems, with the model's cutoff marked."""
    known = {
        result.run: {row.group: row for row in result.scored.breakdown if row.by == "month"}
        for result in group[:MOST_SERIES]
        if result.scored
    }
    months = sorted({month for rows in known.values() for month in rows})
    if not months:
        return None
    figure, axes = panel()
    place = {month: number for number, month in enumerate(months)}
    for number, (run, rows) in enumerate(known.items()):
        shift = (number - (len(known) - 1) / 2) * 0.12
        at = [place[month] + shift for month in rows]
        values = [row.value for row in rows.values()]
        bars = whiskers(values, [row.interval_problems for row in rows.values()])
        axes.errorbar(at, values, bars, fmt="o", color=SERIES[number], label=label(run),
                      elinewidth=0.9, markersize=4)  # fmt: skip
        if cutoff:
            _sides(axes, rows, place, cutoff, SERIES[number])
    step = max(1, -(-len(months) // 5))
    axes.set_xticks(range(0, len(months), step), months[::step])
    if cutoff:
        axes.axvline(_after(months, cutoff) - 0.5, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
    axes.set_ylim(0, 1)
    within_shares(axes)
    axes.set_ylabel("pass@1")
    percent_axis(axes)
    legend(axes)
    note = "Points: pass@1 with the 95 % interval for other problems like those of the month."
    bare = sum(row.interval_problems is None for rows in known.values() for row in rows.values())
    if bare:
        note += (f" Points without one: {bare}; a single problem has none, nor has a run scored "
                 "before they were kept (harness score adds them).")  # fmt: skip
    if cutoff:
        note += (f" Dashed: the model's cutoff, after {cutoff}; horizontal lines: the mean over the "
                 "problems on either side of it.")  # fmt: skip
    title = "pass@1 by month"
    words = "; ".join(
        f"{run}: " + ", ".join(f"{m} {value_text('pass@1', row.value)}"
                               for m, row in rows.items()) for run, rows in known.items()
    )  # fmt: skip
    marked = f" The cutoff after {cutoff} is marked." if cutoff else ""
    return Plot(f"{stem}-months", title, f"{title}. {words}.{marked}", note, figure)


def _after(months: Sequence[str], cutoff: str) -> int:
    """How many of the months are not after the cutoff."""
    return sum(month <= cutoff for month in months)


def _sides(
    axes: Axes,
    rows: Mapping[str, BreakdownRow],
    place: Mapping[str, int],
    cutoff: str,
    color: str,
) -> None:
    """The mean over the problems up to the cutoff, and over those after it."""
    for side in (True, False):
        found = {month: row for month, row in rows.items() if (month <= cutoff) is side}
        count = sum(row.n_problems for row in found.values())
        if count:
            value = sum(row.n_problems * row.value for row in found.values()) / count
            ends = [min(place[m] for m in found) - 0.4, max(place[m] for m in found) + 0.4]
            axes.plot(ends, [value, value], color=color, linewidth=1.2, alpha=0.8)
