"""Accept: which run each task is compared with, decided by a person and recorded in the ledger."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from harness.errors import Incomplete, UsageError
from harness.storage.ledger import (
    Acceptance,
    History,
    Ledger,
    read_history,
    read_ledger,
    write_ledger,
)
from harness.storage.nights import CLOCK
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.workflows.over_nights import Chosen, chosen_from


@dataclass(frozen=True, slots=True)
class Accepted:
    """One acceptance as it stands in the ledger, and what the run was chosen from."""

    entry: Acceptance
    chosen: Chosen


def accept(
    run: Path,
    *,
    runs: Path | None = None,
    tasks: Sequence[str] = (),
    note: str = "",
    force: bool = False,
) -> list[Accepted]:
    """Make a run the baseline of its tasks from now on, in one step.

    The ledger also keeps which nights each task's baseline was chosen from.

    Args:
        run: the run folder.
        runs: the folder of runs whose ledger is written; by default the one above `run`.
        tasks: the tasks to accept; all of the run by default.
        note: the reason, kept in the ledger.
        force: accept although samples are missing; the ledger says what is missing.

    Raises:
        Incomplete: a task lacks samples, grades or scores.
        UsageError: the run has no such task, or is not below `runs`.
        DataError: no run folder, or a ledger or history that cannot be read or written.
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
    ledger, history = read_ledger(runs), read_history(runs)
    now = time.strftime(CLOCK)
    found: list[Accepted] = []
    new: list[Acceptance] = []
    for task, words in missing.items():
        chosen = chosen_from(runs, folder.task(task), history, name, ledger.last(task))
        entry = Acceptance(task, name, now, note, _run_of(ledger, task), words,
                           chosen.candidates, chosen.begin)  # fmt: skip
        known = _made_before(ledger.last(task), entry, history)
        found.append(Accepted(known or entry, chosen))
        new += [] if known else [entry]
    if new:
        write_ledger(runs, ledger, new)
    return found


def _made_before(last: Acceptance | None, entry: Acceptance, history: History) -> Acceptance | None:
    """The acceptance that this one repeats: nothing was found since, the call was only ended early."""
    if last is None:
        return None
    if (last.run, last.note, last.missing) != (entry.run, entry.note, entry.missing):
        return None
    made = datetime.strptime(last.time, CLOCK)
    later = (datetime.strptime(line.time, CLOCK) > made for line in history.lines.values())
    return None if any(later) else last


def name_below(run: Path, runs: Path) -> str:
    """A run's name in the ledger: its path below the folder of runs.

    Raises:
        UsageError: it is not there.
    """
    try:
        name = run.resolve().relative_to(runs.resolve()).as_posix()
    except ValueError:
        name = "."
    if name == ".":
        raise UsageError(f"{run} is not below {runs}; give the folder of its runs with --runs")
    return name


def what_is_missing(task: TaskFolder) -> str:
    """What a task lacks to be a baseline, in words; "" if it is complete."""
    if not task.has_scores():
        return "no scores.json, it was interrupted before it was scored"
    scores, stopping = task.scores(), task.stopping()
    if stopping is not None and stopping.early:
        return f"its sampling stopped early, at {stopping.share:.0%} of its samples"
    counts = {"samples pending": scores.pending, "samples ended in error": scores.errors}
    if not scores.pending:  # else they are counted there
        counts["problems without any sample"] = scores.unscored
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


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
