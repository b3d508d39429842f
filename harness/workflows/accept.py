"""Accept: which run each task is held against, decided by a person and written down.

RUNS/accepted.json
{"accepted": {task: {"run", "time", "note"}},
 "history": [{"task", "run", "time", "note", "replaced", "missing"}, ..]}

`run` is the run folder's path below RUNS; `replaced` the run accepted before, or null; `missing`
what the run lacked if it was accepted all the same, or "". The history is in the order of time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.errors import DataError, Incomplete, UsageError
from harness.storage.files import read_json, write_json
from harness.storage.run_folder import RunFolder, TaskFolder

LEDGER = "accepted.json"
CLOCK = "%Y-%m-%dT%H:%M:%S%z"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One task's run that was accepted, when, and in place of which."""

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
    """The ledger of a folder of runs, empty where nothing was accepted yet.

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


def accept(
    run: Path,
    *,
    runs: Path | None = None,
    tasks: Sequence[str] = (),
    note: str = "",
    force: bool = False,
) -> list[Acceptance]:
    """Make a run the baseline of its tasks from now on, in one step.

    Args:
        run: the run folder.
        runs: the folder of runs whose ledger is meant; the one above `run` by default.
        tasks: only these; all of the run by default.
        note: why, for those who read the ledger later.
        force: accept although samples are missing; what is missing stands in the ledger.

    Raises:
        Incomplete: a task lacks samples, grades or scores.
        UsageError: the run has no such task, or does not lie below `runs`.
        DataError: no run folder, or a ledger that cannot be read or written.
    """
    folder = RunFolder(run)
    runs = run.resolve().parent if runs is None else runs
    name = name_below(run, runs)
    missing = {task.name: what_is_missing(task) for task in _chosen(folder, tasks)}
    lacking = [f"{task}: {words}" for task, words in missing.items() if words]
    if lacking and not force:
        raise Incomplete(
            f"{run} is not complete ({'; '.join(lacking)}); the command that made it completes it, "
            "--force accepts it as it is"
        )
    ledger = read_ledger(runs)
    now = time.strftime(CLOCK)
    entries = [
        Acceptance(task, name, now, note, _run_of(ledger, task), words)
        for task, words in missing.items()
    ]
    _write(runs / LEDGER, {**ledger.accepted, **{entry.task: entry for entry in entries}},
           [*ledger.history, *entries])  # fmt: skip
    return entries


def name_below(run: Path, runs: Path) -> str:
    """A run's name in the ledger: its path below the folder of runs.

    Raises:
        UsageError: it does not lie there.
    """
    try:
        name = run.resolve().relative_to(runs.resolve()).as_posix()
    except ValueError:
        name = "."
    if name == ".":
        raise UsageError(f"{run} does not lie below {runs}; --runs names the folder of its runs")
    return name


def what_is_missing(task: TaskFolder) -> str:
    """What keeps a task from being a baseline, in words; "" where it is whole."""
    if not task.has_scores():
        return "no scores.json, it was interrupted before it was scored"
    scores, stopping = task.scores(), task.stopping()
    if stopping is not None and stopping["round"] < stopping["k"]:
        return f"its sampling stopped early, after round {stopping['round']} of {stopping['k']}"
    counts = {"pending": scores["pending"], "ended in error": scores["errors"]}
    return ", ".join(f"{count:,} samples {what}" for what, count in counts.items() if count)


def _chosen(folder: RunFolder, tasks: Sequence[str]) -> list[TaskFolder]:
    known = {task.name: task for task in folder.tasks()}
    unknown = [name for name in tasks if name not in known]
    if unknown or not known:
        raise UsageError(
            f"{folder.path} has no task {', '.join(unknown) or 'at all'}; it has "
            f"{', '.join(known) or 'none'}"
        )
    return [known[name] for name in dict.fromkeys(tasks or known)]


def _run_of(ledger: Ledger, task: str) -> str | None:
    return ledger.accepted[task].run if task in ledger.accepted else None


def _write(path: Path, accepted: Mapping[str, Acceptance], history: Sequence[Acceptance]) -> None:
    present = {
        task: {"run": entry.run, "time": entry.time, "note": entry.note}
        for task, entry in accepted.items()
    }
    write_json(path, {"accepted": present, "history": [asdict(entry) for entry in history]})
