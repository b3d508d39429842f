"""`harness baselines` as a person and as a script see it."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli import run_command
from harness.cli.baselines import baselines
from harness.reports.baselines.loader import load
from harness.types import Verdict
from tests.support.run_folders import WriteRun

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER


def call(*arguments: object, width: int | None = None) -> Result:
    """Run the command, in a terminal of that width or in a pipe."""
    env = {"COLUMNS": str(width or 80), "FORCE_COLOR": "1" if width else None, "NO_COLOR": None}
    result = CliRunner().invoke(baselines, [str(argument) for argument in arguments], env=env)
    assert result.exception is None, result.exception
    return result


def in_terminal(*arguments: object, width: int = 80) -> list[str]:
    text = re.sub(r"\x1b\[[0-9;]*m", "", call(*arguments, width=width).stdout)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    return lines


def test_without_a_filter_it_is_an_overview_and_says_how_to_list_all() -> None:
    known = load()
    lines = in_terminal()
    assert lines[0] == f"{len(known.scores):,} published scores by task"
    assert len(lines) < 3 * (len(known.sources) + len({score.task for score in known.scores}))
    assert {line.split()[0] for line in lines if line[:3].strip()} >= {"aime24", "math500"}
    assert all(any(name in line for line in lines) for name in known.sources)
    assert "--all every one" in " ".join(lines)


def test_of_what_is_measured_alone_there_is_an_overview_too() -> None:
    measured = [score for score in load().scores if score.kind != "quoted"]
    lines = in_terminal("--measured-only")
    assert lines[0] == f"{len(measured):,} published scores by task"
    listed = call("--measured-only", "--all").stdout.partition("\n\n")[0]
    assert len(listed.splitlines()) == len(measured) + 1


def test_all_lists_every_score_one_line_each_in_a_pipe() -> None:
    known = load()
    scores, _, disputed = call("--all").stdout.partition("\n\n")
    head, *lines = scores.splitlines()
    assert head.split()[:5] == ["Date", "Source", "Model", "Task", "Metric"]
    assert len(lines) == len(known.scores)
    assert max(map(len, lines)) > 100  # never wrapped
    assert disputed.startswith("Model")
    assert "\x1b" not in scores


def test_a_filter_lists_scores_with_marks_and_disagreements_below() -> None:
    lines = in_terminal("--task", "aime24", "--model", "qwq-32b-preview")
    assert any("50.0 †" in line for line in lines)
    assert any("44.0 †" in line for line in lines)
    at = next(i for i, line in enumerate(lines) if line.startswith("Sources disagree"))
    assert "DeepSeek-R1-Distill" not in " ".join(lines[:at])
    assert any("44.0 to 50.0, sources 6.0 points apart" in line for line in lines[at:])


def test_only_disagreements(capsys: pytest.CaptureFixture[str]) -> None:
    lines = in_terminal("--disagreements", "--model", "qwq-32b-preview")
    assert lines[0].startswith("Sources disagree on ")
    assert "published" not in lines[0]
    none = call("--disagreements", "--source", "openai-post", "--model", "o1-preview")
    assert none.stdout.startswith("Sources disagree on none of these scores. One that is measured ")
    rows = list(csv.DictReader(io.StringIO(call("--disagreements", "--csv").stdout)))
    assert rows
    assert {row["conflict"] for row in rows} == {"yes"}


def test_json_has_every_detail_of_what_passes() -> None:
    options = ("--source", "r1-readme", "--task", "livecodebench")
    document = json.loads(call("--json", *options).stdout)
    (claude,) = [one for one in document["baselines"] if one["model"].startswith("Claude")]
    assert (claude["value"], claude["conflict"], claude["k"]) == (0.338, True, 64)
    assert claude["protocol"]["window"] == "2024-08..2025-01"
    assert {source["name"] for source in document["sources"]} == {"r1-readme"}
    every = json.loads(call("--json").stdout)
    assert len(every["baselines"]) == len(load().scores)
    assert len(every["sources"]) == len(load().sources)


def test_csv_has_the_rows_of_the_json() -> None:
    options = ("--task", "aime24", "--measured-only")
    records = json.loads(call("--json", *options).stdout)["baselines"]
    rows = list(csv.DictReader(io.StringIO(call("--csv", *options).stdout)))
    assert [(r["model"], r["source"], float(r["value"])) for r in rows] == [
        (r["model"], r["source"], r["value"]) for r in records
    ]
    assert "quoted" not in {row["kind"] for row in rows}


def test_since_says_which_sources_it_leaves_out_for_want_of_a_date(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(
        "{source: ours, title: T, scale: percent, protocols: {p: {}}, columns: {c: {task: aime24, "
        "metric: pass@1, protocol: p, availability: reproducible}}, tables: [{printed: page 1, "
        "columns: [c], rows: [{model: our-model, values: [50.0]}]}]}"
    )
    result = call("--baselines", own, "--task", "aime24", "--since", "2024")
    assert "ours" in result.stderr
    assert "our-model" not in result.stdout
    assert "our-model" in call("--baselines", own, "--task", "aime24").stdout


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert run_command(["baselines", *map(str, arguments)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--task", "aime42"),
            "--task aime42: no published score of that task; did you mean aime2",
        ),
        (("--task", "aime24", "--model", "no-such-model"), "--model no-such-model: "),
        (("--since", "soon"), "--since 'soon': a date is YYYY"),
        (("--json", "--csv"), "--json and --csv: choose one of the two"),
        (("--as", "DeepSeek-R1"), "--as goes with --nearest RUN"),
        (("--nearest", "nowhere"), "nowhere is not a run folder"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, *arguments)


def test_the_nearest_to_a_run_say_what_differs(write_run: WriteRun) -> None:
    run = write_run([[C, W]] * 30, task="aime24", model="deepseek-ai/DeepSeek-R1-Distill-Qwen-7B")
    lines = in_terminal("--nearest", run)
    assert lines[0].startswith("late, aime24 pass@1 50.0 (n=2): 10 of ")
    rows = [line for line in lines if re.search(r"\d\.\d +(\d|–)", line[2:])]
    assert len(rows) == 10
    assert rows[0].startswith("  ● DeepSeek-R1-Distill-Qwen-7B")
    assert any("differs: k 2 against 64" in line for line in lines)
    assert any("not stated: prompt" in line for line in lines)
    assert len(call("--nearest", run, "--all").stdout.splitlines()) > 20
    (first, *_) = json.loads(call("--nearest", run, "--json").stdout)["nearest"]
    assert first["published"][0]["same_model"] is True
    measured = call("--nearest", run, "--measured-only", "--csv").stdout
    assert "quoted" not in {row["kind"] for row in csv.DictReader(io.StringIO(measured))}


def test_the_nearest_to_a_run_of_another_name(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run([[C, W]] * 30, task="aime24")
    assert "●" not in call("--nearest", run).stdout
    assert "● o1-mini" in call("--nearest", run, "--as", "o1-mini").stdout
    assert "did you mean o1-mini" in refused(capsys, "--nearest", run, "--as", "o1-mni")


def test_a_task_of_which_nothing_is_published_says_so(write_run: WriteRun) -> None:
    run = write_run([[C, W]])
    assert call("--nearest", run).stdout.splitlines() == [
        "late, practice_integer: no published score in pass@1, nor in any other metric."
    ]
    assert "no published score that passes the filters in pass@1, nor in any other metric" in (
        call("--nearest", run, "--source", "r1-paper").stdout
    )
    assert len(call("--nearest", run, "--csv").stdout.splitlines()) == 1
    assert json.loads(call("--nearest", run, "--json").stdout)["nearest"][0]["published"] == []


def test_a_run_without_scores_says_how_to_get_them(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = write_run([[C, W]], task="aime24", scored=False)
    line = refused(capsys, "--nearest", run)
    assert "it has no scores (aime24: not scored: run harness score" in line
