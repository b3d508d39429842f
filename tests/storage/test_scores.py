"""stopping.json and the `stopped` of scores.json: margins in points, and files with shares still read."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from harness.stats.intervals import Interval
from harness.stats.scores import TaskScores
from harness.stats.stopping import InterimAnalysis, Stopping
from harness.storage.scores import (
    SCORES,
    STOPPING,
    read_scores,
    read_stopping,
    write_scores,
    write_stopping,
)

ANALYSIS = InterimAnalysis(
    stage=3, difference=-0.1, low=-0.2, p_drop=0.01, decision="regression", score=0.5,
    interval=Interval(0.4, 0.6),
)  # fmt: skip
STOPPED = Stopping(
    base="runs/base", k=16, margin=0.07, alpha=0.025, shares=(0.25, 0.5, 1.0), stage=3, decision="regression", score=0.5,
    interval=Interval(0.4, 0.6), analyses=(ANALYSIS,),
)  # fmt: skip


def test_a_margin_is_written_in_points_and_read_as_the_share_it_was(tmp_path: Path) -> None:
    write_stopping(tmp_path, STOPPED)
    row = json.loads((tmp_path / STOPPING).read_text())
    assert row["margin_points"] == 7.0
    assert "margin" not in row
    assert read_stopping(tmp_path) == STOPPED


def test_a_file_that_states_the_margin_as_a_share_is_read_alike(tmp_path: Path) -> None:
    write_stopping(tmp_path, STOPPED)
    row = json.loads((tmp_path / STOPPING).read_text())
    del row["margin_points"]
    (tmp_path / STOPPING).write_text(json.dumps({**row, "margin": 0.07}))
    assert read_stopping(tmp_path) == STOPPED


def test_scores_hold_the_test_that_stopped_them_in_the_same_words(tmp_path: Path) -> None:
    scores = TaskScores(protocol="9f", k=16, scoring="integer", complete=True, pending=0, errors=0,
                        scores=(), stopped=STOPPED)  # fmt: skip
    write_scores(tmp_path, scores)
    row = json.loads((tmp_path / SCORES).read_text())
    assert row["stopped"]["margin_points"] == 7.0
    assert read_scores(tmp_path) == scores
    old = {name: value for name, value in row["stopped"].items() if name != "margin_points"}
    (tmp_path / SCORES).write_text(json.dumps({**row, "stopped": {**old, "margin": 0.07}}))
    assert read_scores(tmp_path) == scores
    write_scores(tmp_path, replace(scores, stopped=None))
    assert read_scores(tmp_path).stopped is None
