"""What the scores of an import cover: ragged files, problems without a response, grading again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.storage.follow import RunProgress
from harness.storage.run_folder import RunFolder
from harness.tasks.kinds import KINDS
from harness.workflows.regrade import regrade, rescore, stored_runs

RIGHT, WRONG = r"\boxed{2}", r"\boxed{3}"


def rows(*responses: Sequence[str]) -> list[dict[str, Any]]:
    return [{"id": f"p{number}", "statement": "1+1?", "answer": 2, "responses": texts}
            for number, texts in enumerate(responses)]  # fmt: skip


def harness(*arguments: str | Path) -> int:
    return run_command([str(argument) for argument in arguments])


def imported(folder: Path, found: Sequence[Mapping[str, Any]], *further: str) -> int:
    path = folder / "r.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in found), encoding="utf-8")
    return harness("import", path, "--task", "integer", "-o", folder / "run", *further)


def metrics(run: Path) -> list[str]:
    return [score.metric for score in RunFolder(run).task("integer").scores().scores]


def test_the_metrics_of_an_import_survive_grading_and_scoring_again(tmp_path: Path) -> None:
    imported(tmp_path, rows([RIGHT, RIGHT, WRONG], [RIGHT, WRONG, WRONG]))
    run = tmp_path / "run"
    before = RunFolder(run).task("integer").scores()
    assert metrics(run) == ["pass@1", "cons@3"]
    rescore(run, KINDS.__getitem__)
    assert RunFolder(run).task("integer").scores() == before
    asyncio.run(regrade(run, KINDS.__getitem__, observe=lambda _: lambda *_: None))
    assert RunFolder(run).task("integer").scores() == before
    (again,) = stored_runs(run, KINDS.__getitem__)
    assert [metric.name for metric in again.task.metrics] == ["pass@1", "cons@3"]


def test_a_metric_that_some_problems_lack_says_which_it_covers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = imported(tmp_path, rows([RIGHT] * 3, [WRONG], [RIGHT, WRONG]))
    said = capsys.readouterr().out
    assert code == 0
    assert "cons@3 covers 1 of 3 problems" in said.replace("\n", " ")
    assert "cons@3 (n≤3)" in said and "pass@1 covers" not in said
    assert harness("report", tmp_path / "run", "-o", tmp_path / "r.md") == 0
    assert "cons@3 covers 1 of 3 problems" in (tmp_path / "r.md").read_text()
    capsys.readouterr()
    assert harness("report", tmp_path / "run") == 0
    assert "cons@3 covers 1 of 3 problems" in " ".join(capsys.readouterr().out.split())


def test_every_problem_covered_needs_no_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    imported(tmp_path, rows([RIGHT, RIGHT], [WRONG, WRONG]))
    said = capsys.readouterr().out
    assert "cover" not in said and "n=2" in said


def test_complete_means_the_same_of_a_task_and_of_its_scores(tmp_path: Path) -> None:
    imported(tmp_path, rows([RIGHT] * 3, [WRONG], [RIGHT, WRONG]))
    scores = json.loads((tmp_path / "run" / "integer" / "scores.json").read_text())
    assert [scores["complete"], *(score["complete"] for score in scores["scores"])] == [True] * 3
    assert {score["ragged"] for score in scores["scores"]} == {True}


def test_a_problem_without_a_response_is_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = imported(tmp_path, rows([RIGHT], []))
    said = capsys.readouterr().out
    assert code == 0
    assert "incomplete: problems without any response, left out of every mean: 1" in said.replace(
        "\n", " "
    )
    folder = RunFolder(tmp_path / "run").task("integer")
    scores = folder.scores()
    assert (scores.complete, scores.unscored, scores.pending) == (False, 1, 0)
    assert [score.complete for score in scores.scores] == [False, False]
    assert (scores.scores[0].value, scores.scores[0].n_problems) == (1.0, 1)
    assert set(folder.problems()) == {"p0", "p1"}
    watched = RunProgress(tmp_path / "run")
    watched.update()
    assert watched.complete
    assert harness("report", tmp_path / "run", "-o", tmp_path / "r.md") == 0
    warned = capsys.readouterr().err
    assert "problems without any response, left out of every mean: 1" in warned
    assert "resumes" not in warned


def test_a_file_without_any_response_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = imported(tmp_path, rows([], []))
    said = capsys.readouterr().err
    assert code != 0
    assert "no response" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", [["score"], ["grade"]])
def test_an_incomplete_import_stays_so(command: list[str], tmp_path: Path) -> None:
    imported(tmp_path, rows([RIGHT], []))
    assert harness(*command, tmp_path / "run") == 0
    assert not RunFolder(tmp_path / "run").task("integer").scores().complete
