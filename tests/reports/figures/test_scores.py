"""Figures: what is drawn is what was scored, and what is written a strict page accepts."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from scipy import stats

from harness.cli.report import answer_classes, drawn, report
from harness.errors import DataError, UsageError
from harness.graders.integer import Integer
from harness.reports.baselines.loader import load
from harness.reports.figures.curves import budget_curve, budget_plot
from harness.reports.figures.lengths import centiles, lengths_plot, mean_length
from harness.reports.figures.scores import figures
from harness.reports.figures.style import SERIES, VERDICTS, Plot, label
from harness.reports.figures.training import training_figures
from harness.reports.figures.training_log import parse_steps, read_log, step_of, steps_given
from harness.reports.observations import Lengths, Observations, count_words
from harness.reports.page.build import build
from harness.reports.page.html import render_html
from harness.reports.results import read_results
from harness.stats.breakdown import breakdown
from harness.stats.curves import cons_curve, pass_curve
from harness.stats.metrics import tallies
from harness.storage.run_folder import RunFolder
from harness.storage.scores import write_scores
from harness.types import Problem, Provenance, Verdict
from tests.support.published_scores import few_scores

C, W, T, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.TRUNCATED, Verdict.ERROR
ROOT = Path(__file__).parents[3]
LOG = ROOT / "examples" / "practice-model" / "training_log.jsonl"
WriteRun = Callable[..., Path]
HOSTILE = "<script>alert(1)</script> $x_1$ \x1b[31m\x00 & \u202e"


def plots_of(*runs: Path, task: str = "practice_integer", **options: Any) -> dict[str, Plot]:
    """The figures of a task by the end of their name."""
    found = figures(
        read_results(runs), few_scores(), classes=lambda _: Integer(0, 999).classes, **options
    )
    return {plot.name.removeprefix(f"{task.replace('_', '-')}-"): plot for plot in found[task]}


def lines_of(plot: Plot) -> dict[str, list[tuple[float, float]]]:
    """The points of each labelled line of a figure."""
    (axes,) = plot.figure.axes
    return {
        str(line.get_label()): list(zip(*map(list, line.get_data()), strict=True))
        for line in axes.get_lines()
        if not str(line.get_label()).startswith("_")
    }


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_every_colour_stands_out_on_light_and_dark_paper() -> None:
    style = (ROOT / "reports" / "templates" / "style.css.jinja").read_text()
    papers = re.findall(r"#[0-9a-f]{6}", next(re.finditer(r"--paper: .*?;", style)).group())
    assert len(papers) == 2
    for color in (*SERIES, *VERDICTS.values()):
        assert min(contrast(color, paper) for paper in papers) >= 3, color
    assert VERDICTS.keys() == set(Verdict)


def test_a_run_has_every_figure_that_its_data_allow(write_run: WriteRun) -> None:
    names = set(plots_of(write_run([[C, W, T, C], [W, W, C, C]])))
    assert names == {"scores-pass-1", "scores-cons-4", "pass-at-k", "cons-at-k", "lengths",
                     "verdicts"}  # fmt: skip
    assert set(plots_of(write_run([[C], [W]], name="one"))) >= {"scores-pass-1", "verdicts"}


def test_a_figure_of_many_runs_says_how_many_it_shows(write_run: WriteRun) -> None:
    plots = plots_of(*(write_run([[C, W]], name=f"n{i}") for i in range(9)))
    assert plots["pass-at-k"].note.endswith("The first 8 of 9 runs.")
    assert len(lines_of(plots["pass-at-k"])) == 8
    (axes,) = plots["scores-pass-1"].figure.axes
    assert len(axes.get_yticklabels()) == 9


def test_without_the_graders_classes_there_is_no_vote(write_run: WriteRun) -> None:
    results = read_results([write_run([[C, W, T, C], [W, W, C, C]])])
    (plots,) = figures(results, []).values()
    assert not [plot.name for plot in plots if plot.name.endswith("cons-at-k")]


def test_svg_needs_no_style_and_repeats_itself_to_the_byte(write_run: WriteRun) -> None:
    run = write_run([[C, W, T, C], [W, W, C, C]])
    once, again = plots_of(run), plots_of(run)
    ids: list[str] = []
    for name, plot in once.items():
        assert plot.svg == again[name].svg
        assert plot.svg_file() == again[name].svg_file()
        root = ET.fromstring(plot.svg)
        assert root.get("role") == "img"
        assert root.get("aria-label") == plot.alt
        own = [e.attrib["id"] for e in root.iter() if "id" in e.attrib]
        used = set(re.findall(r"#([\w-]+)\)?\"", plot.svg))
        assert set(own) == {id for id in used if not re.fullmatch(r"[0-9a-f]{6}", id)}
        ids += own
        for element in root.iter():
            assert element.tag not in ("style", "script", "metadata", "image")
            assert not [a for a in element.attrib if a == "style" or a.startswith("on")]
    assert len(ids) == len(set(ids))


def test_pdf_repeats_itself_and_has_no_date(write_run: WriteRun) -> None:
    run = write_run([[C, W], [W, W]])
    one, other = (plots_of(run)["verdicts"].pdf_file() for _ in range(2))
    assert one.startswith(b"%PDF")
    assert one == other
    assert b"CreationDate" not in one


def test_hostile_names_stay_text(write_run: WriteRun) -> None:
    plot = plots_of(write_run([[C, W], [W, C]], name="x$y_1$<b>&"), task="practice_integer")
    for each in plot.values():
        assert "<b>" not in each.svg
    texts = "".join(ET.fromstring(plot["scores-pass-1"].svg).itertext())
    assert "x$y_1$<b>&" in texts
    assert label(HOSTILE).isprintable()
    assert len(label("m" * 90)) == 34


def test_scores_stand_beside_the_published_ones(write_run: WriteRun) -> None:
    run = write_run([[C, W]] * 15 + [[C, C]] * 15, task="aime24")
    plot = plots_of(run, task="aime24")["scores-pass-1"]
    (score, *_) = RunFolder(run).task("aime24").scores().scores
    low, high = score.interval_sampling
    assert f"late: 75.0 ({100 * low:.1f} to {100 * high:.1f})" in plot.alt
    (axes,) = plot.figure.axes
    rows = {text.get_text(): text.get_position()[1] for text in axes.get_yticklabels()}
    published = {cell.model: cell.value for cell in few_scores()
                 if cell.task == "aime24" and cell.metric == "pass@1" and cell.kind == "published"}  # fmt: skip
    assert {"o1-mini", "DeepSeek-R1", "DeepSeek-R1-Distill-Qwen-32B"} <= rows.keys()
    dots = {
        (round(x, 6), y) for line in axes.get_lines() for x, y in zip(*line.get_data(), strict=True)
    }
    assert (published["DeepSeek-R1"], rows["DeepSeek-R1"]) in dots
    assert {x for x, y in dots if y == rows["QwQ-32B-Preview"]} == {0.5, 0.44}  # paper and README
    assert (0.75, rows["late"]) in dots


def test_curves_end_at_the_scores(write_run: WriteRun) -> None:
    run = write_run([[C, C, W, W], [C, W, W, W], [C, C, C, C]])
    plots = plots_of(run)
    scores = {s.metric: s.value for s in RunFolder(run).task("practice_integer").scores().scores}
    (line,) = lines_of(plots["cons-at-k"]).values()
    assert [x for x, _ in line] == [1, 2, 3, 4]
    assert line[0][1] == pytest.approx(scores["pass@1"])
    assert line[-1][1] == pytest.approx(scores["cons@4"])
    tallies = read_results([run])[0].observed().tallies(None)
    points = pass_curve(tallies)
    assert [p.value for p in points] == pytest.approx([(0.5 + 0.25 + 1) / 3, (5 / 6 + 0.5 + 1) / 3,
                                                       (1 + 0.75 + 1) / 3, 1.0])  # fmt: skip
    assert [x for x, _ in lines_of(plots["pass-at-k"])["late"]] == [1, 2, 3, 4]


def test_errors_take_no_part_in_a_curve(write_run: WriteRun) -> None:
    run = write_run([[C, W, E], [C, C, W]])
    (tally, whole) = read_results([run])[0].observed().tallies(None)
    assert (tally.n, whole.n) == (2, 3)
    (line,) = lines_of(plots_of(run)["pass-at-k"]).values()
    assert [x for x, _ in line] == [1, 2]  # the problem with an error has two samples


LENGTHS = Lengths(
    np.array([0, 0, 1, 1]), np.array([True, True, False, True]), np.array([100, 200, 50, 400])
)


def test_a_budget_counts_what_ended_within_it() -> None:
    points = budget_curve(LENGTHS)
    assert [(p.x, p.value) for p in points] == [(50, 0.0), (100, 0.25), (200, 0.5), (400, 0.75)]
    assert budget_plot({"r": Observations()}, [], "s") is None


def test_lengths_of_right_and_wrong_samples_are_apart() -> None:
    plot = lengths_plot({"r": Observations(lengths=LENGTHS)}, "s")
    assert plot is not None
    assert "r, correct: median 200, 3 samples; r, not correct: median 50, 1 samples" in plot.alt
    assert centiles([7]) == (7.0,) * 5
    assert centiles(list(range(101))) == (5, 25, 50, 75, 95)
    value, interval = mean_length(LENGTHS)
    assert value == (150 + 225) / 2
    freedom = (2500 + 30625) ** 2 / (2500**2 + 30625**2)  # Satterthwaite, of two samples each
    half = stats.t.ppf(0.975, freedom) * ((5000 / 2 + 61250 / 2) ** 0.5) / 2
    assert half > value
    assert interval == (0.0, pytest.approx(value + half))  # no sample is shorter than nothing
    assert mean_length(Lengths(LENGTHS.problems[:3], LENGTHS.correct[:3], LENGTHS.tokens[:3])) == (
        (150 + 50) / 2,
        None,
    )


def dated_run(write_run: WriteRun) -> Path:
    """One right problem in May, one wrong in July and two in September 2024."""
    days = (date(2024, 5, 4), date(2024, 7, 1), date(2024, 9, 9), date(2024, 9, 10))
    problems = [Problem(f"p{i}", "?", answer="1", provenance=Provenance(date=day))
                for i, day in enumerate(days)]  # fmt: skip
    run = write_run([[C, C], [C, W], [W, W], [W, W]], problems=problems, task="livecodebench")
    folder = RunFolder(run).task("livecodebench")
    rows = breakdown(folder.problems(), tallies(folder.grades()))
    write_scores(folder.path, replace(folder.scores(), breakdown=rows))
    return run


def test_months_show_the_cutoff_and_the_mean_on_either_side(write_run: WriteRun) -> None:
    run = dated_run(write_run)
    plot = plots_of(run, task="livecodebench", cutoff="2024-07")["months"]
    assert "2024-05 100.0, 2024-07 50.0, 2024-09 0.0" in plot.alt
    (axes,) = plot.figure.axes
    drawn = [tuple(map(float, line.get_ydata())) for line in axes.get_lines()]
    assert (0.75, 0.75) in drawn
    assert (0.0, 0.0) in drawn
    crossing = [
        line.get_xdata()[0] for line in axes.get_lines() if list(line.get_ydata()) == [0, 1]
    ]
    assert crossing == [1.5]  # between July and September
    assert "months" in plots_of(run, task="livecodebench")
    with pytest.raises(UsageError, match="2024-07"):
        plots_of(run, task="livecodebench", cutoff="July")


def test_checkpoints_stand_at_their_steps_on_the_line_of_the_log(write_run: WriteRun) -> None:
    runs = [write_run([[C, W, W, W]] * 3, name=name) for name in ("early", "middle", "late")]
    results, log = read_results(runs), read_log(LOG)
    logged = {line["step"]: line for line in map(json.loads, LOG.read_text().splitlines())}
    plots = {p.name: p for p in training_figures(results, [], log, {})["practice_integer"]}
    accuracy = plots["practice-integer-training-accuracy"]
    lines = lines_of(accuracy)
    for metric in ("pass@1", "cons@16"):
        assert lines[metric] == [(step, line["tasks"]["practice_integer"][metric])
                                 for step, line in logged.items()]  # fmt: skip
    kept = {line["checkpoint"]: step for step, line in logged.items() if line["checkpoint"]}
    (axes,) = accuracy.figure.axes
    points = {tuple(map(float, xy)) for line in axes.get_lines() if line.get_marker() == "o"
              for xy in zip(*line.get_data(), strict=True)}  # fmt: skip
    assert {(float(kept[name]), 0.25) for name in ("early", "middle", "late")} <= points
    length = lines_of(plots["practice-integer-training-length"])["training log"]
    tokens = logged[240]["tasks"]["practice_integer"]
    assert length[0] == (240, tokens["reasoning_tokens"] + tokens["response_tokens"])


def test_figure_2_is_crossed_by_the_scores_that_the_paper_draws(write_run: WriteRun) -> None:
    runs = [write_run([[C, W]] * 30, task="aime24", name=f"zero-step-{n}") for n in (1000, 2000)]
    (accuracy, *_) = training_figures(read_results(runs), load().scores, [], {})["aime24"]
    lines = lines_of(accuracy)
    assert [y for _, y in lines["o1-0912 pass@1"]] == [0.744, 0.744]
    assert lines["pass@1"] == [(1000, 0.5), (2000, 0.5)]


def test_steps_come_from_the_option_the_log_or_the_name(write_run: WriteRun) -> None:
    log = read_log(LOG)
    (late,) = read_results([write_run([[C]], name="late", model="x/middle")])
    (named,) = read_results([write_run([[C]], name="checkpoint-1200")])
    (plain,) = read_results([write_run([[C]], name="llama-8b")])
    assert step_of(late, log, {"late": 7}) == 7
    assert step_of(late, log, {}) == 1440  # the model's folder says which weights these are
    assert step_of(named, log, {}) == 1200
    assert step_of(plain, log, {}) is None
    assert parse_steps(["runs/a=3", "b=4"]) == {"a": 3, "b": 4}
    with pytest.raises(UsageError, match="RUN=STEP"):
        parse_steps(["late"])
    assert steps_given(["runs/late=7"], [late]) == {"late": 7}
    with pytest.raises(
        UsageError, match="--steps early=1: there is no run early; the runs are late"
    ):
        steps_given(["early=1"], [late])


@pytest.mark.parametrize("line", ['{"step": "x", "tasks": {}}', '{"tasks": {}}', "[1]", "{"])
def test_a_line_that_is_no_measurement_is_named(line: str, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1, "checkpoint": null, "tasks": {}}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2"):
        read_log(log)


def test_reflection_words_are_whole_words_and_the_longest_that_fit() -> None:
    text = "Wait, WAIT. I await; double-check\nthis, check that. Hold\n on: actually, no rewrite."
    assert count_words(text) == {"wait": 2, "double-check": 1, "check": 1, "hold on": 1,
                                 "actually": 1}  # fmt: skip


def test_words_are_counted_over_steps(write_run: WriteRun) -> None:
    runs = [write_run([[C, W]] * 2, name="step-10", reasoning="so it is"),
            write_run([[C, W]] * 2, name="step-20", reasoning="wait, check: wait")]  # fmt: skip
    plots = training_figures(read_results(runs), [], [], {})["practice_integer"]
    (words,) = [plot for plot in plots if plot.name.endswith("training-words")]
    assert lines_of(words)["wait"] == [(10, 0.0), (20, 2000.0)]
    assert lines_of(words)["check"] == [(10, 0.0), (20, 1000.0)]
    assert words.note == (
        "Occurrences in the reasoning of 8 samples, of the 2 most frequent of 17 words."
    )


def test_the_page_shows_the_figures_under_its_strict_policy(write_run: WriteRun) -> None:
    results = read_results([write_run([[C, W, T, C], [W, W, C, C]], name="<i>late")])
    html = render_html(build(results, [], figures=drawn(results, [])))
    html = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)  # the page's own
    assert html.count("<figure>") == 5
    assert 'role="img"' in html
    assert " style=" not in html
    assert "<i>" not in html
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html)
    assert policy is not None
    assert "unsafe" not in policy[1]


def test_the_command_writes_every_figure_twice(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [str(write_run([[C, W, T, C]] * 2, name=name)) for name in ("early", "late")]
    out = tmp_path / "figures"
    result = CliRunner().invoke(report, [*runs, "--figures", str(out), "--training", str(LOG)])
    assert result.exit_code == 0, result.output
    stems = {path.stem for path in out.iterdir()}
    assert {path.name for path in out.iterdir()} == {
        f"{s}.{e}" for s in stems for e in ("svg", "pdf")
    }
    assert {"practice-integer-training-accuracy", "practice-integer-verdicts"} <= stems
    svg = ET.parse(out / "practice-integer-pass-at-k.svg").getroot()
    assert svg.find("{http://www.w3.org/2000/svg}title") is not None
    assert answer_classes("no_such_task") is None


def test_published_responses_are_drawn(test_data: Path, tmp_path: Path) -> None:
    from harness.cli import run_command

    run = tmp_path / "published"
    rows = (test_data / "math_responses_100x8.jsonl").read_text().splitlines()[:20]
    (tmp_path / "r.jsonl").write_text("\n".join(rows) + "\n")
    assert run_command(["import", str(tmp_path / "r.jsonl"), "--task", "math", "-o", str(run)]) == 0
    results = read_results([run])
    names = {plot.name for plot in drawn(results, [])["math"]}
    assert {"math-pass-at-k", "math-cons-at-k", "math-verdicts"} <= names
    tallies = results[0].observed().tallies(answer_classes("math"))
    votes = cons_curve(tallies)[-1]
    scores = {s.metric: s.value for s in results[0].scored.scores} if results[0].scored else {}
    assert votes.value == pytest.approx(scores["cons@8"])
