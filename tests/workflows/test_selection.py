"""Release, window, errata and scoring as options of run, import and score."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.import_responses import import_
from harness.cli.score import score
from harness.errors import UsageError
from harness.storage.files import read_lines
from harness.storage.run_folder import RunFolder
from harness.tasks.aime import AIME24
from harness.tasks.livecodebench import LIVECODEBENCH
from harness.workflows.prepare import prepare
from harness.workflows.run_settings import RunSettings, configure


def row(id: str, date: str, **changed: Any) -> Mapping[str, Any]:
    """A problem of our own in LiveCodeBench's schema, with one response."""
    return {
        "question_title": id,
        "question_content": f"Print twice the number ({id}).",
        "platform": "atcoder",
        "question_id": id,
        "contest_date": f"{date}T00:00:00",
        "starter_code": "",
        "difficulty": "easy" if id < "c" else "hard",
        "public_test_cases": '[{"input": "2\\n", "output": "4\\n", "testtype": "stdin"}]',
        "private_test_cases": "[]",
        "metadata": "{}",
        "response": "```python\nprint(2 * int(input()))\n```",
        **changed,
    }


ROWS = [
    row("a", "2024-07-31"),
    row("b", "2024-08-01"),
    row("c", "2024-09-01", response="```python\nprint(5)\n```"),
    row("d", "2025-01-31", decisive=False),
    row("abc337_e", "2024-10-01", response="```python\nprint(5)\n```"),
]
WINDOW = "2024-08..2025-01"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "livecodebench.jsonl").write_text("".join(json.dumps(r) + "\n" for r in ROWS))
    return folder


def settings(**given: Any) -> RunSettings:
    return RunSettings(model="m", tasks="livecodebench", output=Path("out"), **given)


def test_a_run_asks_only_the_problems_of_the_window(data: Path) -> None:
    (item,) = prepare([LIVECODEBENCH], settings(data=data, window=WINDOW, skip_errata=True))
    assert [problem.id for problem in item.problems] == ["b", "c", "d"]
    assert set(item.protocol.problems) == {"b", "c", "d"}
    assert item.protocol.source.endswith(
        "(5 problems, and the benchmark has 1,055; 1 outside 2024-08..2025-01, 1 in the published errata)"
    )
    (limited,) = prepare([LIVECODEBENCH], settings(data=data, window=WINDOW, limit=2))
    assert [problem.id for problem in limited.problems] == ["b", "c"]


def test_release_and_scoring_change_the_task_and_nothing_else_takes_a_release() -> None:
    task, _ = configure(LIVECODEBENCH, settings(release="v4_v5", scoring="lcb-official"))
    assert [part.file for part in task.dataset.parts] == ["test4.jsonl", "test5.jsonl"]  # type: ignore[attr-defined]
    assert task.grader.version == "code/2+lcb-official"
    with pytest.raises(UsageError, match="aime24 has no releases"):
        configure(AIME24, settings(release="v5"))
    with pytest.raises(UsageError, match="--window '2024'"):
        _ = settings(window="2024").selection


def invoke(command: Any, *arguments: object) -> str:
    done = CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "200"})
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output


@pytest.mark.usefixtures("sandbox")
def test_an_import_is_scored_by_group_and_over_a_window(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    invoke(import_, data / "livecodebench.jsonl", "--task", "livecodebench", "-o", run)
    folder = RunFolder(run).task("livecodebench")
    verdicts = {grade.problem_id: str(grade.verdict) for grade in folder.grades()}
    assert {id for id in verdicts if verdicts[id] == "correct"} == {"a", "b", "d"}
    scores = folder.scores()
    assert {found.by for found in scores.breakdown} == {"month", "difficulty"}
    assert (scores.range.n_open, scores.range.low, scores.range.high) == (
        1, 0.4, 0.6,
    )  # fmt: skip
    before = (folder.path / "scores.json").read_bytes()
    shown = invoke(score, run, "--window", WINDOW)
    assert "50.0" in shown
    assert "problems that lack the deciding tests: 1; pass@1 lies between 25.0" in shown
    assert (folder.path / "scores.json").read_bytes() == before


@pytest.mark.usefixtures("sandbox")
def test_an_import_of_a_window_holds_nothing_else(data: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    invoke(import_, data / "livecodebench.jsonl", "--task", "livecodebench", "-o", run,
           "--window", "2024-08..2024-09", "--scoring", "lcb-official")  # fmt: skip
    folder = RunFolder(run).task("livecodebench")
    assert list(folder.protocol().problems) == ["b", "c"]
    assert "3 outside 2024-08..2024-09" in folder.protocol().source
    assert folder.scores().scoring == "lcb-official"
    assert len(list(read_lines(folder.path / "samples.jsonl"))) == 2
