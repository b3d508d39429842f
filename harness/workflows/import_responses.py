"""Import published responses as a run, graded and scored like generated samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.data.columns import Columns, json_value, plain, value
from harness.data.datasets import FileDataset
from harness.data.readers import read_rows
from harness.data.schema_row import parse_published
from harness.data.selection import Selection, in_words
from harness.data.shown_choices import ShownChoices
from harness.engines.recorded import RecordedEngine, Recording
from harness.errors import DataError, UsageError
from harness.graders.choice import reference_letter
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.protocol import content_hash, make_protocol
from harness.sampling import Sampling
from harness.stats.scores import TaskScores
from harness.storage.run_folder import RunWriter
from harness.task import Task
from harness.tasks.kinds import KINDS, with_responses
from harness.types import FinishReason, Problem, Row, Sample
from harness.waiting import waiting_for
from harness.workflows.evaluate import run_engine
from harness.workflows.prepare import Prepared

_CAPPED = {"length", "max_tokens", "max_length"}
_STOPPED = {"stop", "eos", "end_turn", "stop_sequence", "eos_token"}
_UNANSWERED = Sample("", 0, None, "", "unknown")


@dataclass(slots=True)
class _Imported:
    """The problems of a file, and their responses in its order."""

    problems: dict[str, Problem] = field(default_factory=dict)
    responses: dict[str, list[Recording]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    @property
    def has_choices(self) -> bool:
        return any(problem.choices for problem in self.problems.values())

    def recordings(self) -> dict[tuple[str, int], Recording]:
        return {
            (id, index): recording
            for id, responses in self.responses.items()
            for index, recording in enumerate(responses)
        }


async def import_responses(
    path: Path,
    task: Task,
    columns: Mapping[str, str],
    output: Path,
    *,
    model: str,
    observe: Callable[[Sequence[TaskRun]], Observer],
    selection: Selection | None = None,
    dataset_order: bool = False,
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
        dataset_order: letters refer to the choices in the dataset's own order; otherwise the order
            comes from the file, see `harness.data.shown_choices`.
        take_over: take over a folder whose lock was left by a process on another host.

    Raises:
        DataError: a row lacks a needed column, its reference cannot be one, a response is not a
            string, nothing tells the order of the choices, the file is empty.
        UsageError: the task's grader cannot run here, or has no choices to be ordered.
    """
    task.grader.ready()
    shown = ShownChoices(Columns(columns), dataset_order)
    with waiting_for("the responses to be read"):
        imported = _read(path, task, shown, selection or Selection())
    if not imported.has_choices:
        _needs_no_order(task, columns, dataset_order=dataset_order)
    recordings = imported.recordings()
    engine = RecordedEngine(recordings, {"file": path.name})
    with RunWriter(output, take_over=take_over) as writer:
        prepared = [_prepared(path, task, imported, recordings)]
        return await run_engine(writer, model, engine, prepared, observe=observe)


def _needs_no_order(task: Task, columns: Mapping[str, str], *, dataset_order: bool) -> None:
    """Raises UsageError where the user says in which order choices were shown that are not there."""
    said = ["--choice-order dataset"] * dataset_order
    said += [f"--map {field}" for field in ("choice_order", "prompt") if field in columns]
    if said:
        raise UsageError(f"{said[0]}: the problems of {task.name} have no choices")


def _prepared(
    path: Path, task: Task, imported: _Imported, recordings: Mapping[tuple[str, int], Recording]
) -> Prepared:
    """The task as if it had asked for what the file holds."""
    k = max(len(responses) for responses in imported.responses.values())
    sampling = Sampling(k=k)
    task = replace(
        with_responses(task, k),
        dataset=FileDataset(path),
        prompt="",
        sampling=sampling,
        choice_order="published" if imported.has_choices else None,
    )
    problems = list(imported.problems.values())
    left_out = f" ({in_words(imported.left_out)})" if imported.left_out else ""
    protocol = make_protocol(task, problems, sampling, source=path.name + left_out)
    orders = {key: recording.choice_order for key, recording in recordings.items()
              if recording.choice_order}  # fmt: skip
    counts = {id: len(responses) for id, responses in imported.responses.items()}
    return Prepared(task, sampling, problems, protocol, counts, orders)


def _read(path: Path, task: Task, shown: ShownChoices, selection: Selection) -> _Imported:
    imported, columns = _Imported(), shown.columns
    for place, row in read_rows(path):
        if isinstance(row.get("doc"), Mapping):  # lm-eval and lighteval: the dataset's own row
            row = {**row["doc"], **row}
        problem = _problem(place, row, columns, task)
        reason = selection.leaves_out(problem)
        if reason:
            imported.left_out[reason] += 1
            continue
        known = imported.problems.setdefault(problem.id, problem)
        if content_hash(known) != content_hash(problem):
            raise DataError(f"{place}: another problem with the id {problem.id!r} came before")
        recordings = _responses(place, row, columns)
        if problem.choices:
            orders = shown.orders(place, row, problem, len(recordings))
            recordings = [
                replace(recording, choice_order=order)
                for recording, order in zip(recordings, orders, strict=True)
            ]
        imported.responses.setdefault(problem.id, []).extend(recordings)
    if not imported.problems:
        why = f" but {in_words(imported.left_out)}" if imported.left_out else ""
        raise DataError(f"{path}: holds no rows{why}")
    if not any(imported.responses.values()):
        raise DataError(f"{path}: no response in any row")
    shown.check(path)
    return imported


def _problem(place: str, row: Row, columns: Columns, task: Task) -> Problem:
    """A problem by the task's own schema, or by its columns for a task that is a kind of answer.

    Without an id a problem of a kind gets one that is derived from its content.
    """
    if task.name not in KINDS:
        return parse_published(task, place, row, columns)
    statement, answer = (columns.need(place, row, name) for name in ("statement", "answer"))
    problem = Problem(id="", statement=str(statement), answer=_reference(place, answer, task))
    column = columns.find(row, "id")
    id = None if column is None else plain(place, column, "id", value(row, column))
    return replace(problem, id=str(id) if column else content_hash(problem))


def _reference(place: str, answer: object, task: Task) -> str:
    """The reference answer as the grader of a kind can read it."""
    if task.name == "choice":
        letter = reference_letter(str(answer)) if isinstance(answer, str) else None
        if letter is None:
            raise DataError(
                f"{place}: the reference answer {str(answer)[:80]!r} is no letter of a choice; name "
                "the column that holds the letter with --map answer=COLUMN"
            )
        return letter
    try:
        task.grader.grade(Problem(id="", statement="", answer=str(answer)), _UNANSWERED)
    except DataError as error:
        raise DataError(
            f"{place}: {error}; name the column of the reference with --map answer=COLUMN"
        ) from error
    return str(answer)


def _responses(place: str, row: Row, columns: Columns) -> list[Recording]:
    several = None if "response" in columns.given else columns.find(row, "responses")
    one = None if several else columns.find(row, "response")
    if several is None and one is None:
        raise DataError(
            f"{place}: no column holds the responses; name it with --map responses=COLUMN "
            f"(the row has {', '.join(map(str, row))})"
        )
    texts = json_value(value(row, several), ("[",)) if several else [value(row, one or "")]
    if not isinstance(texts, list):
        raise DataError(
            f"{place}: the column {several!r} must hold a list of texts (in CSV, as JSON)"
        )
    column = columns.find(row, "finish_reason")
    reasons = json_value(value(row, column), ("[",)) if column else None
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
