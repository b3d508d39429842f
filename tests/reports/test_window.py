"""Reports over a window of months, by group, and where some problems lack the deciding tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.data.selection import Window
from harness.errors import UsageError
from harness.graders.integer import Integer
from harness.reports.page.build import build
from harness.reports.page.html import render_html
from harness.reports.page.output import render_markdown
from harness.reports.results import read_results
from harness.stats.intervals import problems_interval
from harness.stats.metrics import pass_at
from harness.stats.scores import TaskScores
from harness.task import Task
from harness.tasks.aime import AIME24
from harness.types import Judging, Problem, Provenance, Verdict
from harness.workflows.regrade import rescore, scores_in_window
from tests.support.published_scores import few_scores

C, W = Verdict.CORRECT, Verdict.WRONG_ANSWER
TASK = replace(AIME24, name="livecodebench", grader=Integer(0, 999), metrics=(pass_at(1),))


def task_named(name: str) -> Task:
    return replace(TASK, name=name)


def dated(id: str, month: str, difficulty: str, *, decisive: bool = True) -> Problem:
    return Problem(
        id,
        f"What is {id}?",
        answer="1",
        judging=Judging(decisive=decisive),
        provenance=Provenance(date=date.fromisoformat(f"{month}-05"), platform="atcoder"),
        meta={"difficulty": difficulty},
    )


PROBLEMS = [
    dated("a", "2024-07", "easy"),
    dated("b", "2024-08", "easy"),
    dated("c", "2024-09", "hard", decisive=False),
    dated("d", "2025-01", "hard"),
    dated("e", "2025-02", "hard", decisive=False),
]
VERDICTS = [[C], [C], [C], [W], [C]]


def in_window(path: Path, window: Window) -> Mapping[str, TaskScores]:
    return scores_in_window(path, task_named, window)


@pytest.fixture
def run(write_run: Any) -> Path:
    path: Path = write_run(VERDICTS, problems=PROBLEMS, task="livecodebench", model="o1-mini")
    rescore(path, task_named)
    return path


def test_a_window_narrows_scores_rates_and_problems_and_changes_no_file(run: Path) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (result,) = read_results([run], Window.parse("2024-08..2025-01"), in_window)
    assert result.scored is not None
    assert result.complete
    (score,) = result.scored.scores
    assert (score.n_problems, score.value) == (3, pytest.approx(2 / 3))
    assert (
        set(result.problems)
        == set(result.rates)
        == set(result.protocol.problems)
        == {"b", "c", "d"}
    )
    assert "window 2024-08..2025-01" in result.protocol.source
    after = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    before.pop(run / ".lock", None)
    after.pop(run / ".lock", None)
    assert after == before


def test_the_range_the_groups_and_the_missing_error_are_told(run: Path) -> None:
    results = read_results([run], Window.parse("2024-08..2025-01"), in_window)
    report = build(results, few_scores())
    text, page = render_markdown(report), render_html(report)
    for words in (
        "no sampling error: one sample per problem",
        "problems that lack the deciding tests: 1.",
        "between 33.3 (those all wrong) and 66.7 (as the tests at hand say); over other problems "
        f"like these, {100 * problems_interval([1, 0, 0]).low:.1f} to "
        f"{100 * problems_interval([1, 1, 0]).high:.1f} (95 %)",
    ):
        assert words in text
        assert words in page
    assert "| month | 2024-08 | 1 | 100.0 |" in text
    assert "| difficulty | easy | 1 | 100.0 |" in text
    low, high = problems_interval([0, 1])
    assert f"|  | hard | 2 | 50.0 ({100 * low:.1f} to {100 * high:.1f}) |" in text
    assert "By group" in page
    assert "against the window" not in text


def test_a_run_beyond_the_window_of_a_source_is_called_so(run: Path) -> None:
    text = render_markdown(build(read_results([run]), few_scores()))
    assert "problems of 2024-07..2025-02 against the window 2024-08..2025-01" in text
    assert "problems that lack the deciding tests: 2." in text


def test_a_window_without_problems_is_refused(run: Path) -> None:
    with pytest.raises(UsageError, match=r"--window 2020-01\.\.2020-12: .* has no problem"):
        read_results([run], Window.parse("2020-01..2020-12"), in_window)
