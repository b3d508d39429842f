"""`harness compare --same-model` on run folders with chosen samples, and on the practice model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from harness.cli import run_command
from harness.errors import UsageError
from harness.stats.stopping import Stopping
from harness.storage.files import read_lines, write_lines
from harness.storage.scores import write_stopping
from harness.task import Task
from harness.types import Verdict
from harness.workflows import same_model
from tests.support.run_folders import C, W, WriteRun

Row = dict[str, Any]

ODD = [[C] * (8 + i % 8) + [W] * (8 - i % 8) for i in range(40)]
EVEN = [[*row[3:], *row[:3]] for row in ODD]  # as many, at other places
FEWER = [[C] * (4 + i % 8) + [W] * (12 - i % 8) for i in range(40)]


def compare(*arguments: str | Path) -> int:
    return run_command(["compare", "--same-model", *map(str, arguments)])


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What was printed, without its line breaks."""
    return " ".join(capsys.readouterr().out.split())


def checked(base: Path, new: Path, *options: str) -> tuple[int, Row]:
    """The exit code, and the one task as JSON."""
    file = new / "check.json"
    code = compare(base, new, "--json", file, *options)
    return code, json.loads(file.read_bytes())["tasks"][0]


def rewrite(run: Path, change: Callable[[Row], object], kind: str = "samples") -> Path:
    """Change every stored line of a run."""
    path = run / "practice_integer" / f"{kind}.jsonl"
    rows = [row for _, row in read_lines(path)]
    for row in rows:
        change(row)
    write_lines(path, rows)
    return run


