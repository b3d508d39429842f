"""A training log, and which step each run is of.

A log has one JSON object per line: {"step": 960, "checkpoint": "early" or null, "tasks": {task:
{"pass@1": 0.46, "cons@16": 0.49, "reasoning_tokens": 39.6, "response_tokens": 6.8}}}; what a task
lacks is not drawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, UsageError
from harness.reports.results import Result
from harness.storage.files import read_lines

_NUMBERED = re.compile(r"(?:step|checkpoint|ckpt|iter)[-_ ]?(\d+)(?!\d)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One measurement of a training log: the step, the weights' name if kept, values by task."""

    step: int
    checkpoint: str | None
    tasks: Mapping[str, Mapping[str, float]]


def read_log(path: Path) -> list[LogLine]:
    """The lines of a training log by step.

    Raises:
        DataError: no log, or a line without a step or tasks.
    """
    if not path.is_file():
        raise DataError(f"--training {path}: there is no such file")
    lines = []
    for number, row in read_lines(path):
        try:
            tasks = {str(task): dict(values) for task, values in row["tasks"].items()}
            lines.append(LogLine(int(row["step"]), row.get("checkpoint"), tasks))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f"{path}, line {number}: no line of a training log ({error!r}); it needs a step "
                "and, by task, numbers such as pass@1"
            ) from error
    if not lines:
        raise DataError(f"{path}: the training log is empty")
    return sorted(lines, key=lambda line: line.step)


def parse_steps(texts: Iterable[str]) -> dict[str, int]:
    """RUN=STEP pairs by run. UsageError says which is none."""
    steps = {}
    for text in texts:
        run, found, step = text.rpartition("=")
        if not found or not step.isdecimal():
            raise UsageError(f"--steps {text!r}: it has the form RUN=STEP, such as late=2400")
        steps[run.rstrip("/").rpartition("/")[2]] = int(step)
    return steps


def steps_given(texts: Iterable[str], results: Iterable[Result]) -> dict[str, int]:
    """RUN=STEP pairs by run, each of a run that there is.

    Raises:
        UsageError: no such pair, or a run that there is not.
    """
    steps, known = parse_steps(texts), list(results)
    runs = dict.fromkeys(result.run.rpartition("/")[2] for result in known)
    for run in steps:
        if run not in runs and run not in {result.model for result in known}:
            raise UsageError(
                f"--steps {run}={steps[run]}: there is no run {run}; the runs are {', '.join(runs)}"
            )
    return steps


def step_of(result: Result, log: Sequence[LogLine], given: Mapping[str, int]) -> int | None:
    """The training step of a run; None where nothing says it.

    It is the one given, else that of the log's checkpoint with the model's or the run's name,
    else the number in such a name ("step-1200").
    """
    names = (result.run.rpartition("/")[2], result.model)
    for name in names:
        if name in given:
            return given[name]
    kept = {line.checkpoint: line.step for line in log if line.checkpoint}
    for name in reversed(names):
        if name in kept:
            return kept[name]
    found = next(filter(None, map(_NUMBERED.search, names)), None)
    return int(found[1]) if found else None


def steps_of(
    results: Iterable[Result], log: Sequence[LogLine], given: Mapping[str, int]
) -> dict[str, int]:
    """The training steps of runs, by run; those without one are left out."""
    return {r.run: step for r in results if (step := step_of(r, log, given)) is not None}
