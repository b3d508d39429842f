"""pass@1 by level of the problems over training steps, as appendix C.1 of the R1 paper's version 2 has it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reports.format import value_text
from harness.reports.results import Result
from harness.reports.tables.levels import by_level

from .scores import file_stem
from .style import MOST_SERIES, SERIES, Plot, label, legend, panel, percent_axis, thousands
from .whiskers import whiskers, within_shares


def levels_over_steps(task: str, points: Sequence[tuple[int, Result]]) -> Plot | None:
    """One line per level with the intervals of its points; None without two checkpoints with levels.

    Args:
        task: its name.
        points: the runs with their steps.
    """
    found = by_level(points)
    if found is None or len({step for step, *_ in found.rows}) < 2:
        return None
    figure, axes = panel(2.9)
    ends = []
    shown = found.groups[:MOST_SERIES]
    for color, group in zip(SERIES, shown, strict=False):
        rows = [(step, known[group]) for step, _, known in found.rows if group in known]
        values = [row.value for _, row in rows]
        axes.errorbar([step for step, _ in rows], values,
                      whiskers(values, [row.interval_sampling for _, row in rows]), fmt="o-",
                      color=color, elinewidth=0.9, markersize=4, label=label(found.name(group)))  # fmt: skip
        words = ", ".join(f"{value_text('pass@1', row.value)} at step {step:,}" for step, row in
                          (rows[0], rows[-1]))  # fmt: skip
        ends.append(f"{found.name(group)}: {words}")
    axes.set_xlabel("training steps")
    axes.locator_params(axis="x", nbins=6)
    axes.set_ylabel("pass@1")
    axes.set_ylim(0, 1)
    within_shares(axes)
    right = axes.get_xlim()[1]
    axes.set_xlim(-0.02 * right, right)
    thousands(axes)
    percent_axis(axes)
    legend(axes, 3)
    title = f"Accuracy by {found.by} over training steps"
    note = f"Points: pass@1 of the checkpoints, {found.note}"
    if len(found.groups) > len(shown):
        note += f" The first {len(shown)} of {len(found.groups)}."
    plural = "levels" if found.by == "level" else "difficulties"
    name = f"{file_stem(task)}-training-{plural}"
    return Plot(name, title, f"{task}: {title.lower()}. {'; '.join(ends)}.", note, figure)
