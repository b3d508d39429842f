"""Checkpoints of one training run over its steps: figures 2 and 3 of the R1 paper, and words.

Figure 2 (arXiv 2501.12948v1) shows pass@1 and cons@16 over steps with o1-0912's scores as lines
across, figure 3 the mean length of samples over steps. Version 2 draws the former as its figure 1 and,
in appendix C.1, accuracy by level of MATH. The line comes from a training log, the
points with intervals from runs of checkpoints; either alone will do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.reports.baselines.scores import PublishedScore
from harness.reports.format import value_text
from harness.reports.observations import Observations, reflection_words
from harness.reports.results import Result, by_task

from .lengths import mean_length
from .scores import file_stem
from .style import SERIES, Plot, house_style, label, legend, panel, percent_axis, thousands
from .training_levels import levels_over_steps
from .training_log import LogLine, steps_of
from .training_references import draw_ends, draw_lines_across
from .whiskers import Ends, whiskers, within_shares

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SHOWN_WORDS = 6


@dataclass(frozen=True, slots=True)
class Measured:
    """One run as a point over steps."""

    step: int
    result: Result
    seen: Observations


def training_figures(
    results: Sequence[Result],
    published: Sequence[PublishedScore],
    log: Sequence[LogLine],
    given: Mapping[str, int],
) -> dict[str, tuple[Plot, ...]]:
    """The figures over steps, by task; none of a task with a single step.

    Args:
        results: runs of checkpoints; those without a step are left out.
        published: baselines, for the lines across that the paper draws.
        log: a training log, empty where there is none.
        given: steps by the name of the run.
    """
    drawn = {}
    with house_style():
        for task, group in by_task(results).items():
            steps = steps_of(group, log, given)
            lines = [(line.step, line.tasks[task]) for line in log if task in line.tasks]
            if len({step for step, _ in lines} | set(steps.values())) > 1:
                several = len(set(steps.values())) > 1  # else there is no course of the words
                measured = (
                    Measured(steps[result.run], result, result.observed(words=several))
                    for result in group
                    if result.run in steps
                )
                points = sorted(measured, key=lambda point: point.step)
                plots = (
                    accuracy_over_steps(task, points, lines, published),
                    length_over_steps(task, points, lines),
                    levels_over_steps(task, [(point.step, point.result) for point in points]),
                    words_over_steps(task, points),
                )
                drawn[task] = tuple(plot for plot in plots if plot is not None)
    return drawn


def accuracy_over_steps(
    task: str,
    points: Sequence[Measured],
    lines: Sequence[tuple[int, Mapping[str, float]]],
    published: Iterable[PublishedScore],
) -> Plot | None:
    """Figure 2: pass@1 and cons@k over steps, the reference's scores across.

    Args:
        task: its name.
        points: the runs by step.
        lines: (step, values by name) of the training log; shares from 0 to 1.
        published: baselines, of which the reference model's are drawn.
    """
    ours = {(p.step, metric): found for p in points for metric, found in _main(p.result).items()}
    logged = {name for _, values in lines for name in values if "@" in name}
    metrics = sorted(logged | {metric for _, metric in ours}, reverse=True)[:3]
    if not metrics:
        return None
    figure, axes = panel(2.9)
    colors = dict(zip(metrics, (SERIES[4], SERIES[3], SERIES[5]), strict=False))
    for metric, color in colors.items():
        _line(axes, [(step, values[metric]) for step, values in lines if metric in values],
              ours, metric, color)  # fmt: skip
    published = list(published)
    draw_lines_across(axes, task, published, colors)
    ends = draw_ends(axes, task, published, colors)
    axes.set_xlabel("training steps")
    axes.locator_params(axis="x", nbins=6)
    axes.set_ylabel("accuracy")
    axes.set_ylim(0, 1)
    within_shares(axes)
    _from_zero(axes)
    thousands(axes)
    percent_axis(axes)
    legend(axes)
    words = "; ".join(f"{metric}: {_ends(metric, lines, ours)}" for metric in metrics)
    title = "Accuracy over training steps"
    name = f"{file_stem(task)}-training-accuracy"
    note = f"{_sources(points, lines)} {ends}".strip()
    return Plot(name, title, f"{task}: {title.lower()}. {words}.", note, figure)


def length_over_steps(
    task: str, points: Sequence[Measured], lines: Sequence[tuple[int, Mapping[str, float]]]
) -> Plot | None:
    """Figure 3: mean tokens per sample, reasoning and response, over steps."""
    logged = [
        (step, values["reasoning_tokens"] + values["response_tokens"])
        for step, values in lines
        if {"reasoning_tokens", "response_tokens"} <= values.keys()
    ]
    means = [(p.step, *mean_length(p.seen.lengths)) for p in points if len(p.seen.lengths)]
    if len({step for step, *_ in (*logged, *means)}) < 2:
        return None
    figure, axes = panel()
    color = SERIES[4]
    if logged:
        axes.plot(*zip(*logged, strict=True), color=color, label="training log")
    else:
        axes.plot([step for step, *_ in means], [value for _, value, _ in means], color=color)
    if means:
        values = [value for _, value, _ in means]
        axes.errorbar([step for step, *_ in means], values,
                      whiskers(values, [ends for *_, ends in means]), fmt="o", color=color,
                      elinewidth=1.2, label="runs, 95 % interval")  # fmt: skip
    tops = [value if ends is None else ends.high for _, value, ends in means]
    axes.set_ylim(0, 1.12 * max([value for _, value in logged] + tops))
    _from_zero(axes)
    axes.set_xlabel("training steps")
    axes.locator_params(axis="x", nbins=6)
    axes.set_ylabel("mean tokens per sample")
    thousands(axes)
    thousands(axes, "y")
    legend(axes)
    both = sorted([*logged, *((step, value) for step, value, _ in means)])
    first, last = both[0], both[-1]
    title = "Length over training steps"
    words = f"{first[1]:,.0f} tokens at step {first[0]:,}, {last[1]:,.0f} at step {last[0]:,}"
    note = f"Reasoning and response together. {_sources(points, lines)}"
    name = f"{file_stem(task)}-training-length"
    return Plot(name, title, f"{task}: {title.lower()}. {words}.", note, figure)


def words_over_steps(task: str, points: Sequence[Measured]) -> Plot | None:
    """How often reflection words stand in reasoning, over steps: the most frequent ones."""
    counted = [point for point in points if point.seen.n_reasoning]
    totals = {w: sum(p.seen.words[w] for p in counted) for w in reflection_words()}
    shown = sorted((w for w in totals if totals[w]), key=lambda w: -totals[w])[:_SHOWN_WORDS]
    if len(counted) < 2 or not shown:
        return None
    figure, axes = panel()
    steps = [point.step for point in counted]
    for number, word in enumerate(shown):
        rates = [1000 * p.seen.words[word] / p.seen.n_reasoning for p in counted]
        axes.plot(steps, rates, "o-", color=SERIES[number], label=word)
    axes.set_ylim(0, None)
    _from_zero(axes)
    axes.set_xlabel("training steps")
    axes.locator_params(axis="x", nbins=6)
    axes.set_ylabel("times per 1,000 samples")
    thousands(axes)
    thousands(axes, "y")
    legend(axes, 3)
    title = "Reflection words over training steps"
    words = "; ".join(
        f"{word}: {', '.join(f'{p.seen.words[word]:,} at step {p.step:,}' for p in counted)}"
        for word in shown
    )
    note = (
        f"Occurrences in the reasoning of {sum(p.seen.n_reasoning for p in counted):,} samples, of "
        f"the {len(shown)} most frequent of {len(totals)} words."
    )
    name = f"{file_stem(task)}-training-words"
    return Plot(name, title, f"{task}: {title.lower()}. {words}.", note, figure)


def _from_zero(axes: Axes) -> None:
    """Let the steps begin at 0, with room for a marker there."""
    end = axes.get_xlim()[1]
    axes.set_xlim(-0.02 * end, end)


def _line(
    axes: Axes,
    logged: Sequence[tuple[int, float]],
    ours: Mapping[tuple[int, str], tuple[float, Ends]],
    metric: str,
    color: str,
) -> None:
    """One metric: the log as a line, the runs as points with intervals."""
    runs = [(step, *found) for (step, name), found in ours.items() if name == metric]
    line = logged or [(step, value) for step, value, _ in runs]
    if line:
        axes.plot(*zip(*line, strict=True), color=color, label=label(metric))
    if runs:
        values = [value for _, value, _ in runs]
        axes.errorbar([step for step, *_ in runs], values,
                      whiskers(values, [ends for *_, ends in runs]), fmt="o", color=color,
                      elinewidth=1.2, label=None if line else metric)  # fmt: skip


def _main(result: Result) -> dict[str, tuple[float, Ends]]:
    """By metric, the value and its interval for these problems, under the task's own scoring."""
    if result.scored is None:
        return {}
    return {
        metric: (score.value, result.scored.sampling_interval(score))
        for metric, score in result.scored.main.items()
    }


def _ends(
    metric: str,
    lines: Sequence[tuple[int, Mapping[str, Any]]],
    ours: Mapping[tuple[int, str], tuple[float, Ends]],
) -> str:
    values = {step: values[metric] for step, values in lines if metric in values}
    values |= {step: value for (step, name), (value, _) in ours.items() if name == metric}
    first, last = min(values), max(values)
    return (
        f"{value_text(metric, values[first])} at step {first:,}, "
        f"{value_text(metric, values[last])} at step {last:,}"
    )


def _sources(points: Sequence[Measured], lines: Sequence[object]) -> str:
    parts = ["Line: the training log."] if lines else []
    if points:
        names = ", ".join(f"{label(p.result.run)} (step {p.step:,})" for p in points)
        parts.append(
            f"Points: {names}, with the 95 % interval for the same problems again (sampling)."
        )
    return " ".join(parts)
