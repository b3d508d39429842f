"""Accuracy by level over training steps, and the ends of R1-Zero's curve in the paper's versions."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.report import report
from harness.reports.baselines.loader import load
from harness.reports.baselines.scores import PublishedScore
from harness.reports.figures.training import training_figures
from harness.reports.figures.training_references import PAPER_CURVE
from harness.reports.results import Result, read_results
from harness.stats.breakdown import breakdown
from harness.stats.metrics import tallies
from harness.storage.run_folder import RunFolder
from harness.storage.scores import write_scores
from harness.types import Problem, Verdict
from tests.support.run_folders import WriteRun

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
SeriesOf = Callable[..., list[Path]]


@pytest.fixture
def series_of(write_run: WriteRun) -> SeriesOf:
    """Checkpoints of 4 samples on 10 problems, two of each level; rates in quarters, by level."""

    def write(rates: dict[str, Sequence[int]], by: str = "level") -> list[Path]:
        runs = []
        for name, quarters in rates.items():
            values = [("easy", "hard")[i > 2] if by == "difficulty" else i + 1 for i in range(5)]
            problems = [
                Problem(f"{i}{twin}", "?", answer="1", meta={by: values[i]})
                for i in range(5)
                for twin in "ab"
            ]
            verdicts = [[C] * quarters[i] + [W] * (4 - quarters[i]) for i in range(5) for _ in "ab"]
            run = write_run(verdicts, name=name, task="math500", problems=problems)
            (folder,) = RunFolder(run).tasks()
            rows = breakdown(folder.problems(), tallies(folder.grades()))
            write_scores(folder.path, replace(folder.scores(), breakdown=rows))
            runs.append(run)
        return runs

    return write


SERIES = {"step-1000": (3, 2, 1, 0, 0), "step-10000": (4, 4, 4, 3, 2), "step-4000": (4, 3, 2, 1, 0)}


def test_one_line_per_level_runs_through_the_checkpoints_by_step(series_of: SeriesOf) -> None:
    plots = training_figures(read_results(series_of(SERIES)), [], [], {})["math500"]
    (plot,) = [plot for plot in plots if plot.name == "math500-training-levels"]
    (axes,) = plot.figure.axes
    drawn = {str(c.get_label()): list(zip(*map(list, c.lines[0].get_data()), strict=True))
             for c in axes.containers}  # fmt: skip
    assert drawn == {
        f"level {i + 1}": [(step, SERIES[f"step-{step}"][i] / 4) for step in (1000, 4000, 10000)]
        for i in range(5)
    }
    assert all(container.has_yerr for container in axes.containers)
    assert "level 5: 0.0 at step 1,000, 50.0 at step 10,000" in plot.alt
    assert "Problems: level 1 2, level 2 2" in plot.note


def test_difficulties_are_drawn_where_there_are_no_levels(series_of: SeriesOf) -> None:
    runs = series_of(SERIES, by="difficulty")
    plots = training_figures(read_results(runs), [], [], {})["math500"]
    (plot,) = [plot for plot in plots if plot.name == "math500-training-difficulties"]
    assert "hard: 0.0 at step 1,000, 62.5 at step 10,000" in plot.alt


def test_a_single_checkpoint_or_problems_without_levels_have_no_such_figure(
    series_of: SeriesOf, write_run: WriteRun
) -> None:
    one = series_of({"step-7": (1, 1, 1, 1, 1)})
    assert training_figures(read_results(one), [], [], {}) == {}
    plain = [write_run([[C, W]] * 5, name=f"step-{n}") for n in (1, 2)]
    (plots,) = training_figures(read_results(plain), [], [], {}).values()
    assert not [plot for plot in plots if "levels" in plot.name]


def test_the_table_stands_in_the_terminal_in_markdown_and_on_the_page(
    series_of: SeriesOf, tmp_path: Path
) -> None:
    runs = [str(run) for run in series_of(SERIES)]
    shown = CliRunner().invoke(report, runs, env={"COLUMNS": "80"}).output
    rows = re.findall(r"^(\d)? +([\d,]+) +([\d.]+) +[\d.]+ to [\d.]+ *$", shown, re.MULTILINE)
    assert [(step, value) for _, step, value in rows[-3:]] == [
        ("1,000", "0.0"), ("4,000", "0.0"), ("10,000", "50.0"),
    ]  # fmt: skip
    assert [level for level, *_ in rows if level] == list("12345")
    for name in ("r.md", "r.html"):
        assert CliRunner().invoke(report, [*runs, "-o", str(tmp_path / name)]).exit_code == 0
        assert "Accuracy by level over training steps" in (tmp_path / name).read_text()


def test_a_training_log_says_which_step_a_checkpoint_is(
    series_of: SeriesOf, tmp_path: Path
) -> None:
    runs = series_of({"first": (1, 1, 0, 0, 0), "second": (2, 2, 2, 2, 2)})
    log = tmp_path / "log.jsonl"
    log.write_text("".join(
        json.dumps({"step": step, "checkpoint": name, "tasks": {}}) + "\n"
        for step, name in ((30, "second"), (20, "first"))
    ))  # fmt: skip
    options = [*map(str, runs), "--training", str(log), "-o", str(tmp_path / "r.md")]
    assert CliRunner().invoke(report, options).exit_code == 0
    assert re.search(r"\| 1 +\| 20 +\| 25.0", (tmp_path / "r.md").read_text())


def zero_runs(write_run: WriteRun) -> list[Result]:
    runs = [
        write_run([[C, W, C, W]] * 30, task="aime24", name=f"zero-step-{n}") for n in (1000, 2000)
    ]
    return read_results(runs)


def test_both_ends_of_the_papers_curve_stand_with_their_sources(write_run: WriteRun) -> None:
    published = load().scores
    ends = {
        cell.source: cell.value
        for cell in published
        if (cell.model, cell.task, cell.metric) == (PAPER_CURVE, "aime24", "pass@1")
    }
    assert ends["r1-paper"] == 0.71
    (plot, *_) = training_figures(zero_runs(write_run), published, [], {})["aime24"]
    (axes,) = plot.figure.axes
    drawn = {str(line.get_label()): line.get_ydata()[0] for line in axes.get_lines()}
    assert drawn["R1-Zero's end, 71.0 (r1-paper)"] == 0.71
    assert "pass@1 71.0 (r1-paper)" in plot.note


def test_the_versions_values_are_not_merged(write_run: WriteRun) -> None:
    (v1,) = [
        cell
        for cell in load().scores
        if (cell.model, cell.task, cell.metric, cell.source)
        == (PAPER_CURVE, "aime24", "pass@1", "r1-paper")
    ]

    def later(source: str, value: float, metric: str = "pass@1") -> PublishedScore:
        return replace(v1, source=source, value=value, metric=metric)

    published = [later("r1-nature", 0.779), v1, later("r1-paper-v2", 0.779),
                 later("r1-paper-v2", 0.867, "self-consistency"), later("somebody-else", 0.5)]  # fmt: skip
    (plot, *_) = training_figures(zero_runs(write_run), published, [], {})["aime24"]
    assert plot.note.endswith(
        "pass@1 71.0 (r1-paper); pass@1 77.9 (r1-paper-v2, r1-nature); self-consistency 86.7 "
        "(r1-paper-v2)."
    )
    assert "somebody-else" not in plot.note
