"""The figures of a task: scores beside published ones, verdict mix, months, and those of samples.

Every interval is the 95 % one that the score carries. The thick one is for the same problems again
(sampling), the thin one for other problems like these, which contains that uncertainty too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.reports.baselines.scores import PublishedScore
from harness.reports.baselines.selection import Selection, nearest_in_value
from harness.reports.format import ends_text, metric_label, value_text, verdict_text
from harness.reports.observations import Classes
from harness.reports.results import Result, by_task
from harness.stats.scores import TaskScores
from harness.types import Score, Verdict

from .costs import cost_plot
from .curves import budget_plot, vote_and_pass_plots
from .lengths import lengths_plot
from .months import check_month, month_plot
from .style import (
    INK,
    MOST_SERIES,
    SERIES,
    VERDICTS,
    Plot,
    house_style,
    label,
    legend,
    panel,
    percent_axis,
)
from .whiskers import Ends

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BANDS = (
    "Thick: 95 % interval for the same problems again (sampling); thin: for other problems like "
    "these, which counts their choice in."
)
_ROW = 0.19  # inches a row of names


@dataclass(frozen=True, slots=True)
class _Measured:
    """A run's score with its intervals: the same problems again, and other problems like these."""

    run: str
    score: Score
    sampling: Ends
    problems: Ends


def figures(
    results: Sequence[Result],
    published: Sequence[PublishedScore],
    *,
    classes: Classes = lambda task: None,
    cutoff: str | None = None,
) -> dict[str, tuple[Plot, ...]]:
    """Every figure of every task, by task, in reading order. One that has no data is left out.

    Args:
        results: what was read from the run folders; their samples are read once more, in one pass.
        published: the baselines to set beside the scores.
        classes: the graders' equivalence classes; without them there are no cons@k curves.
        cutoff: the last month that the model knows, marked in the figure of months.

    Raises:
        UsageError: a cutoff that is no month.
    """
    if cutoff is not None:
        check_month(cutoff)
    drawn = {}
    with house_style():
        for task, group in by_task(results).items():
            stem = file_stem(task)
            plots = [
                *score_plots(group, published, stem),
                *_sample_plots(group, classes, stem),
                verdict_plot(group, stem),
                month_plot(group, stem, cutoff),
                cost_plot(group, stem),
            ]
            found = [plot for plot in plots if plot is not None]
            if len(group) > MOST_SERIES:
                found = [_of_the_first(plot, len(group)) for plot in found]
            drawn[task] = tuple(found)
    return drawn


def file_stem(name: str) -> str:
    """A task or run as the beginning of a file name: lower case, hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "task"


def score_plots(
    group: Sequence[Result], published: Iterable[PublishedScore], stem: str
) -> list[Plot]:
    """One figure per metric: the runs with intervals among the published scores, best on top."""
    scored = [(result, result.scored) for result in group if result.scored]
    metrics = dict.fromkeys(s.metric for _, found in scored for s in _main(found))
    published = [c for c in published if c.task == group[0].task and c.kind != "quoted"]
    near = {
        metric: nearest_in_value([c for c in published if c.metric == metric], group, metric)
        for metric in metrics
    }
    return [
        _score_plot(
            group[0].task,
            [
                _Measured(r.run, s, found.sampling_interval(s), s.interval_problems)
                for r, found in scored
                for s in _main(found)
                if s.metric == metric
            ],
            near[metric],
            stem,
        )
        for metric in metrics
    ]


def verdict_plot(group: Sequence[Result], stem: str) -> Plot | None:
    """How the samples of each run ended, as shares. The page draws the same in HTML."""
    mixes = [(r.run, r.scored.verdicts) for r in group if r.scored and r.scored.verdicts]
    if not mixes:
        return None
    kinds = [verdict for verdict in Verdict if any(mix.get(verdict) for _, mix in mixes)]
    figure, axes = panel(0.75 + 0.26 * len(mixes) + 0.17 * ((len(kinds) + 2) // 3))
    left = [0.0] * len(mixes)
    for verdict in kinds:
        shares = [mix.get(verdict, 0) / sum(mix.values()) for _, mix in mixes]
        axes.barh(range(len(mixes)), shares, 0.62, left, color=VERDICTS[verdict],
                  label=verdict_text(verdict), linewidth=0)  # fmt: skip
        left = [start + share for start, share in zip(left, shares, strict=True)]
    _names_on_y(axes, [label(run, 24) for run, _ in mixes])
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of the samples")
    percent_axis(axes, "x")
    legend(axes, 3)
    words = "; ".join(
        f"{run}: " + ", ".join(f"{verdict_text(v).lower()} {mix[v] / sum(mix.values()):.1%}"
                               for v in kinds if mix.get(v))
        for run, mix in mixes
    )  # fmt: skip
    title = "How the samples ended"
    return Plot(f"{stem}-verdicts", title, f"{title}. {words}.", "", figure, on_page=False)


def _sample_plots(
    group: Sequence[Result], classes: Classes, stem: str
) -> list[Plot | None]:  # fmt: skip
    """The figures that need single samples; each run's are read in one pass."""
    seen = {result.run: result.observed() for result in group[:MOST_SERIES]}
    votes = any(
        name.startswith("cons@")
        for result in group
        if result.scored
        for name in (
            *(score.metric for score in result.scored.scores),
            *(s.metric for s in result.scored.skipped),
        )
    )
    number = classes(group[0].task) if votes else None
    return [
        *vote_and_pass_plots(seen, number, stem),
        budget_plot(seen, group, stem),
        lengths_plot(seen, stem),
    ]