def test_runs_of_one_model_exit_0_with_what_would_have_been_seen(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    code, task = checked(write_run(ODD, name="a"), write_run(EVEN, name="b"), "--margin", "9")
    assert code == 0
    assert task["verdict"] == "no difference found"
    assert 0.03 < task["traits"]["pass@1"]["detectable"] < 0.09
    assert task["traits"]["answers"]["p_adjusted"] == 1
    out = said(capsys)
    assert "no difference found: " in out
    assert "Detects" in out


def test_another_score_is_another_model_in_every_report(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(ODD, name="a"), write_run(FEWER, name="b", model="some/other")
    junit, markdown = tmp_path / "r.xml", tmp_path / "r.md"
    assert compare(base, new, "--junit", junit, "--markdown", markdown) == 1
    failure = ElementTree.parse(junit).find("testcase/failure")
    assert failure is not None
    assert "pass@1 -25.0" in str(failure.get("message"))
    assert "## different: " in markdown.read_text()
    assert "some/other" in said(capsys)


def test_a_rise_is_another_model_too(write_run: WriteRun) -> None:
    assert compare(write_run(FEWER, name="a"), write_run(ODD, name="b")) == 1


def test_other_wrong_answers_are_another_model(write_run: WriteRun) -> None:
    base, new = write_run(ODD, name="a"), write_run(EVEN, name="b")

    def other(row: Row) -> None:
        if row["verdict"] == "wrong_answer":
            row["answer"] = "7"

    code, task = checked(base, rewrite(new, other, "grades"))
    assert code == 1
    assert task["traits"]["answers"]["p_adjusted"] < 0.01
    assert task["traits"]["pass@1"]["p_adjusted"] == 1


def test_another_cap_of_the_server_shows_in_truncation(write_run: WriteRun) -> None:
    cut = [[Verdict.TRUNCATED if i < 3 else v for i, v in enumerate(row)] for row in ODD]
    code, task = checked(write_run(ODD, name="a"), write_run(cut, name="b"))
    assert code == 1
    assert task["traits"]["truncated"]["new"] == pytest.approx(3 / 16)
    assert task["traits"]["truncated"]["p_adjusted"] < 0.01


def test_longer_texts_are_seen_in_characters(write_run: WriteRun) -> None:
    base, new = write_run(ODD, name="a"), write_run(EVEN, name="b", reasoning="think" * 60)
    base = rewrite(base, lambda row: row.update(reasoning="think" * (55 + 2 * (row["index"] % 5))))
    new = rewrite(new, lambda row: row.update(reasoning="think" * (60 + 2 * (row["index"] % 5))))
    code, task = checked(base, new)
    assert code == 1
    assert task["length_unit"] == "characters"
    assert task["traits"]["length"]["difference"] == pytest.approx(0.085, abs=0.01)


def test_hidden_reasoning_is_measured_in_tokens_where_it_is_counted(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(ODD, name="a"), write_run(EVEN, name="b")
    hidden = rewrite(new, lambda row: row.update(reasoning=None))
    code, task = checked(base, hidden, "--margin", "9")
    assert code == 0
    assert task["length_unit"] == "tokens"
    assert "the new run shows no reasoning" in said(capsys)
    # Without a count nothing says that it reasons at all.
    code, task = checked(base, rewrite(hidden, lambda row: row.update(n_reasoning_tokens=0)))
    assert code == 1
    assert task["length_unit"] == "characters"
    assert task["traits"]["reasoning"]["new"] == 0


def test_few_samples_are_underpowered_and_say_what_would_do(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    five = [[C], [C], [W], [C], [C]]
    code, task = checked(write_run(five, name="a"), write_run(five, name="b"))
    assert code == 5
    assert task["k_needed"] > 50
    assert f"k={task['k_needed']} on both sides" in said(capsys)


def test_no_k_that_would_do_asks_for_problems(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    def spread(row: Row) -> None:
        row["response"] += "so " * 10 ** (row["index"] * 2)

    runs = [rewrite(write_run([[C, W]] * 2, name=name), spread) for name in ("a", "b")]
    assert compare(*runs) == 5
    assert "no k up to 4,096 would show it: take more problems" in said(capsys)


def test_greedy_runs_are_not_asked_for_a_larger_k(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    greedy = {"temperature": 0.0}
    runs = [write_run([[C], [W]], name=name, sampling=greedy) for name in ("a", "b")]
    code, task = checked(*runs)
    assert (code, task["k_needed"], task["notes"]) == (5, None, [])
    assert "at temperature 0 k is 1: take more problems" in said(capsys)


def test_another_protocol_exits_3_and_an_incomplete_run_4(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_run(ODD, name="a")
    other = write_run(EVEN, name="b", sampling={"max_tokens": 1024})
    assert compare(base, other) == 3
    assert "max tokens: 32768 against 1024" in capsys.readouterr().err
    assert compare(base, other, "--allow", "max_tokens", "--margin", "9") == 0
    pending = [[*row[:-1], None] for row in FEWER[:1]] + FEWER[1:]
    assert compare(base, write_run(pending, name="c")) == 4
    assert "1 sample pending" in said(capsys)


def test_texts_that_are_the_same_are_counted(write_run: WriteRun) -> None:
    base, same = write_run(ODD, name="a"), write_run(ODD, name="b")
    _, task = checked(base, same)
    assert task["identical_texts"] == {"n": 640, "of": 640}
    (note,) = task["notes"]
    assert note.startswith("every text is that of the other run")

    def other(row: Row) -> None:
        row["response"] += " " * row["index"] + "." if row["index"] == 3 else ""

    _, task = checked(base, rewrite(same, other))
    assert task["identical_texts"] == {"n": 600, "of": 640}
    assert not task["notes"]


def test_it_finds_rises_itself(write_run: WriteRun, capsys: pytest.CaptureFixture[str]) -> None:
    base, new = write_run(ODD, name="a"), write_run(EVEN, name="b")
    assert compare(base, new, "--fail-on-rise") == 2
    assert "--same-model finds rises anyway" in capsys.readouterr().err


def test_a_run_that_stopped_early_counts_up_to_its_first_analysis(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = write_run(ODD, name="a"), write_run(EVEN, name="b")
    stopping = Stopping(base="a", k=32, margin=0.05, alpha=0.05, shares=(0.25, 0.5, 1.0), stage=2,
                        decision="no regression")  # fmt: skip
    write_stopping(new / "practice_integer", stopping)
    compare(base, new)
    assert "stopped early: its samples count up to the first" in said(capsys)


def test_answers_of_a_task_that_is_not_installed_are_told_apart_by_their_text(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def unknown(name: str) -> Task:
        raise UsageError(f"no task {name}")

    monkeypatch.setattr("harness.cli.task_lookup.task_named", unknown)
    assert compare(write_run(ODD, name="a"), write_run(EVEN, name="b"), "--margin", "9") == 0
    assert "told apart by their text" in said(capsys)


def test_white_space_and_the_tag_of_reasoning_are_no_difference() -> None:
    assert same_model._shown("<think>\nOkay.  \n") == same_model._shown("Okay.") == "Okay."
    assert same_model._opening("Okay,\n\nso " * 40) == ("Okay, so " * 40)[:64]


@pytest.fixture(scope="module")
def practice_runs(practice_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the last practice checkpoint, with two seeds, and one of the checkpoint before."""
    folder = tmp_path_factory.mktemp("practice")
    for name, checkpoint, seed in (("a", "late", 0), ("b", "late", 1), ("c", "middle", 2)):
        command = ["run", "--model", practice_model / checkpoint, "--tasks", "practice_integer",
                   "--k", "8", "--limit", "16", "--seed", seed, "-o", folder / name]  # fmt: skip
        assert run_command([str(word) for word in command]) == 0
    return folder


def test_another_seed_is_the_same_model_and_another_checkpoint_is_not(practice_runs: Path) -> None:
    a, b, c = (practice_runs / name for name in "abc")
    code, task = checked(a, b, "--margin", "20")
    assert code == 0
    assert task["identical_texts"]["n"] < 128  # these are other samples
    code, task = checked(a, c, "--margin", "20")
    assert code == 1
    assert task["traits"]["pass@1"]["p_adjusted"] < 0.05
