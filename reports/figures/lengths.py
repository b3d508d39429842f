"""How long samples are: right and wrong ones apart, and their mean with its interval."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from harness.reports.observations import Length, Observations
from harness.stats.intervals import Interval, mean, sampling_error
from harness.stats.student import satterthwaite, student

from .style import RIGHT, WRONG, Plot, doublings, label, legend, panel, thousands

_CENTILES = (5, 25, 50, 75, 95)


def lengths_plot(seen: Mapping[str, Observations], stem: str) -> Plot | None:
    """Tokens per sample for each run, right above wrong: median, middle half, 5 to 95 %."""
    rows = [
        (run, right, sorted(x.tokens for x in found.lengths if x.correct is right))
        for run, found in seen.items()
        for right in (True, False)
    ]
    rows = [row for row in rows if row[2]]
    if not rows:
        return None
    runs = list(dict.fromkeys(run for run, _, _ in rows))
    figure, axes = panel(0.85 + 0.36 * len(runs))
    for run, right, tokens in rows:
        y, color = runs.index(run) + (-0.17 if right else 0.17), RIGHT if right else WRONG
        low, first, middle, third, high = centiles(tokens)
        axes.plot([low, high], [y, y], color=color, linewidth=0.9)
        axes.plot([first, third], [y, y], color=color, linewidth=4.5, alpha=0.5,
                  solid_capstyle="butt")  # fmt: skip
        axes.plot([middle], [y], "o" if right else "s", color=color, markersize=4.5,
                  label="correct" if right else "not correct")  # fmt: skip
    axes.set_yticks(range(len(runs)), [label(run, 24) for run in runs])
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
    everything = [round(x) for *_, tokens in rows for x in centiles(tokens)]
    if max(everything) > 8 * max(min(everything), 1):
        axes.set_xscale("log", base=2)
        axes.set_xticks(doublings(min(everything), max(everything)))
        axes.minorticks_off()
    thousands(axes)
    axes.set_xlabel("tokens per sample, reasoning included")
    _legend_once(axes)
    words = "; ".join(
        f"{run}, {'correct' if right else 'not correct'}: median {statistics.median(tokens):,.0f}, "
        f"{len(tokens):,} samples"
        for run, right, tokens in rows
    )
    title = "Length, correct and wrong apart"
    note = "Point: median; thick: the middle half of the samples; thin: 5 to 95 % of them."
    return Plot(f"{stem}-lengths", title, f"{title}. {words}.", note, figure)


def centiles(ordered: Sequence[int]) -> tuple[float, ...]:
    """The 5th, 25th, 50th, 75th and 95th centile of ordered values."""
    if len(ordered) == 1:
        return (float(ordered[0]),) * len(_CENTILES)
    cuts = statistics.quantiles(ordered, n=100, method="inclusive")
    return tuple(cuts[centile - 1] for centile in _CENTILES)


def mean_length(lengths: Sequence[Length]) -> tuple[float, Interval | None]:
    """Mean tokens per sample, over each problem's samples first, and its 95 % interval.

    The interval is for the same problems again: Student's, with Satterthwaite's degrees of freedom.
    None where a problem has a single sample.
    """
    by_problem: dict[str, list[int]] = {}
    for length in lengths:
        by_problem.setdefault(length.problem_id, []).append(length.tokens)
    value = mean([mean(tokens) for tokens in by_problem.values()])
    if min(map(len, by_problem.values())) < 2:
        return value, None
    variances = [statistics.variance(tokens) / len(tokens) for tokens in by_problem.values()]
    freedom = satterthwaite(variances, [len(tokens) for tokens in by_problem.values()])
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
