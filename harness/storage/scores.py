"""TASK/scores.json and TASK/stopping.json: one writer and one reader of each.

{"protocol": "9f..", "k": 64, "scoring": "integer", "complete": true, "pending": 0, "errors": 0,
 "scores": [{"metric", "scoring", "value", "se_sampling", "se_problems", "n_problems", "n", "k",
             "verdicts", "complete", "interval_sampling", "interval_problems", "of_problems",
             "ragged", "n_range"}],
 "skipped": [{"metric", "why"}],
 "truncated_share": 0.02, "looped": 0, "duplicates": 0,
 "tokens": {"prompt"|"reasoning"|"response"|"total": {"mean", "median", "max"} or null},
 "stopped": what stopping.json holds, null where the number of samples was fixed,
 "breakdown": [{"by", "group", "n_problems", "value", "se_sampling", "se_problems",
                "interval_sampling", "interval_problems"}],
 "range": {"n_open", "low", "low_se_problems", "high", "high_se_problems", "interval"} or null,
 "opinions": {"asked", "differ": {"wrong_answer -> correct": 3}, "no_opinion", "missing"} or null,
 "unscored": 0, "clusters": {"by": "contest", "n": 47, "used": true} or null,
 "usage": {"samples", "counted", "prompt_tokens", "completion_tokens", "n_charged", "charged",
           "at_k1": {"problems", "prompt_tokens", "completion_tokens", "completion_error",
                        "charged_problems", "charged", "charged_error"}} or null}

{"base": "runs/base", "k": 16, "margin_points": 5.0, "alpha": 0.05, "shares": [0.1, 0.2, 0.35, 0.6, 1.0],
 "stage": 2, "decision": "no regression", "score": 0.61, "interval": [0.54, 0.68],
 "analyses": [{"stage", "difference", "low", "p_drop", "decision", "score", "interval"}]}
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.points import points_of
from harness.stats.scores import TaskScores
from harness.stats.stopping import Stopping
from harness.storage.files import Json, write_json
from harness.storage.rows import MAX_INDEX, read_row

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCORES = "scores.json"
STOPPING = "stopping.json"


def write_scores(folder: Path, scores: TaskScores) -> None:
    """Replace scores.json of a task's folder in one step.

    Raises:
        DataError: it cannot be written.
    """
    stopped = None if scores.stopped is None else _stopping_row(scores.stopped)
    write_json(folder / SCORES, {**_row(scores), "stopped": stopped})


def read_scores(folder: Path) -> TaskScores:
    """The scores of a task.

    Raises:
        DataError: scores.json is missing, damaged, or of another schema.
    """
    fix = f"run: harness score {folder.parent}"
    return read_row(folder / SCORES, TaskScores, upgrade=_scores_row, fix=fix)


def write_stopping(folder: Path, stopping: Stopping) -> None:
    """Replace stopping.json of a task's folder in one step.

    Raises:
        DataError: it cannot be written.
    """
    write_json(folder / STOPPING, _stopping_row(stopping))


def read_stopping(folder: Path) -> Stopping | None:
    """The sequential test of a task; None where its number of samples is fixed.

    Raises:
        DataError: stopping.json is damaged, or of another schema.
    """
    path = folder / STOPPING
    return read_row(path, Stopping, upgrade=stopping_row) if path.exists() else None


def stopping_row(row: Any) -> Any:
    """The fields of a sequential test, from what this version or an earlier one has written."""
    if not isinstance(row, dict):
        return row
    row = dict(row)
    if isinstance(row.get("margin_points"), int | float):  # once it was a share, by its own name
        row["margin"] = row.pop("margin_points") / 100
    if "round" not in row:
        return row
    k = row.get("k")  # as written when there was an analysis after every round
    if isinstance(k, int) and 0 < k < MAX_INDEX:
        row["shares"] = [number / k for number in range(1, k + 1)]
    row["stage"] = row.pop("round")
    if isinstance(row.get("analyses"), list):
        row["analyses"] = [
            {("stage" if name == "round" else name): value for name, value in found.items()}
            if isinstance(found, dict)
            else found
            for found in row["analyses"]
        ]
    return row


def _scores_row(row: Json) -> Json:
    return {**row, "stopped": stopping_row(row.get("stopped"))}


def _row(value: DataclassInstance) -> Json:
    """The fields of a dataclass by name; what they hold is left to the encoder."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _stopping_row(stopping: Stopping) -> Json:
    row = _row(stopping)
    return {"margin_points": points_of(row.pop("margin")), **row}
