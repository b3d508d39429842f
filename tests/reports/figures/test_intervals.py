"""Bars and bands are the intervals that scores carry: uneven ones, and none beyond 0 or 1."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from harness.graders.integer import Integer
from harness.reports.facts import TaskFacts, read_run
from harness.reports.figures.curves import budget_curve, budget_plot
from harness.reports.figures.scores import figures
from harness.reports.figures.style import Plot, panel
from harness.reports.figures.training import training_figures
from harness.reports.figures.trends import trend_plot
from harness.reports.figures.whiskers import whiskers, within_shares
from harness.reports.history import Entry, History
from harness.reports.observations import Lengths, Observations
from harness.reports.results import read_results
from harness.stats.breakdown import breakdown
from harness.stats.curves import pass_curve
from harness.stats.intervals import Interval
from harness.stats.metrics import tallies
from harness.stats.stopping import Stopping
from harness.storage.run_folder import RunFolder
from harness.storage.scores import write_scores
from harness.types import Problem, Provenance, Score, Verdict
from tests.support.run_folders import WriteRun
from tests.support.sites import add

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
RIGHT, WRONG = [[C] * 4] * 6, [[W] * 4] * 6
NEARLY = [[C] * 4] * 5 + [[C, C, C, W]]
Bars = set[tuple[float, float]]


def score_of(run: Path, task: str = "aime24") -> Score:
    (score, *_) = RunFolder(run).task(task).scores().scores
    return score


def bars_of(plot: Plot) -> Bars:
    """The ends of every vertical error bar."""
    (axes,) = plot.figure.axes
    return {
        (round(float(ends[0][1]), 9), round(float(ends[1][1]), 9))
        for container in axes.containers
        for ends in container.lines[2][0].get_segments()
        if len(ends)  # one that is not a number has none
    }


def lines_of(plot: Plot) -> Bars:
    """The ends of every horizontal line."""
    (axes,) = plot.figure.axes
    found = [line.get_xydata() for line in axes.get_lines() if len(line.get_xdata()) == 2]
    return {(round(float(a), 9), round(float(b), 9)) for (a, y), (b, z) in found if y == z}


def band_of(plot: Plot) -> Iterator[tuple[float, float]]:
    """Every corner of every band."""
    (axes,) = plot.figure.axes
    for collection in axes.collections:
        for path in collection.get_paths():
            yield from ((float(x), float(y)) for x, y in path.vertices)


def rounded(ends: tuple[float, float] | None) -> tuple[float, float]:
    assert ends is not None
    return round(ends[0], 9), round(ends[1], 9)


def test_an_uneven_interval_has_uneven_whiskers() -> None:
    below, above = whiskers([0.9, 0.5], [(0.6, 0.95), None])
    assert (below[0], above[0]) == (pytest.approx(0.3), pytest.approx(0.05))
    assert math.isnan(below[1])
    assert math.isnan(above[1])


@pytest.mark.parametrize("values", [(0.97, 1.0), (0.0, 0.02), (0.2, 0.6)])
def test_a_panel_of_shares_cuts_no_marker_and_ends_where_shares_do(
    values: tuple[float, float],
) -> None:
    _, axes = panel()
    axes.plot([0, 1], values)
    axes.margins(y=0.3)
    within_shares(axes)
    low, high = axes.get_ylim()
    assert low < values[0] < values[1] < high
    assert low > -0.05
    assert high < 1.05


@pytest.mark.parametrize("verdicts", [RIGHT, NEARLY, WRONG, [[C, W, C, W]] * 6])
def test_a_score_is_drawn_with_the_intervals_it_carries(
    write_run: WriteRun, verdicts: list[list[Verdict]]
) -> None:
    run = write_run(verdicts, task="aime24")
    (plots,) = figures(read_results([run]), []).values()
    plot = next(plot for plot in plots if plot.name.endswith("-scores-pass-1"))
    score = score_of(run)
    assert {rounded(score.interval_sampling), rounded(score.interval_problems)} == lines_of(plot)
    low, high = score.interval_sampling or (0, 0)
    assert 0 <= low < high <= 1  # never the width of 0 that the standard error has
    assert f"({100 * low:.1f} to {100 * high:.1f})" in plot.alt
    (axes,) = plot.figure.axes
    assert axes.get_xlim()[0] < low
    assert axes.get_xlim()[1] > high


def test_months_are_drawn_with_the_intervals_of_their_rows(write_run: WriteRun) -> None:
    days = [date(2024, month, 1) for month in (5, 5, 6, 6, 6, 7)]
    problems = [
        Problem(f"p{i}", "?", answer="1", provenance=Provenance(date=day))
        for i, day in enumerate(days)
    ]
    run = write_run(NEARLY, problems=problems, task="livecodebench")
    folder = RunFolder(run).task("livecodebench")
    rows = breakdown(folder.problems(), tallies(folder.grades()))
    write_scores(folder.path, replace(folder.scores(), breakdown=rows))
    assert folder.scores().breakdown == rows
    (plots,) = figures(read_results([run]), []).values()
    plot = next(plot for plot in plots if plot.name.endswith("-months"))
    expected = [row.interval_problems for row in rows if row.interval_problems]
    assert len(expected) == 2  # July has one problem
    assert bars_of(plot) == {rounded(ends) for ends in expected}
    assert "Points without one: 1;" in plot.note

    path = folder.path / "scores.json"  # as it was written before rows had intervals
    data = json.loads(path.read_text())
    for row in data["breakdown"]:
        row.pop("interval_sampling"), row.pop("interval_problems")
    path.write_text(json.dumps(data))
    (plots,) = figures(read_results([run]), []).values()
    plot = next(plot for plot in plots if plot.name.endswith("-months"))
    assert bars_of(plot) == set()
    assert "Points without one: 3;" in plot.note


def test_bands_are_the_intervals_of_the_points(write_run: WriteRun) -> None:
    run = write_run(NEARLY, task="aime24")
    results = read_results([run])
    (plots,) = figures(results, [], classes=lambda _: Integer(0, 999).classes).values()
    plot = next(plot for plot in plots if plot.name.endswith("-pass-at-k"))
    points = pass_curve(results[0].observed().tallies(None))
    corners = {(x, round(y, 9)) for x, y in band_of(plot)}
    for point in points:
        low, high = rounded(point.interval_sampling)
        assert {(point.k, low), (point.k, high)} <= corners


def test_a_budget_shows_its_whole_band_below_a_small_score() -> None:
    lengths = Lengths(
        np.repeat(np.arange(10), 4), np.arange(40) == 0, np.tile(50 + 10 * np.arange(4), 10)
    )
    points = budget_curve(lengths)
    last = points[-1]
    assert last.value == 1 / 40
    assert last.interval is not None
    assert last.interval.high > 1.12 * last.value
    plot = budget_plot({"r": Observations(lengths=lengths)}, [], "s")
    assert plot is not None
    assert plot.figure.axes[0].get_ylim()[1] > last.interval.high


def test_checkpoints_are_drawn_with_the_intervals_of_their_scores(write_run: WriteRun) -> None:
    runs = [
        write_run(verdicts, task="aime24", name=f"step-{step}")
        for step, verdicts in ((0, WRONG), (100, [[C, W, C, W]] * 6), (200, RIGHT))
    ]
    (plots,) = training_figures(read_results(runs), [], [], {}).values()
    plot = next(plot for plot in plots if plot.name.endswith("-accuracy"))
    expected = {
        rounded(score.interval_sampling)
        for run in runs
        for score in RunFolder(run).task("aime24").scores().scores
    }
    assert bars_of(plot) == expected
    assert all(0 <= low < high <= 1 for low, high in expected)


def test_a_trend_is_drawn_with_the_intervals_of_its_runs(
    write_run: WriteRun, tmp_path: Path
) -> None:
    entries, expected = [], set()
    for day, verdicts in enumerate((RIGHT, NEARLY, [[C]] * 6), 1):
        folder = add(tmp_path / "runs", write_run, f"n{day}", verdicts, day=day, task="aime24")
        found, _ = read_run(folder, tmp_path / "runs")
        entries.append(Entry(found, found.tasks[0]))
        ends = score_of(folder).interval_sampling
        assert found.tasks[0].interval_sampling == ends
        expected |= {rounded(ends)} if ends else set()
    plot = trend_plot(History("aime24", tuple(reversed(entries)), ()), "s")
    assert plot is not None
    assert bars_of(plot) == expected
    assert plot.figure.axes[0].get_ylim()[1] < 1.05


def test_a_score_that_stopped_early_is_drawn_with_what_holds_at_any_analysis(
    write_run: WriteRun, tmp_path: Path
) -> None:
    run = add(tmp_path / "runs", write_run, "a", NEARLY, day=1, task="aime24")
    folder = RunFolder(run).task("aime24")
    wide = Interval(0.4, 0.99)
    stopping = Stopping(base="b", k=16, margin=0.05, alpha=0.05, shares=(0.25, 1.0), stage=1,
                        decision="no regression", score=23 / 24, interval=wide)  # fmt: skip
    own = score_of(run).interval_sampling
    for stopped, ends in ((stopping, wide), (replace(stopping, decision=None), own)):
        scores = replace(folder.scores(), stopped=stopped)
        write_scores(folder.path, scores)
        assert scores.sampling_interval(scores.scores[0]) == ends
        assert scores.sampling_interval(scores.scores[1]) == scores.scores[1].interval_sampling
        (plots,) = figures(read_results([run]), []).values()
        plot = next(plot for plot in plots if plot.name.endswith("-scores-pass-1"))
        assert rounded(ends) in lines_of(plot)
        found, _ = read_run(run, tmp_path / "runs")
        (task,) = found.tasks
        assert isinstance(task, TaskFacts)
        assert task.interval_sampling == ends
