"""Import published responses as a run, graded and scored like generated samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.data.datasets import FileDataset
from harness.data.parsing import parse_row
from harness.data.readers import read_rows
from harness.data.selection import Selection, in_words
from harness.engines.recorded import RecordedEngine, Recording
from harness.errors import DataError, UsageError
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.protocol import content_hash, make_protocol
from harness.stats.metrics import cons_at, pass_at
from harness.stats.scores import TaskScores
from harness.storage.run_folder import RunWriter
from harness.task import Task
from harness.tasks.kinds import KINDS
from harness.types import FinishReason, Problem, Row, Sampling
from harness.workflows.evaluate import run_engine
from harness.workflows.prepare import Prepared

FIELDS = {
    "id": ("id", "unique_id", "problem_id", "question_id", "task_id"),
    "statement": ("statement", "problem", "question", "prompt"),
    "answer": ("answer", "reference_answer", "expected_answer", "gold", "target"),
    "responses": ("responses", "completions", "generations", "outputs", "samples"),
    "response": ("response", "completion", "generation", "output", "text"),
    "finish_reason": ("finish_reason", "finish_reasons", "stop_reason"),
}
"""The fields of an import and, for each, the columns that are tried in this order."""

_EXACT = 2.0**53  # from here a number in JSON may have lost digits
_CAPPED = {"length", "max_tokens", "max_length"}
_STOPPED = {"stop", "eos", "end_turn", "stop_sequence", "eos_token"}


@dataclass(slots=True)
class _Imported:
    """The problems of a file, and their responses in its order."""

    problems: dict[str, Problem] = field(default_factory=dict)
    responses: dict[str, list[Recording]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


async def import_responses(
    path: Path,
    task: Task,
    columns: Mapping[str, str],
    output: Path,
    *,
    model: str,
    observe: Callable[[Sequence[TaskRun]], Observer],
    selection: Selection | None = None,
    take_over: bool = False,
) -> list[TaskScores]:
    """Read published responses, grade and score them.

    Args:
        path: .jsonl, .csv or .parquet; one row per problem (`responses`, a list) or one per response.
        task: one of `KINDS`, or a task whose own schema the rows have.
        columns: column of each field, as `--map` gives them; others are found by name.
        output: the run folder.
        model: name of the model in reports.
        observe: as in `harness.workflows.evaluate.evaluate`.
        selection: which problems are kept; all by default.
        take_over: take over a folder whose lock was left by a process on another host.

    Raises:
        DataError: a row lacks a needed column, a response is not a string, the file is empty.
        UsageError: the task's grader cannot run here.
    """
    task.grader.ready()
    imported = _read(path, task, columns, selection or Selection())
    k = max(len(responses) for responses in imported.responses.values())
    sampling = Sampling(k=k)
    metrics = task.metrics if task.name not in KINDS else (pass_at(1), cons_at(k))
    task = replace(task, dataset=FileDataset(path), prompt="", sampling=sampling, metrics=metrics)
    problems = list(imported.problems.values())
    left_out = f" ({in_words(imported.left_out)})" if imported.left_out else ""
    protocol = make_protocol(task, problems, sampling, source=path.name + left_out)
    recordings = {
        (id, index): recording
        for id, responses in imported.responses.items()
        for index, recording in enumerate(responses)
    }
    engine = RecordedEngine(recordings, {"file": path.name})
    with RunWriter(output, take_over=take_over) as writer:
        prepared = [Prepared(task, sampling, problems, protocol, frozenset(recordings))]
        return await run_engine(writer, model, engine, prepared, observe=observe)


def parse_columns(given: Sequence[str]) -> dict[str, str]:
    """`--map field=column[,field=column..]`, repeatable. UsageError names what is wrong."""
    columns = {}
    for part in (part for text in given for part in text.split(",")):
        name, found, column = part.partition("=")
        if not found or not column:
            raise UsageError(f"--map {part!r}: the form is field=column")
        if name.strip() not in FIELDS:
            raise UsageError(f"--map {part!r}: the fields are {', '.join(FIELDS)}")
        columns[name.strip()] = column.strip()
    return columns


def _read(path: Path, task: Task, columns: Mapping[str, str], selection: Selection) -> _Imported:
    imported = _Imported()
    for place, row in read_rows(path):
        kind = task.name in KINDS
        problem = _problem(place, row, columns) if kind else parse_row(task, place, row)
        reason = selection.leaves_out(problem)
        if reason:
            imported.left_out[reason] += 1
            continue
        known = imported.problems.setdefault(problem.id, problem)
        if content_hash(known) != content_hash(problem):
            raise DataError(f"{place}: another problem with the id {problem.id!r} came before")
        imported.responses.setdefault(problem.id, []).extend(_responses(place, row, columns))
    if not imported.problems:
        why = f" but {in_words(imported.left_out)}" if imported.left_out else ""
        raise DataError(f"{path}: holds no rows{why}")
    return imported


def _problem(place: str, row: Row, columns: Mapping[str, str]) -> Problem:
    """A problem by its columns; without an id, one that is derived from the content."""
    statement, answer = (_need(place, row, columns, name) for name in ("statement", "answer"))
    problem = Problem(id="", statement=str(statement), answer=str(answer))
    column = _column(row, columns, "id")
    return replace(problem, id=str(row[column]) if column else content_hash(problem))


def _responses(place: str, row: Row, columns: Mapping[str, str]) -> list[Recording]:
    several = _column(row, columns, "responses")
    one = None if several else _column(row, columns, "response")
    if several is None and one is None:
        raise DataError(
            f"{place}: no column holds the responses; name it with --map responses=COLUMN "
            f"(the row has {', '.join(map(str, row))})"
        )
    texts = row[several] if several else [row[one or ""]]
    if not isinstance(texts, list):
        raise DataError(f"{place}: the column {several!r} must hold a list of texts")
    column = _column(row, columns, "finish_reason")
    reasons = row[column] if column else None
    if not isinstance(reasons, list):
        reasons = [reasons] * len(texts)
    if len(reasons) != len(texts):
        raise DataError(f"{place}: {len(texts)} responses and {len(reasons)} finish reasons")
    for text in texts:
        if not isinstance(text, str):
            raise DataError(f"{place}: a response is not a string: {text!r}")
    return [Recording(t, _finish_reason(r)) for t, r in zip(texts, reasons, strict=True)]


def _finish_reason(value: object) -> FinishReason:
    text = str(value).lower()
    return "length" if text in _CAPPED else "stop" if text in _STOPPED else "unknown"


def _need(place: str, row: Row, columns: Mapping[str, str], name: str) -> Any:
    column = _column(row, columns, name)
    if column is None:
        raise DataError(
            f"{place}: no column holds the {name}; name it with --map {name}=COLUMN "
            f"(the row has {', '.join(map(str, row))})"
        )
    value = row[column]
    if value is None or not str(value).strip():
        raise DataError(f"{place}: the column {column!r} ({name}) is empty")
    if isinstance(value, float) and abs(value) >= _EXACT:
        raise DataError(
            f"{place}: the column {column!r} ({name}) holds a number too large to be read "
            "exactly; write it as a string"
        )
    return value


def _column(row: Row, columns: Mapping[str, str], name: str) -> str | None:
    if name in columns:
        if columns[name] not in row:
            raise DataError(
                f"--map {name}={columns[name]}: no such column; the rows have "
                f"{', '.join(map(str, row))}"
            )
        return columns[name]
    return next((column for column in FIELDS[name] if column in row), None)
