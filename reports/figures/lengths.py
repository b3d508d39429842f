"""How long samples are: right and wrong ones apart, and their mean with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.reports.observations import Lengths, Observations
from harness.stats.intervals import Interval, mean, sampling_error
from harness.stats.student import satterthwaite, student

from .style import RIGHT, WRONG, Plot, doublings, label, legend, panel, thousands

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_CENTILES = (5, 25, 50, 75, 95)


def lengths_plot(seen: Mapping[str, Observations], stem: str) -> Plot | None:
    """Tokens per sample for each run, right above wrong: median, middle half, 5 to 95 %."""
    rows = [
        (run, right, len(tokens), centiles(tokens))
        for run, found in seen.items()
        for right in (True, False)
        if len(tokens := found.lengths.ordered(correct=right))
    ]
    if not rows:
        return None
    runs = list(dict.fromkeys(run for run, *_ in rows))
    figure, axes = panel(0.85 + 0.36 * len(runs))
    for run, right, _, (low, first, middle, third, high) in rows:
        y, color = runs.index(run) + (-0.17 if right else 0.17), RIGHT if right else WRONG
        axes.plot([low, high], [y, y], color=color, linewidth=0.9)
        axes.plot([first, third], [y, y], color=color, linewidth=4.5, alpha=0.5,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot([middle], [y], "o" if right else "s", color=color, markersize=4.5,
                  label="correct" if right else "not correct")  # fmt: skip
    axes.set_yticks(range(len(runs)), [label(run, 24) for run in runs])
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    everything = [round(x) for *_, ends in rows for x in ends]
    if max(everything) > 8 * max(min(everything), 1):
        axes.set_xscale("log", base=2)
        axes.set_xticks(doublings(min(everything), max(everything)))
        axes.minorticks_off()
    thousands(axes)
    axes.set_xlabel("tokens per sample, reasoning included")
    _legend_once(axes)
    words = "; ".join(
        f"{run}, {'correct' if right else 'not correct'}: median {ends[2]:,.0f}, {count:,} samples"
        for run, right, count, ends in rows
    )
    title = "Length, correct and wrong apart"
    note = "Point: median; thick: the middle half of the samples; thin: 5 to 95 % of them."
    return Plot(f"{stem}-lengths", title, f"{title}. {words}.", note, figure)


def centiles(ordered: Sequence[int] | NDArray[np.int64]) -> tuple[float, ...]:
    """The 5th, 25th, 50th, 75th and 95th centile of ordered values."""
    last = len(ordered) - 1
    found = []
    for centile in _CENTILES:
        place, part = divmod(centile * last, 100)
        low, high = int(ordered[place]), int(ordered[min(place + 1, last)])
        found.append((low * (100 - part) + high * part) / 100)
    return tuple(found)


def mean_length(lengths: Lengths) -> tuple[float, Interval | None]:
    """Mean tokens per sample, over each problem's samples first, and its 95 % interval.

    The interval is for the same problems again: Student's, with Satterthwaite's degrees of freedom.
    None where a problem has a single sample.
    """
    import numpy as np

    _, problems, counts = np.unique(lengths.problems, return_inverse=True, return_counts=True)
    means = np.bincount(problems, weights=lengths.tokens) / counts
    value = mean(means.tolist())
    if counts.min() < 2:
        return value, None
    squares = np.bincount(problems, weights=(lengths.tokens - means[problems]) ** 2)
    variances = (squares / (counts - 1) / counts).tolist()
    freedom = satterthwaite(variances, counts.tolist())
    half = student(0.95, freedom) * (sampling_error(variances) or 0.0)
    return value, Interval(max(0.0, value - half), value + half)


def _legend_once(axes: object) -> None:
    """One entry per kind, whatever the number of runs."""
    lines = axes.get_lines()  # type: ignore[attr-defined]
    seen: set[str] = set()
    for line in lines:
        name = line.get_label()
        if name in seen:
            line.set_label("_again")
        seen.add(name)
    legend(axes)  # type: ignore[arg-type]
