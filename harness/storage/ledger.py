"""The records of a folder of runs: accepted baselines, and every nightly evaluation.

RUNS/accepted.json, written by `harness accept`
{"accepted": {task: {"run", "time", "note"}},
 "history": [{"task", "run", "time", "note", "replaced", "missing"}, ..]}

`run` is the run folder's path below RUNS; `replaced` the run accepted before, or null; `missing`
what an incomplete run lacked when it was accepted, or "". The history is in chronological order.

RUNS/history.jsonl, written by `harness nightly`: one line per evaluation of a checkpoint, see
`harness.storage.nights.HistoryLine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.errors import DataError
from harness.storage.files import Appender, read_json, read_lines, write_json
from harness.storage.nights import HistoryLine

LEDGER = "accepted.json"
HISTORY = "history.jsonl"
CLOCK = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One acceptance: the run that became a task's baseline, when, and the run that it replaced."""

    task: str
    run: str
    time: str
    note: str = ""
    replaced: str | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The accepted run of each task, and every acceptance so far."""

    accepted: Mapping[str, Acceptance] = field(default_factory=dict)
    history: tuple[Acceptance, ...] = ()


def read_ledger(runs: Path) -> Ledger:
    """The ledger of a folder of runs; empty where nothing was accepted yet.

    Raises:
        DataError: accepted.json is damaged or not what `accept` writes.
    """
    path = runs / LEDGER
    if not path.exists():
        return Ledger()
    data = read_json(path)
    try:
        accepted = {task: Acceptance(task, **row) for task, row in data["accepted"].items()}
        return Ledger(accepted, tuple(Acceptance(**row) for row in data["history"]))
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: not what harness accept writes ({error!r})") from error


def write_ledger(runs: Path, before: Ledger, entries: Sequence[Acceptance]) -> None:
    """Write the ledger with further acceptances, in one step.

    Raises:
        DataError: the file cannot be written.
    """
    accepted = {**before.accepted, **{entry.task: entry for entry in entries}}
    present = {
        task: {"run": entry.run, "time": entry.time, "note": entry.note}
        for task, entry in accepted.items()
    }
    history = [asdict(entry) for entry in (*before.history, *entries)]
    write_json(runs / LEDGER, {"accepted": present, "history": history})


def read_history(runs: Path) -> dict[str, HistoryLine]:
    """The last complete line of the history about each run, by the run's name.

    Raises:
        DataError: history.jsonl is damaged or not what `nightly` writes.
    """
    path = runs / HISTORY
    if not path.exists():
        return {}
    try:
        lines = [HistoryLine.from_json(row) for _, row in read_lines(path)]
    except (TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: not what harness nightly writes ({error!r})") from error
    return {line.run: line for line in lines if line.complete}


def append_history(runs: Path, line: HistoryLine) -> None:
    """Add the line of one evaluation to the history.

    Raises:
        DataError: the folder of runs or the file cannot be written.
    """
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{runs}: cannot be created ({error.strerror})") from error
    history = Appender(runs / HISTORY)
    try:
        history.append([line])
    finally:
        history.close()
