"""`harness compare` on run folders with chosen verdicts: exit codes, reports, what is said."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from harness.cli import run_command
from harness.pipeline.pending import TaskRun
from harness.stats.stopping import Stopping
from harness.storage.files import read_lines, write_json, write_lines
from harness.storage.scores import write_stopping
from harness.types import Grade, Problem, Verdict
from tests.support.run_folders import C, W, WriteRun


def verdicts(rates: Sequence[int], k: int = 16) -> list[list[Verdict | None]]:
    """k samples per problem, so many of them right."""
    return [[C] * right + [W] * (k - right) for right in rates]


STRONG, WEAK = verdicts([16, 15, 16, 12, 14] * 8), verdicts([8, 7, 9, 3, 6] * 8)
STEADY = verdicts([16, 14, 16, 13, 14] * 8)


def compare(*arguments: str | Path) -> int:
    return run_command(["compare", *map(str, arguments)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without its line breaks."""
    return " ".join(capsys.readouterr().out.split())


def test_a_drop_is_a_regression_one_way_and_a_rise_the_other(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    strong, weak = write_run(STRONG, name="strong"), write_run(WEAK, name="weak")
    assert compare(strong, weak) == 1
    assert "regression: " in said(capsys)
    assert compare(weak, strong) == 0
    assert "a rise on practice_integer" in said(capsys)
    assert compare(weak, strong, "--fail-on-rise") == 1


def test_two_runs_alike_are_no_regression_and_the_power_is_printed(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(write_run(STRONG, name="a"), write_run(STEADY, name="b")) == 0
    out = said(capsys)
    assert "no regression" in out
    assert "Detects" in out
    assert "Power" in out


def test_one_sample_of_five_problems_is_underpowered_and_says_what_would_do(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    five = verdicts([1, 1, 1, 0, 1], k=1)
    assert compare(write_run(five, name="a"), write_run(five, name="b")) == 5
    out = said(capsys)
    assert "underpowered" in out
    assert "on both sides, or" in out
    assert "problems like these" in out


def test_another_prompt_or_cap_is_not_the_same_protocol_unless_allowed(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_run(STRONG, name="a")
    other = write_run(STEADY, name="b", sampling={"max_tokens": 1024})
    files = {name: tmp_path / f"out.{name}" for name in ("junit", "markdown", "json")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    assert compare(base, other, *options) == 3
    error = capsys.readouterr().err
    assert "max tokens: 32768 against 1024" in error
    assert "--allow max_tokens" in error
    assert json.loads(files["json"].read_bytes())["exit_code"] == 3
    assert "max tokens" in files["markdown"].read_text()
    assert ElementTree.parse(files["junit"]).find("testcase/error") is not None
    assert compare(base, other, "--allow", "max_tokens") == 0
    assert "compared although max tokens" in said(capsys)


def test_a_task_that_the_new_run_lacks_is_no_pass(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(STRONG, name="a"), write_run(STRONG, name="b", task="practice_math")
    assert compare(base, new) == 3
    assert "has no practice_integer" in capsys.readouterr().err
    assert compare(base, new, "--tasks", "practice_math") == 2
    assert "the base has no task practice_math" in capsys.readouterr().err


def test_an_incomplete_run_is_no_pass_and_a_regression_all_the_same(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    pending = [[*row[:-1], None] for row in STEADY[:1]] + STEADY[1:]
    broken = [[*row[:-1], Verdict.ERROR] for row in WEAK]
    base = write_run(STRONG, name="a")
    assert compare(base, write_run(pending, name="b")) == 4
    assert "1 sample pending" in said(capsys)
    assert compare(base, write_run(broken, name="c")) == 1


def test_errors_of_ours_are_not_counted_as_wrong(write_run: WriteRun, tmp_path: Path) -> None:
    base = write_run(verdicts([16] * 20), name="a")
    broken = [[C] * 8 + [Verdict.ERROR] * 8 for _ in range(20)]
    compare(base, write_run(broken, name="b"), "--json", tmp_path / "f.json")
    task = json.loads((tmp_path / "f.json").read_bytes())["tasks"][0]
    assert task["difference"]["value"] == 0


def test_what_made_the_runs_is_told_where_it_differs(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(STRONG, name="a"), write_run(WEAK, name="b")
    manifest = json.loads((new / "manifest.json").read_bytes())
    manifest["fingerprint"]["chat_template"] = "beef"
    write_json(new / "manifest.json", manifest)
    assert compare(base, new, "--json", tmp_path / "f.json") == 1
    assert "chat_template" in said(capsys)
    document = json.loads((tmp_path / "f.json").read_bytes())
    assert document["fingerprint"] == {"chat_template": {"base": "not stated", "new": "beef"}}
    assert document["verdict"] == "regression"
    problems = document["tasks"][0]["problems"]
    assert len(problems) == 40
    assert abs(problems[0]["value"]) == max(abs(p["value"]) for p in problems)


def test_another_grader_version_is_graded_again_on_both_sides(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The stored verdicts are wrong on purpose: only the samples say what is right now."""
    base, new = write_run(STRONG, name="a"), write_run(STRONG, name="b")
    for run, version in ((base, "integer/0"), (new, "integer/1")):
        folder = run / "practice_integer"
        write_json(
            folder / "protocol.json",
            {**json.loads((folder / "protocol.json").read_bytes()), "grader": version},
        )
    grades = [row for _, row in read_lines(new / "practice_integer" / "grades.jsonl")]
    write_lines(
        new / "practice_integer" / "grades.jsonl",
        [{**row, "verdict": "wrong_answer"} for row in grades],
    )
    before = (new / "practice_integer" / "grades.jsonl").read_bytes()
    assert compare(base, new, "--json", tmp_path / "f.json") == 0
    assert "both graded again" in said(capsys)
    assert json.loads((tmp_path / "f.json").read_bytes())["tasks"][0]["difference"]["value"] == 0
    assert (new / "practice_integer" / "grades.jsonl").read_bytes() == before


def test_reports_for_ci_say_the_same(write_run: WriteRun, tmp_path: Path) -> None:
    base, new = write_run(STRONG, name="a"), write_run(WEAK, name="b|<x>")
    files = {name: tmp_path / f"out.{name}" for name in ("junit", "markdown", "json")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    assert compare(base, new, *options) == 1
    suite = ElementTree.parse(files["junit"]).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "smallest detectable drop" in (failure.text or "")
    markdown = files["markdown"].read_text()
    assert markdown.startswith("## regression: ")
    assert "<x>" not in markdown.replace("\\<x\\>", "")
    document = json.loads(files["json"].read_text())
    assert document["tasks"][0]["verdict"] == "regression"
    assert document["exit_code"] == 1
    assert (document["margin_points"], document["tasks"][0]["margin_points"]) == (5.0, 5.0)
    assert "margin" not in document and "margin" not in document["tasks"][0]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--margin", "0.05"), "--margin 0.05: points are meant; 5 is five points"),
        (("--margin", "100"), "--margin 100: points above 0 and below 100 are meant"),
        (("--margin", "nan"), "--margin nan: points above 0"),
        (("--allow", "colour"), "--allow colour: no such part"),
        (("--tasks", ""), "'' names no task"),
        (("--tasks", "aime24"), "the base has no task aime24; it has practice_integer"),
    ],
)
def test_a_bad_option_is_one_line(
    options: tuple[str, ...],
    error: str,
    write_run: WriteRun,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = write_run(STRONG, name="a")
    assert compare(run, run, *options) == 2
    assert error in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_named(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare(tmp_path / "nowhere", write_run(STRONG)) == 2
    assert "nowhere is not a run folder" in capsys.readouterr().err


def test_two_uneven_tasks_are_corrected_for(write_run: WriteRun, tmp_path: Path) -> None:
    """Holm: the adjusted p of two tasks is at least twice the smaller one."""
    from harness.stats.gate import Case, rule
    from harness.types import Tally

    base = {str(i): Tally(16, 12) for i in range(30)}
    new = {str(i): Tally(16, 11) for i in range(30)}
    alone = rule([Case(task="a", base=base, new=new)])[0]
    both = rule([Case(task="a", base=base, new=new), Case(task="b", base=base, new=base)])
    assert both[0].p_drop == pytest.approx(2 * alone.p_drop)
    assert both[0].power < alone.power


def test_runs_without_a_problem_in_common_say_so(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    nothing = [[None] * 4 for _ in range(3)]
    base, new = write_run(verdicts([4] * 3, k=4), name="a"), write_run(nothing, name="b")
    assert compare(base, new) == 4
    assert "no problem has a graded sample in both runs" in capsys.readouterr().err


def test_no_problem_in_common_is_another_protocol_whatever_is_allowed(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [Problem(f"q{i}", "?", answer="1") for i in range(3)]
    rows = verdicts([4] * 3, k=4)
    base, new = write_run(rows, name="a"), write_run(rows, name="b", problems=others)
    assert compare(base, new, "--allow", "problems") == 3
    assert "no problem in common" in capsys.readouterr().err


def test_a_failure_to_grade_again_is_no_pass(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(STRONG, name="a"), write_run(STRONG, name="b")
    folder = new / "practice_integer"
    write_json(
        folder / "protocol.json",
        {**json.loads((folder / "protocol.json").read_bytes()), "grader": "integer/0"},
    )

    async def failing(run: TaskRun, pool: object) -> list[Grade]:
        grades = list(run.folder.grades())
        return [replace(g, verdict=Verdict.ERROR) if g.index % 2 else g for g in grades]

    monkeypatch.setattr("harness.workflows.paired_runs.grade_again", failing)
    assert compare(base, new) == 4
    assert "320 samples could not be graded again" in said(capsys)


@pytest.mark.parametrize(("right", "k"), [((1, 0), 1), ((0, 0), 1)])
def test_a_score_below_the_margin_is_no_proof_of_power(
    write_run: WriteRun, right: tuple[int, int], k: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """One of ten against none: a fall by five points could not have been told."""
    rows = [verdicts([n] + [0] * 9, k=k) for n in right]
    assert compare(write_run(rows[0], name="a"), write_run(rows[1], name="b")) == 5
    assert "smallest detectable drop none" in said(capsys)


def test_a_base_that_stopped_early_is_named(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(STRONG, name="a"), write_run(STEADY, name="b")
    stopping = Stopping(base="c", k=32, margin=0.05, alpha=0.05, shares=(0.5, 1.0), stage=1,
                        decision="no regression")  # fmt: skip
    write_stopping(base / "practice_integer", stopping)
    assert compare(base, new) == 0
    assert "sampling of the base stopped at 50% of its samples" in said(capsys)


def test_published_responses_have_nothing_pending(write_run: WriteRun) -> None:
    ragged = [row[: 16 - i % 3] for i, row in enumerate(STRONG)]
    base, new = write_run(ragged, name="a"), write_run(ragged, name="b")
    assert compare(base, new) == 4
    for run in (base, new):
        manifest = json.loads((run / "manifest.json").read_bytes())
        manifest["fingerprint"]["engine"] = "recorded"
        write_json(run / "manifest.json", manifest)
    assert compare(base, new) == 0


def test_a_report_that_cannot_be_written_does_not_hide_a_regression(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(STRONG, name="a"), write_run(WEAK, name="b")
    (tmp_path / "file").write_text("")
    assert compare(base, new, "--json", tmp_path / "file" / "x.json") == 1
    shown = capsys.readouterr()
    assert "regression" in shown.out
    assert "cannot be written" in shown.err


def test_a_base_without_its_slowest_samples_is_no_regression(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is missing of the base are its wrong samples: they alone make the drop."""
    whole = verdicts([12] * 40)
    cut = [[None if found is W and i < 3 else found for i, found in enumerate(row[::-1])]
           for row in whole]  # fmt: skip
    base, new = write_run(cut, name="base"), write_run(whole, name="new")
    files = {name: tmp_path / f"out.{name}" for name in ("junit", "markdown", "json")}
    options = [text for name, path in files.items() for text in (f"--{name}", str(path))]
    assert compare(base, new, *options) == 4
    out = said(capsys)
    assert out.startswith("incomplete: ")
    assert f"practice_integer, base {base}: 120 samples pending; the longest samples" in out
    assert "so that no verdict stands without them; the run's own command completes it" in out
    assert "-17.3" in out, "the numbers are shown"
    document = json.loads(files["json"].read_bytes())
    (task,) = document["tasks"]
    assert (document["verdict"], document["exit_code"]) == ("incomplete", 4)
    assert task["verdict"] == "incomplete"
    assert task["p_drop"] < 0.05
    suite = ElementTree.parse(files["junit"]).getroot()
    assert (suite.get("failures"), suite.get("errors"), suite.get("skipped")) == ("0", "1", "1")
    assert files["markdown"].read_text().startswith("## incomplete: ")


def test_a_drop_that_no_missing_sample_could_undo_is_a_regression(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = [[None, *row[1:]] for row in STRONG]
    base, new = write_run(cut, name="base"), write_run(WEAK, name="new")
    assert compare(base, new) == 1
    assert "40 samples pending; a regression whatever they would have given" in said(capsys)


@pytest.mark.parametrize("side", ["base", "new run"])
def test_a_problem_without_any_sample_is_not_passed_over(
    write_run: WriteRun, side: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = [[None] * 16, *STRONG[1:]]
    runs = {"base": STRONG, "new run": STRONG, side: lacking}
    base, new = (write_run(found, name=name) for name, found in runs.items())
    assert compare(base, new) == 4
    assert "16 samples pending, 1 problem without any sample" in said(capsys)
    for run in (base, new):
        manifest = json.loads((run / "manifest.json").read_bytes())
        manifest["fingerprint"]["engine"] = "recorded"
        write_json(run / "manifest.json", manifest)
    assert compare(base, new) == 4
    assert "1 problem without any sample" in (out := said(capsys))
    assert "import it again with a response to every problem" in out


def test_a_rise_that_missing_samples_may_have_made_is_none(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = verdicts([12] * 40)
    cut = [[None if found is W and i < 3 else found for i, found in enumerate(row[::-1])]
           for row in whole]  # fmt: skip
    base, new = write_run(whole, name="base"), write_run(cut, name="new")
    assert compare(base, new, "--fail-on-rise") == 4
    assert "a significant rise" not in said(capsys)
    weak = write_run(WEAK, name="weak")
    assert compare(weak, new, "--fail-on-rise") == 1
    assert "a rise whatever they would have given, no verdict on a drop" in said(capsys)


def test_samples_asked_for_since_the_last_scores_are_missing_too(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    """A larger k was asked for and killed: scores.json still says that nothing is pending."""
    base, new = write_run(STRONG, name="base"), write_run(STRONG, name="new")
    manifest = json.loads((base / "manifest.json").read_bytes())
    write_json(base / "manifest.json", {**manifest, "k": {"practice_integer": 32}})
    assert compare(base, new) == 4
    assert "640 samples pending" in said(capsys)


def test_a_task_waits_for_another_that_its_correction_depends_on(
    tmp_path: Path,
) -> None:
    """Holm: a p of 0.03 is a regression beside one that is smaller, and none beside a large one."""
    from harness.stats.gate import Case, rule
    from harness.types import Tally
    from harness.workflows.shortfall import Shortfall, stands

    def case(task: str, fewer: int) -> Case:
        base = {str(i): Tally(16, 12) for i in range(30)}
        new = {id: Tally(16, 12 - (fewer + 29 - int(id)) // 30) for id in base}
        return Case(task=task, base=base, new=new)

    whole, lacking = case("whole", 27), case("lacking", 45)
    complete = Shortfall(run=tmp_path, missing={}, words="", fix="")
    cut = replace(complete, missing={str(i): 4 for i in range(30)}, words="120 samples pending")
    sides = {"whole": (complete, complete), "lacking": (cut, complete)}
    rulings = rule([whole, lacking])
    assert [ruling.verdict for ruling in rulings] == ["regression", "regression"]
    standing = stands([whole, lacking], sides, rulings)
    assert [standing[name].drop for name in ("whole", "lacking")] == [False, False]
    assert standing["whole"].lines == (
        "whole: Holm's correction waits for the tasks that lack samples",
    )
