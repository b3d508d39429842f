"""What the R1 paper's versions draw beside R1-Zero's curve: lines across, and where the curve ends.

Figure 2 of version 1 has o1-0912's scores as lines across and a curve that ends at 71.0; figure 1 of
version 2, and of the journal, has the same curve end at 77.9. Both ends stand at the right edge with
their sources: neither corrects the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from harness.reports.baselines.scores import PublishedScore
from harness.reports.format import value_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PAPER_LINE = "o1-0912"  # whose scores cross figure 2 in version 1
PAPER_CURVE = "DeepSeek-R1-Zero"  # whose training the figures show
CURVE_TASK = "aime24"  # what it is measured on
VERSIONS = ("r1-paper", "r1-paper-v2", "r1-nature")
"""The paper's versions by their sources, the oldest first."""

_MARKERS = ("<", "D", "s", "v")  # one for each value, so that colour alone tells nothing


def draw_lines_across(
    axes: Axes, task: str, published: Iterable[PublishedScore], colors: Mapping[str, str]
) -> None:
    """Draw the reference model's scores, dashed.

    Args:
        axes: of the figure.
        task: its name.
        published: baselines.
        colors: by metric, the colour of its curve.
    """
    left = [
        c for c in published
        if c.task == task and c.model == PAPER_LINE and c.kind != "quoted" and not c.subset
    ]  # fmt: skip
    for metric, color in colors.items():
        for cell in left:
            if cell.metric.partition("@")[0] == _kind(metric) and cell.value <= 1:
                axes.axhline(cell.value, color=color, linestyle=(0, (4, 3)), linewidth=1,
                             label=f"{cell.model} {cell.metric}")  # fmt: skip
                left = [other for other in left if other is not cell]
                break


def draw_ends(
    axes: Axes, task: str, published: Iterable[PublishedScore], colors: Mapping[str, str]
) -> str:
    """Draw where the paper's curve ends in each version, and say so in words; empty without any.

    Args:
        axes: of the figure.
        task: its name.
        published: baselines.
        colors: by metric, the colour of its curve.
    """
    by_kind = {_kind(metric): color for metric, color in colors.items()}
    ends: dict[tuple[str, float], list[str]] = {}
    for cell in published:
        kind = _end_kind(cell.metric)
        known = cell.task == task == CURVE_TASK and cell.model == PAPER_CURVE
        if (
            known
            and cell.source in VERSIONS
            and kind in by_kind
            and cell.unit == "share"
            and not cell.subset
        ):
            sources = ends.setdefault((kind, cell.value), [])
            sources += [cell.source] * (cell.source not in sources)
    for found in ends.values():
        found.sort(key=VERSIONS.index)
    order = sorted(ends, key=lambda end: (end[0] != "pass", VERSIONS.index(ends[end][0])))
    words = []
    for marker, (kind, value) in zip(_MARKERS, order, strict=False):
        text = f"{value_text('pass@1', value)} ({', '.join(ends[kind, value])})"
        metric = "pass@1" if kind == "pass" else "self-consistency"
        axes.plot([1.0], [value], marker, color=by_kind[kind], markersize=5, clip_on=False,
                  transform=axes.get_yaxis_transform(), label=f"R1-Zero's end, {text}")  # fmt: skip
        words.append(f"{metric} {text}")
    if not words:
        return ""
    return f"Right edge: where {PAPER_CURVE}'s curve ends by each version of its paper: {'; '.join(words)}."


def _kind(metric: str) -> str:
    """Pass of pass@1, cons of cons@16."""
    return metric.partition("@")[0]


def _end_kind(metric: str) -> str | None:
    """The curve that a published score can be the end of."""
    if metric == "pass@1":
        return "pass"
    return "cons" if metric.startswith("cons@") or metric == "self-consistency" else None