def _of_the_first(plot: Plot, count: int) -> Plot:
    """Says so where a figure with a line per run shows only the first ones."""
    if "-scores-" in plot.name or not plot.on_page:
        return plot
    return replace(plot, note=f"{plot.note} The first {MOST_SERIES} of {count} runs.".strip())


def _main(scored: TaskScores) -> list[Score]:
    return [score for score in scored.scores if score.scoring == scored.scoring]


def _score_plot(
    task: str,
    ours: Sequence[_Measured],
    near: Selection,
    stem: str,
) -> Plot:
    published = near.shown
    metric = ours[0].score.metric
    by_model: dict[str, list[PublishedScore]] = {}
    for cell in published:
        by_model.setdefault(cell.model, []).append(cell)
    rows: list[tuple[float, str, _Measured | list[PublishedScore]]] = [
        (found.score.value, label(found.run, 30), found) for found in ours
    ]
    rows += [(max(c.value for c in found), label(model), found)
             for model, found in by_model.items()]  # fmt: skip
    rows.sort(key=lambda row: row[0])
    figure, axes = panel(0.62 + _ROW * max(len(rows), 2))
    for y, (_, _, what) in enumerate(rows):
        if isinstance(what, _Measured):
            _intervals(axes, what, y)
        else:
            _published(axes, what, y)
    _names_on_y(axes, [name for _, name, _ in rows], top_first=False)
    for text, (_, _, what) in zip(axes.get_yticklabels(), rows, strict=True):
        text.set_fontweight("bold" if isinstance(what, _Measured) else "normal")
        text.set_fontsize(8)
    if "@" in metric:
        percent_axis(axes, "x")
        axes.set_xlim(*_around(rows, ours))
    axes.set_xlabel(_shared_label([found.score for found in ours]))
    words = "; ".join(f"{found.run}: {_interval_words(found)}" for found in ours)
    if published:
        low, high = (f(c.value for c in published) for f in (min, max))
        words += (f". Beside published scores of {len(by_model)} models from "
                  f"{value_text(metric, low)} to {value_text(metric, high)}")  # fmt: skip
    title = metric + (" beside published scores" if published else "")
    note = BANDS + (" Ring: published; cross: measured again by others." if published else "")
    note = f"{note} {near.rest_text(task)}".rstrip()
    name = f"{stem}-scores-{file_stem(metric)}"
    return Plot(name, title, f"{task}, {title}. {words}.", note, figure)


def _published(axes: Axes, published: Sequence[PublishedScore], y: float) -> None:
    """One model's published values, joined by a hair line where sources say different things."""
    for kind, marker in (("published", "o"), ("reproduction", "x")):
        values = sorted({cell.value for cell in published if cell.kind == kind})
        axes.plot(values, [y] * len(values), marker, color=INK, markersize=4, alpha=0.65,
                  markerfacecolor="none", markeredgewidth=0.8)  # fmt: skip
    ends = [cell.value for cell in published]
    axes.plot([min(ends), max(ends)], [y, y], color=INK, linewidth=0.5, alpha=0.4)


def _intervals(axes: Axes, found: _Measured, y: float) -> None:
    for ends, width in ((found.problems, 0.9), (found.sampling, 3.2)):
        if ends is not None:
            axes.plot(ends, [y, y], color=SERIES[0], linewidth=width,
                      solid_capstyle="butt", alpha=0.55 if width > 1 else 1)  # fmt: skip
    axes.plot([found.score.value], [y], "o", color=SERIES[0], markersize=5)


def _interval_words(found: _Measured) -> str:
    metric = found.score.metric
    text = value_text(metric, found.score.value)
    if found.sampling is None:
        return f"{text}, no sampling interval"
    return f"{text} ({ends_text(metric, found.sampling)})"


def _shared_label(scores: Sequence[Score]) -> str:
    labels = dict.fromkeys(metric_label(score) for score in scores)
    return next(iter(labels)) if len(labels) == 1 else scores[0].metric


def _around(
    rows: Sequence[tuple[float, str, object]], ours: Sequence[_Measured]
) -> tuple[float, float]:
    """Limits in whole tenths around every value and every interval of ours."""
    ends = [value for value, _, _ in rows]
    for found in ours:
        for interval in (found.sampling, found.problems):
            ends += interval or ()
    low, high = min(ends), max(ends)
    return int(low * 10) / 10 - 0.01, min(-int(-high * 10 - 0.999) / 10, 1.0) + 0.01


def _names_on_y(axes: Axes, names: Sequence[str], *, top_first: bool = True) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.4)
    if top_first:
        axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)
