"""Accuracy over the tokens spent on reasoning: what each budget and each effort of a sweep costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from harness.protocol import Protocol
from harness.reports.format import value_text
from harness.reports.tables.sweep import by_task
from harness.stats.effects import Effect

from .scores import file_stem
from .style import (  # fmt: skip
    SERIES,
    Plot,
    doublings,
    house_style,
    label,
    legend,
    panel,
    percent_axis,
    thousands,
)
from .whiskers import Ends, whiskers, within_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FACTORS: Final = ("reasoning_budget", "effort")
"""The factors that decide how long a model reasons; each is a line of its sweep."""

_UNSET: Final[Mapping[str, str]] = {"reasoning_budget": "none", "effort": "default"}
"""What the base's own value is called where it has none: `none` is an effort that servers know."""

_LOG_FROM = 8.0  # between the fewest and the most tokens, above which the axis is logarithmic


# Where the name of a point stands: a line that rises crosses neither.
_LEFT: Final[Mapping[str, Any]] = {"xytext": (-4, 3), "ha": "right", "va": "bottom"}
_RIGHT: Final[Mapping[str, Any]] = {"xytext": (4, -3), "ha": "left", "va": "top"}
_ABOVE: Final[Mapping[str, Any]] = {"xytext": (4, 3), "ha": "left", "va": "bottom"}
_LOW = 0.08  # of the axis: a name to the right would stand on it


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a factor: what it is called, the tokens it spends, what it scores.

    Args:
        value: the budget or the effort.
        tokens: mean tokens of reasoning per sample.
        score: pass@1, from 0 to 1.
        interval: both ends of the 95 % interval over the same problems again.
    """

    value: str
    tokens: float
    score: float
    interval: Ends


@dataclass(frozen=True, slots=True)
class Course:
    """One sweep: a name for its lines, its effects, and the protocols of its base by task."""

    name: str
    effects: Sequence[Effect]
    protocols: Mapping[str, Protocol]


def budget_figures(courses: Sequence[Course]) -> list[Plot]:
    """One figure for each task of the first sweep with several budgets or efforts whose tokens are known.

    Args:
        courses: the sweep, and others whose lines stand beside its own.
    """
    plots = []
    with house_style():
        for task in by_task(courses[0].effects):
            lines = {}
            for course in courses:
                rows = by_task(course.effects).get(task, [])
                for factor in FACTORS:
                    points = _points(rows, factor, course.protocols.get(task))
                    name = f"{course.name} {factor}" if len(courses) > 1 else factor
                    if len(points) > 1:
                        lines[name.replace("_", " ")] = points
            if lines:
                plots.append(accuracy_over_tokens(task, lines))
    return plots


def accuracy_over_tokens(task: str, lines: Mapping[str, Sequence[Point]]) -> Plot:
    """pass@1 over mean tokens of reasoning, each value by its name.

    Args:
        task: its name.
        lines: the points of each line by its name, in the order of their tokens.
    """
    figure, axes = panel(2.9)
    highest = 1.1 * max(_top(point) for points in lines.values() for point in points) or 1
    for place, (name, points) in enumerate(lines.items()):
        color = SERIES[place % len(SERIES)]
        _draw_line(axes, points, color, label(name))
        for number, point in enumerate(points):
            # Those of one line by turns; those of several keep to the side of their line.
            beside = (_RIGHT, _LEFT)[(place if len(lines) > 1 else number + 1) % 2]
            if beside is _RIGHT and point.score < _LOW * highest:
                beside = _ABOVE
            axes.annotate(
                label(point.value, 12), (point.tokens, point.score), textcoords="offset points",
                fontsize=7.5, color=color, **beside,
            )  # fmt: skip
    every = [point.tokens for points in lines.values() for point in points]
    if min(every) > 0 and max(every) >= _LOG_FROM * min(every):
        axes.set_xscale("log", base=2)
        axes.set_xticks(doublings(min(every), max(every)))
        axes.minorticks_off()
    else:
        axes.set_xlim(left=0)
    axes.set_xlabel("mean reasoning tokens per sample")
    axes.set_ylabel("pass@1")
    axes.set_ylim(0, highest)
    within_shares(axes)
    thousands(axes)
    percent_axis(axes)
    legend(axes)
    words = "; ".join(
        f"{name} {point.value}: {value_text('pass@1', point.score)} with {point.tokens:,.0f} tokens"
        for name, points in lines.items()
        for point in points
    )
    title = "Accuracy over reasoning tokens"
    note = (
        "Each point is a value of the sweep, named beside it, at the tokens that its samples really "
        "spent on reasoning. Bars: 95 % intervals over the same problems again."
    )
    stem = f"{file_stem(task)}-reasoning"
    return Plot(stem, title, f"{task}: {title.lower()}. {words}.", note, figure)


def _points(rows: Sequence[Effect], factor: str, protocol: Protocol | None) -> list[Point]:
    """The values of one factor by their tokens, the base's own among them; none if it is not varied."""
    varied = {row.value: row for row in rows if row.factor == factor}
    if not varied:
        return []
    own = getattr(protocol, factor, None)
    known = {str(own or _UNSET[factor]): rows[0], **varied}
    points = [
        Point(value, row.mean_reasoning_tokens, row.score, row.interval_sampling)
        for value, row in known.items()
        if row.mean_reasoning_tokens is not None
    ]
    return sorted(points, key=lambda point: point.tokens)


def _top(point: Point) -> float:
    return point.score if point.interval is None else point.interval[1]


def _draw_line(axes: Axes, points: Sequence[Point], color: str, name: str) -> None:
    scores = [point.score for point in points]
    axes.errorbar(
        [point.tokens for point in points], scores,
        yerr=whiskers(scores, [point.interval for point in points]),
        color=color, marker="o", elinewidth=1, capsize=2, label=name,
    )  # fmt: skip
