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

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.points import points_of
from harness.stats.intervals import Interval
from harness.stats.scores import (
    BreakdownRow,
    Clustering,
    LengthSummary,
    OpenRange,
    SecondOpinions,
    SkippedMetric,
    TaskScores,
    TokenLengths,
)
from harness.stats.stopping import InterimAnalysis, Stopping
from harness.stats.usage import OneEach, Usage
from harness.storage.files import Json, decode, read_json, write_json
from harness.types import Score

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

SCORES = "scores.json"
STOPPING = "stopping.json"
T = TypeVar("T")


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
    path = folder / SCORES
    return decode(path, _scores, read_json(path), fix=f"run: harness score {folder.parent}")


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
    if not path.exists():
        return None
    return decode(path, stopping_from, read_json(path))


def _scores(data: Json) -> TaskScores:
    return TaskScores(
        **{
            **data,
            "scores": tuple(_score(row) for row in data["scores"]),
            "skipped": tuple(SkippedMetric(**row) for row in data["skipped"]),
            "tokens": TokenLengths(
                **{
                    part: _optional(row, lambda row: LengthSummary(**row))
                    for part, row in data["tokens"].items()
                }
            ),
            "stopped": _optional(data["stopped"], stopping_from),
            "breakdown": tuple(_breakdown_row(row) for row in data["breakdown"]),
            "range": _optional(data["range"], _range),
            "opinions": _optional(data.get("opinions"), lambda row: SecondOpinions(**row)),
            "clusters": _optional(data.get("clusters"), lambda row: Clustering(**row)),
            "usage": _optional(data.get("usage"), usage_from),
        }
    )


def usage_from(row: Json) -> Usage:
    """The usage that `row` holds. KeyError or TypeError on anything else."""
    return Usage(**{**row, "at_k1": OneEach(**row["at_k1"])})


def _score(row: Json) -> Score:
    ends = ("interval_sampling", "interval_problems")
    found = {name: _optional(row[name], _pair) for name in ends}
    return Score(**{**row, **found, "n_range": _optional(row.get("n_range"), _pair)})


def _breakdown_row(row: Json) -> BreakdownRow:
    ends = ("interval_sampling", "interval_problems")
    return BreakdownRow(**{**row, **{name: _optional(row.get(name), _interval) for name in ends}})


def _range(row: Json) -> OpenRange:
    return OpenRange(**{**row, "interval": _optional(row.get("interval"), _interval)})


def _pair(ends: Any) -> tuple[Any, Any]:
    low, high = ends
    return low, high


def _row(value: DataclassInstance) -> Json:
    """The fields of a dataclass by name; what they hold is left to the encoder."""
    return {field.name: getattr(value, field.name) for field in fields(value)}


def _stopping_row(stopping: Stopping) -> Json:
    row = _row(stopping)
    return {"margin_points": points_of(row.pop("margin")), **row}


def stopping_from(row: Json) -> Stopping:
    """The sequential test that `row` holds. KeyError or TypeError on anything else."""
    row = dict(row)
    if "margin_points" in row:  # files written before state the margin as a share, by its own name
        row["margin"] = row.pop("margin_points") / 100
    if "round" in row:  # as written when there was an analysis after every round
        k = row["k"]
        row = {
            **{name: value for name, value in row.items() if name != "round"},
            "shares": [number / k for number in range(1, k + 1)],
            "stage": row["round"],
            "analyses": [
                {**{n: v for n, v in found.items() if n != "round"}, "stage": found["round"]}
                for found in row["analyses"]
            ],
        }
    return Stopping(
        **{
            **row,
            "shares": tuple(row["shares"]),
            "interval": _optional(row["interval"], _interval),
            "analyses": tuple(
                InterimAnalysis(**{**analysis, "interval": _interval(analysis["interval"])})
                for analysis in row["analyses"]
            ),
        }
    )


def _interval(ends: Any) -> Interval:
    return Interval(*ends)


def _optional(value: Any, build: Callable[[Any], T]) -> T | None:
    return None if value is None else build(value)
