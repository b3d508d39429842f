"""The records of a folder of runs: accepted baselines, and every nightly evaluation.

RUNS/accepted.json, written by `harness accept`
{"accepted": {task: {"run", "time", "note"}},
 "history": [{"task", "run", "time", "note", "replaced", "missing", "candidates", "begin"}, ..]}

`run` is the run folder's path below RUNS; `replaced` the run accepted before, or null; `missing`
what an incomplete run lacked when it was accepted, or ""; `candidates` the nights that the run was
chosen from, [] where it was no night; `begin` the night with which the test over nights begins, or
null: with the accepted run. The history is in chronological order.

RUNS/untold.json, while `harness nightly` works: the runs whose results it has not told yet, so that the
next call tells those of one that was ended. [run, ..]

RUNS/history.jsonl, written by `harness nightly`: one line per evaluation of a checkpoint, see
`harness.storage.nights.HistoryLine`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.errors import DataError
from harness.stats.nights import OverNights
from harness.storage.files import Appender, write_json
from harness.storage.nights import HistoryLine
from harness.storage.plain_files import remove_parts
from harness.storage.rows import read_row, read_rows

LEDGER = "accepted.json"
HISTORY = "history.jsonl"
UNTOLD = "untold.json"
REDRAWN = "-redrawn"
"""What the name of a run ends in that draws another run's checkpoint again, see `harness nightly`."""

_ABANDONED = 3600.0
"""Seconds after which a file that is to replace another was left by a killed process: the folder of
runs has no lock."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One acceptance: the run that became a task's baseline, when, and the run that it replaced."""

    task: str
    run: str
    time: str
    note: str = ""
    replaced: str | None = None
    missing: str = ""
    candidates: tuple[str, ...] = ()
    begin: str | None = None


@dataclass(frozen=True, slots=True)
class Ledger:
    """The accepted run of each task, and every acceptance so far."""

    accepted: Mapping[str, Acceptance] = field(default_factory=dict)
    history: tuple[Acceptance, ...] = ()

    def last(self, task: str) -> Acceptance | None:
        """The acceptance of the run that is a task's baseline now, with all that is on record of it."""
        present = self.accepted.get(task)
        return next((entry for entry in reversed(self.history)
                     if present and (entry.task, entry.run) == (task, present.run)), present)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Accepted:
    """The baseline of a task in accepted.json; all else about it is in the history there."""

    run: str
    time: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class _LedgerFile:
    """What accepted.json holds."""

    accepted: Mapping[str, _Accepted]
    history: tuple[Acceptance, ...]


@dataclass(frozen=True, slots=True)
class History:
    """What history.jsonl says.

    Args:
        lines: the last complete line about each run, in the order in which the runs were first
            complete.
        first: by run, when that was.
        incomplete: runs of which no line is complete.
        left_out: lines that cannot be read, in words.
    """

    lines: Mapping[str, HistoryLine] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    incomplete: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def latest(self, task: str) -> OverNights | None:
        """The last result of a task's test over nights; None where none was made."""
        found = (line.tasks[task].over_nights for line in self.lines.values() if task in line.tasks)
        return next((test for test in reversed(list(found)) if test is not None), None)


def read_ledger(runs: Path) -> Ledger:
    """The ledger of a folder of runs; empty where nothing was accepted yet.

    Raises:
        DataError: accepted.json is damaged or not what `accept` writes.
    """
    path = runs / LEDGER
    if not path.exists():
        return Ledger()
    found = read_row(path, _LedgerFile)
    accepted = {
        task: Acceptance(task, now.run, now.time, now.note) for task, now in found.accepted.items()
    }
    for entry in (*accepted.values(), *found.history):
        if Path(entry.run).is_absolute() or ".." in Path(entry.run).parts:
            raise DataError(f"{path}: run: {entry.run!r} leads out of {runs}")
    return Ledger(accepted, found.history)


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
    remove_parts(runs, _ABANDONED)
    write_json(runs / LEDGER, {"accepted": present, "history": history})


def read_history(runs: Path) -> History:
    """The history of a folder of runs; lines that cannot be read are left out, and named.

    Raises:
        DataError: the file cannot be read.
    """
    lines: dict[str, HistoryLine] = {}
    first: dict[str, str] = {}
    seen: dict[str, None] = {}
    damaged: list[str] = []
    for line in read_rows(runs / HISTORY, HistoryLine, damaged=damaged):
        seen[line.run] = None
        if line.complete:
            first.setdefault(line.run, line.time)
            lines[line.run] = line
    incomplete = tuple(run for run in seen if run not in lines)
    return History(lines, first, incomplete, tuple(damaged))


def read_untold(runs: Path, history: History) -> list[HistoryLine]:
    """The complete lines of the history that no call of `harness nightly` has told to its end.

    Raises:
        DataError: the file is damaged.
    """
    path = runs / UNTOLD
    if not path.exists():
        return []
    names = read_row(path, list[str], fix="remove it")
    return [history.lines[name] for name in names if name in history.lines]


def write_untold(runs: Path, names: Sequence[str]) -> None:
    """Record whose results are not told yet.

    Raises:
        DataError: the folder of runs or the file cannot be written.
    """
    if names:
        _make(runs)
        write_json(runs / UNTOLD, names)
    else:
        (runs / UNTOLD).unlink(missing_ok=True)


def append_history(runs: Path, line: HistoryLine) -> None:
    """Add the line of one evaluation to the history.

    Raises:
        DataError: the folder of runs or the file cannot be written.
    """
    _make(runs)
    history = Appender(runs / HISTORY)
    try:
        history.append([line])
    finally:
        history.close()


def _make(runs: Path) -> None:
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{runs}: cannot be created ({error.strerror})") from error
