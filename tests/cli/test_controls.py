"""What models, servers and names hold reaches the terminal by name: no command sends a control of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from harness.cli import run_command
from harness.cli.output import terminal
from harness.storage.run_folder import RunFolder
from harness.types import Verdict
from tests.support.run_folders import WriteRun

ESCAPE = "\x1b]0;title\x07\x1b[2J\x1b[31m"
HOSTILE = f"{ESCAPE}\u202eright\u2066\x9b\x7f[red]bold[/red]"
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def said(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Everything that a command prints, which holds no control."""
    code = run_command([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    text = captured.out + captured.err
    assert code != 70, text
    assert not _RAW.search(text), ascii(text)
    return text


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    """A run whose model, answers and errors hold controls."""
    path = write_run([[Verdict.CORRECT, Verdict.UNDECIDED, Verdict.ERROR], [Verdict.WRONG_ANSWER] * 3],
                     model=HOSTILE)  # fmt: skip
    (folder,) = RunFolder(path).tasks()
    grades = [json.loads(line) for line in (folder.path / "grades.jsonl").read_text().splitlines()]
    for grade in grades:
        grade["answer"] = grade["detail"] = HOSTILE
    (folder.path / "grades.jsonl").write_text("".join(json.dumps(row) + "\n" for row in grades))
    (folder.path / "errors.jsonl").write_text(
        json.dumps(
            {"stage": "engine", "problem_id": "p0", "index": 2, "message": HOSTILE, "time": 1.0}
        )
        + "\n"
    )
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["report"],
        ["score"],
        ["watch", "--once"],
        ["grade", "--undecided"],
        ["grade", "--diff"],
        ["baselines", "--model", HOSTILE],
        ["report", "-o", f"{HOSTILE}.html"],
        ["accept", "--runs", f"{HOSTILE}"],
        ["plan", "--tasks", HOSTILE],
        ["tasks", HOSTILE],
        ["report", "--table", HOSTILE],
    ],
    ids=lambda command: " ".join(command).partition(ESCAPE)[0],
)
def test_no_command_sends_a_control_of_a_run(
    command: list[str],
    run: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    inline_grading: None,
) -> None:
    monkeypatch.chdir(run.parent)  # one of them writes a page
    name, *options = command
    runs = [] if name in ("baselines", "plan", "tasks", "accept") else [run]
    said(capsys, name, *runs, *options)


def test_compare_and_match_show_them_by_name(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said(capsys, "compare", run, run)
    assert "[U+001B]" in said(capsys, "match", "12", f"\\boxed{{{HOSTILE}}}", "--kind", "math")
    missing = tmp_path / f"none{ESCAPE}"
    assert "none[U+001B]]0;title[U+0007]" in said(capsys, "report", missing)
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        json.dumps({"id": "a", "statement": "s", "answer": "1", "response": "1"}) + "\n"
    )
    (tmp_path / ".lock").write_text(json.dumps({"pid": 1, "host": HOSTILE}))
    assert "[RLO]right" in said(capsys, "import", rows, "--task", "math", "-o", tmp_path)


def test_a_console_keeps_its_own_colours(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.text import Text

    console = terminal()
    console.print(Text(f"a{ESCAPE}b\nc\td", "bold"))
    assert "a[U+001B]]0;title[U+001B][2J[U+001B][31mb\nc" in capsys.readouterr().out
