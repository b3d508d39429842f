"""What more samples or more tokens buy: pass@k and cons@k over k, accuracy over a token budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from harness.reports.format import value_text
from harness.reports.observations import Lengths, Observations
from harness.reports.results import Result
from harness.stats.curves import Point as PointOverK
from harness.stats.curves import cons_curve, figure_ks, pass_curve
from harness.stats.intervals import Interval, mean, rate, rate_variances, sampling_interval
from harness.types import Tally

from .style import INK, SERIES, Plot, doublings, label, legend, panel, percent_axis, thousands
from .votes import MANY, MANY_NOTE, MOST_VOTES, many_ks, votes_of_many
from .whiskers import within_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = 64  # budgets at which accuracy is computed


@dataclass(frozen=True, slots=True)
class Point:
    """A value over k or over a budget, with its 95 % interval for these problems where there is one."""

    x: int
    value: float
    interval: Interval | None


def vote_and_pass_plots(
    seen: Mapping[str, Observations],
    classes: Callable[[Sequence[str]], list[int]] | None,
    stem: str,
) -> list[Plot]:
    """pass@k over k, and cons@k where the grader says which answers are the same."""
    tallies = {run: found.tallies(classes) for run, found in seen.items()}
    least = {run: min((t.n for t in found), default=0) for run, found in tallies.items()}
    usable = {run: found for run, found in tallies.items() if least[run] >= 2}
    if not usable:
        return []
    passes = {run: _pass_points(found, least[run]) for run, found in usable.items()}
    plots = [_curve_plot("pass@k", passes, stem, "pass@k: at least one of k samples is right.")]
    if classes is not None:
        votes = {run: _vote_points(found, least[run]) for run, found in usable.items()}
        remark = "cons@k: the most frequent answer of k."
        if any(least[run] > MANY for run in usable):
            remark += f" {MANY_NOTE}"
        plots.append(_curve_plot("cons@k", votes, stem, remark))
    return plots


def _pass_points(tallies: Sequence[Tally], least: int) -> list[Point]:
    """pass@k up to the fewest samples of a problem."""
    return _over_k(pass_curve(tallies, many_ks(least) if least > MANY else figure_ks(least)))


def _vote_points(tallies: Sequence[Tally], least: int) -> list[Point]:
    """cons@k up to the fewest samples of a problem, or as far as many samples are drawn."""
    if least <= MANY:
        return _over_k(cons_curve(tallies, figure_ks(least)))
    ks = many_ks(min(least // 2, MOST_VOTES))
    values, variances = votes_of_many(tallies, ks)
    return [
        Point(k, mean(row), sampling_interval(row, spread, [t.n // k for t in tallies]))
        for k, row, spread in zip(ks, values, variances, strict=True)
    ]


def _over_k(points: Sequence[PointOverK]) -> list[Point]:
    return [Point(point.k, point.value, point.interval_sampling) for point in points]


def budget_plot(
    seen: Mapping[str, Observations], group: Sequence[Result], stem: str
) -> Plot | None:
    """pass@1 where a sample counts only if it ended within L tokens, over L."""
    curves = {run: budget_curve(found.lengths) for run, found in seen.items() if len(found.lengths)}
    curves = {run: points for run, points in curves.items() if len(points) > 1}
    if not curves:
        return None
    figure, axes = panel()
    longest = max(points[-1].x for points in curves.values())
    shortest = min(points[0].x for points in curves.values())
    caps = [cap for r in group if (cap := r.protocol.max_tokens) and cap <= 4 * longest]
    end = max([longest, *caps])
    for number, (run, points) in enumerate(curves.items()):
        color, drawn = SERIES[number], [*points, replace(points[-1], x=end)]
        axes.plot([p.x for p in drawn], [p.value for p in drawn], drawstyle="steps-post",
                  color=color, label=label(run))  # fmt: skip
        _band(axes, drawn, color, step="post")
    axes.set_xscale("log", base=2)
    for cap in dict.fromkeys(caps):
        axes.axvline(cap, color=INK, linestyle=(0, (4, 3)), linewidth=0.9)
    axes.set_xticks(doublings(shortest, end))
    axes.minorticks_off()
    thousands(axes)
    axes.set_ylim(0, 1.1 * max(_top(points[-1]) for points in curves.values()) or 1)
    within_shares(axes)
    axes.set_xlabel("token budget L, reasoning included")
    axes.set_ylabel("pass@1 within L")
    percent_axis(axes)
    legend(axes)
    words = "; ".join(
        f"{run}: half of its {value_text('pass@1', points[-1].value)} within "
        f"{_half_way(points):,} tokens, all of it within {_all_the_way(points):,}"
        for run, points in curves.items()
        if points[-1].value
    )
    title = "Accuracy against token budget"
    note = (
        "A sample counts as right if it is and took at most L tokens; a model told to be brief "
        "might do better. Band: 95 % interval for the same problems again (sampling). Dashed: the "
        "cap of the run."
    )
    return Plot(f"{stem}-budget", title, f"{title}. {words or 'No sample is right'}.", note, figure)


def budget_curve(lengths: Lengths) -> list[Point]:
    """The mean over problems of the share of samples that are right within L tokens.

    L runs over the quantiles of the lengths, from the shortest sample to the longest.
    """
    import numpy as np

    ordered = np.sort(lengths.tokens)
    last = len(ordered) - 1
    budgets = sorted({int(ordered[round(i * last / _STEPS)]) for i in range(_STEPS + 1)})
    _, problems, counts = np.unique(lengths.problems, return_inverse=True, return_counts=True)
    right = np.zeros((len(counts), len(budgets)), dtype=int)
    first = np.searchsorted(budgets, lengths.tokens[lengths.correct])
    np.add.at(right, (problems[lengths.correct], first), 1)
    points = []
    for budget, within in zip(budgets, np.cumsum(right, axis=1).T.tolist(), strict=True):
        tallies = [Tally(n, ended) for n, ended in zip(counts.tolist(), within, strict=True)]
        values = [rate(tally) for tally in tallies]
        # a score test at each of many budgets takes seconds; pass@1 within L has a rule of its own
        interval = sampling_interval(values, rate_variances(tallies), [t.n for t in tallies])
        points.append(Point(budget, mean(values), interval))
    return points


def _curve_plot(name: str, curves: Mapping[str, list[Point]], stem: str, remark: str) -> Plot:
    figure, axes = panel()
    for number, (run, points) in enumerate(curves.items()):
        color = SERIES[number]
        axes.plot([p.x for p in points], [p.value for p in points], color=color, label=label(run))
        few = [p for p in points if p.x & (p.x - 1) == 0]
        axes.plot([p.x for p in few], [p.value for p in few], "o", color=color, markersize=3.5)
        _band(axes, points, color)
    longest = max(points[-1].x for points in curves.values())
    axes.set_xscale("log", base=2)
    axes.set_xticks([2**i for i in range(longest.bit_length())])
    axes.minorticks_off()
    thousands(axes)
    axes.set_xlabel("k")
    axes.set_ylabel(name)
    percent_axis(axes)
    within_shares(axes)
    legend(axes)
    words = "; ".join(
        f"{run}: {value_text(name, points[0].value)} at k=1, "
        f"{value_text(name, points[-1].value)} at k={points[-1].x}"
        for run, points in curves.items()
    )
    note = f"Band: 95 % interval for the same problems again (sampling). {remark}"
    return Plot(
        f"{stem}-{name.replace('@', '-at-')}", f"{name} over k", f"{name} over k. {words}.",
        note, figure,
    )  # fmt: skip


def _band(
    axes: Axes, points: Sequence[Point], color: str, step: Literal["post"] | None = None
) -> None:
    known = [(p.x, p.interval) for p in points if p.interval is not None]
    axes.fill_between(
        [x for x, _ in known], [ends.low for _, ends in known], [ends.high for _, ends in known],
        color=color, alpha=0.18, linewidth=0, step=step,
    )  # fmt: skip


def _top(point: Point) -> float:
    """The upper end of what is drawn of a point."""
    return point.value if point.interval is None else point.interval.high


def _half_way(points: Sequence[Point]) -> int:
    return next(p.x for p in points if p.value >= points[-1].value / 2)


def _all_the_way(points: Sequence[Point]) -> int:
    return next(p.x for p in points if p.value >= points[-1].value - 1e-12)
