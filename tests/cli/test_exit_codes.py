"""Exit code 4: every command that prints scores of a run that lacks samples says what completes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from harness.cli import COMMANDS, cli, run_command
from harness.storage.files import write_json
from harness.storage.run_folder import RunFolder
from harness.types import Verdict
from tests.support.run_folders import C, W, WriteRun

TASK = "practice_integer"
COMMAND = ["run", "--model", "a model", "--tasks", TASK, "-o", "runs/late"]
Captured = pytest.CaptureFixture[str]


def called(run: Path, command: Sequence[str]) -> Path:
    """The run as if that command had made it."""
    manifest = orjson.loads((run / "manifest.json").read_bytes())
    manifest["starts"][-1]["command"] = list(command)
    write_json(run / "manifest.json", manifest)
    return run


@pytest.fixture
def lacking(write_run: WriteRun) -> Path:
    """A run with a sample pending."""
    return called(write_run([[C, W], [C, None]]), COMMAND)


@pytest.mark.parametrize("file", [None, "r.html", "r.md", "r.json"])
def test_a_report_on_a_run_that_lacks_samples_is_written_and_exits_4(
    lacking: Path, file: str | None, tmp_path: Path, capsys: Captured
) -> None:
    page = tmp_path / (file or "nothing")
    assert run_command(["report", str(lacking), *(["-o", str(page)] if file else [])]) == 4
    captured = capsys.readouterr()
    assert page.exists() == bool(file)
    assert file or "pass@1" in captured.out
    last = captured.err.strip().splitlines()[-1]
    assert last == (
        f"error: {TASK}, late: incomplete: 1 pending; harness run --model 'a model' --tasks {TASK} "
        "-o runs/late completes it"
    )


@pytest.mark.parametrize("file", [None, "t.md", "t.tex", "t.json"])
def test_so_does_a_papers_table(write_run: WriteRun, file: str | None, tmp_path: Path) -> None:
    lacking = write_run([[C, W], [C, None]], task="aime24")
    page = tmp_path / (file or "nothing")
    more = ["-o", str(page)] if file else []
    assert run_command(["report", str(lacking), "--table", "r1-table5", *more]) == 4
    assert page.exists() == bool(file)


def test_a_report_over_several_runs_counts_those_that_lack_samples(
    write_run: WriteRun, lacking: Path, capsys: Captured
) -> None:
    whole = write_run([[C, W], [C, C]], name="whole")
    assert run_command(["report", str(whole)]) == 0
    assert run_command(["report", str(whole), str(lacking)]) == 4
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert "late: incomplete: 1 pending" in last
    assert last.endswith("; 1 of 2 results are like it")


def test_scores_of_a_run_that_lacks_samples_exit_4(lacking: Path, capsys: Captured) -> None:
    assert run_command(["score", str(lacking)]) == 4
    captured = capsys.readouterr()
    assert "pass@1" in captured.out
    assert captured.err == (
        f"error: 1 samples pending; harness run --model 'a model' --tasks {TASK} -o runs/late "
        "completes it\n"
    )
    assert RunFolder(lacking).task(TASK).scores().pending == 1


def test_internal_errors_exit_4_too(write_run: WriteRun, capsys: Captured) -> None:
    run = called(write_run([[C, W], [C, Verdict.ERROR]]), COMMAND)
    assert run_command(["score", str(run)]) == 4
    assert f"1 samples ended in error, see {run}/*/errors.jsonl; harness run" in (
        capsys.readouterr().err
    )
    assert run_command(["report", str(run)]) == 4
    assert "1 ended in error; harness run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "command",
    [[], ["-q", "tests"], ["run", "--prompt", "two\nlines"], ["run", "--prompt", "\x1b[2J"],
     ["run", "--prompt", "x" * 1000]],
)  # fmt: skip
def test_a_command_that_cannot_be_repeated_as_it_is_shown_is_described(
    lacking: Path, command: list[str], capsys: Captured
) -> None:
    called(lacking, command)
    assert run_command(["score", str(lacking)]) == 4
    assert (
        f"harness run .. -o {lacking}, with the options of its manifest.json, completes it\n"
        in capsys.readouterr().err
    )


def test_problems_without_any_response_are_no_reason_to_run_again(tmp_path: Path) -> None:
    rows = [{"id": "a", "problem": "1+1?", "answer": "2", "responses": [r"\boxed{2}"]},
            {"id": "b", "problem": "1+2?", "answer": "3", "responses": []}]  # fmt: skip
    file, run = tmp_path / "r.jsonl", tmp_path / "run"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run_command(["import", str(file), "--task", "integer", "-o", str(run)]) == 0
    assert RunFolder(run).task("integer").scores().unscored == 1
    assert run_command(["score", str(run)]) == 0
    assert run_command(["report", str(run)]) == 0


@pytest.mark.parametrize("command", ["score", "grade"])
def test_a_lock_of_another_host_is_taken_over_when_asked(
    write_run: WriteRun, command: str, capsys: Captured
) -> None:
    run = write_run([[C, W], [C, C]])
    (run / ".lock").write_text(json.dumps({"pid": 1, "host": "elsewhere", "since": 0}))
    assert run_command([command, str(run)]) == 2
    assert "--take-over" in capsys.readouterr().err
    assert run_command([command, str(run), "--take-over"]) == 0


def test_every_command_that_locks_a_folder_has_the_option() -> None:
    with cli.make_context("harness", ["tasks"]) as context:
        commands = {name: cli.get_command(context, name) for name in COMMANDS}
    options = {name for name, command in commands.items()
               if command and any("--take-over" in option.opts for option in command.params)}  # fmt: skip
    assert options == {"run", "import", "grade", "score", "sweep", "nightly"}
