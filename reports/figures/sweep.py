"""The effects of a sweep as one figure: each value's difference to the base, a panel per task."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError
from harness.reports.tables.sweep import by_task
from harness.stats.effects import Effect

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _SOFT, _ACCENT, _LINE = "#1d2126", "#5c6269", "#0d6a6b", "#c9c3b6"
_ROW_INCHES, _PANEL_INCHES = 0.27, 3.6
_MOST_PANELS = 3  # beside each other


def write_figures(effects: Sequence[Effect], paths: Sequence[Path]) -> None:
    """Draw every value's difference to the base, a panel per task; the ending names the format.

    Args:
        effects: of all tasks; a base without a difference is not drawn.
        paths: where to write, each .svg or .pdf.

    Raises:
        DataError: a file that cannot be written.
    """
    import matplotlib
    from matplotlib.figure import Figure

    groups = {
        task: [effect for effect in rows if effect.difference is not None]
        for task, rows in by_task(effects).items()
    }
    groups = {task: rows for task, rows in groups.items() if rows}
    columns = max(1, min(_MOST_PANELS, len(groups)))
    lines = max(1, -(-len(groups) // columns))
    longest = max((len(rows) + _n_factors(rows) for rows in groups.values()), default=1)
    size = (_PANEL_INCHES * columns + 0.4, (longest * _ROW_INCHES + 1.0) * lines + 0.5)
    settings = {"svg.hashsalt": "sweep", "svg.fonttype": "none", "font.size": 8}
    with matplotlib.rc_context(settings):  # type: ignore[arg-type]
        figure = Figure(figsize=size, layout="constrained")
        panels = figure.subplots(lines, columns, squeeze=False)
        for number, panel in enumerate(panels.flat):
            if number < len(groups):
                task, rows = list(groups.items())[number]
                _draw_panel(panel, task, rows)
            else:
                panel.set_axis_off()
        figure.supxlabel(
            "pass@1 against the base, points. Thick: 95 % over the same problems again; "
            "thin: over other problems like these.\nFilled: sampled; hollow: from the base's "
            "stored samples. *: differs after Holm's correction over the factor's values.",
            fontsize=7,
            color=_SOFT,
        )
        for path in paths:
            try:
                date = "Date" if path.suffix == ".svg" else "CreationDate"
                figure.savefig(path, metadata={date: None})
            except OSError as error:
                raise DataError(f"{path}: cannot be written ({error.strerror})") from error


def _n_factors(rows: Sequence[Effect]) -> int:
    return len({effect.factor for effect in rows})


def _draw_panel(panel: Axes, task: str, rows: Sequence[Effect]) -> None:
    places: list[float] = []
    place, last = 0.0, ""
    for effect in rows:
        if effect.factor != last:
            place += 1 if not last else 1.3
            panel.annotate(
                effect.factor, (0, place - 0.1), xycoords=("axes fraction", "data"),
                xytext=(-4, 0), textcoords="offset points", ha="right", va="center",
                fontweight="bold", color=_INK,
            )  # fmt: skip
        place, last = place + 1, effect.factor
        places.append(place)
        _draw_effect(panel, place, effect)
    panel.axvline(0, color=_SOFT, linewidth=0.8, zorder=1)
    panel.set_yticks(places, [effect.value for effect in rows])
    panel.set_ylim(place + 0.7, 0.3)
    panel.tick_params(length=0, colors=_INK)
    panel.grid(axis="x", color=_LINE, linewidth=0.4)
    panel.set_axisbelow(True)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)
    panel.spines["bottom"].set_color(_LINE)
    panel.set_title(task, loc="left", fontsize=9, color=_INK)
    panel.annotate(
        "pass@1", (1, 0.4), xycoords=("axes fraction", "data"), xytext=(3, 0),
        textcoords="offset points", va="center", fontsize=7, color=_SOFT,
    )  # fmt: skip


def _draw_effect(panel: Axes, place: float, effect: Effect) -> None:
    widths = ((effect.difference_interval_problems, 0.9), (effect.difference_interval_sampling, 3))
    for interval, width in widths:
        if interval is not None:
            ends = [100 * interval.low, 100 * interval.high]
            panel.plot(ends, [place, place], color=_ACCENT, linewidth=width,
                       alpha=0.55 if width > 1 else 1, solid_capstyle="butt")  # fmt: skip
    panel.plot(
        [100 * (effect.difference or 0.0)],
        [place],
        marker="o",
        markersize=5,
        color=_ACCENT,
        markerfacecolor=_ACCENT if effect.source == "sampled" else "white",
    )
    panel.annotate(
        f"{100 * effect.score:.1f}" + " *" * (effect.claim == "differs"), (1, place), xycoords=("axes fraction", "data"),
        xytext=(3, 0), textcoords="offset points", va="center", fontsize=7, color=_SOFT,
    )  # fmt: skip
