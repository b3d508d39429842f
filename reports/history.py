"""The runs under one folder as facts: what each scored, when, and how it compares with its like.

Comparisons are between runs of the same protocol. Where problems are the same and draws independent,
the error of a difference is the root of the sum of both squared sampling errors.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.storage.ledger import Acceptance, read_ledger
from harness.storage.run_folder import MANIFEST, RunFolder
from harness.types import Score

from .results import Z95, Result, read_results

_NOT_READ = {".lock"}
_CLOCK = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task of one run; the score is its headline metric's, None where there is none yet."""

    task: str
    protocol: str
    status: str
    samples: int
    asked: int
    metric: str | None = None
    value: float = 0.0
    se_sampling: float | None = None
    se_problems: float | None = None
    n_problems: int = 0
    k: int = 0
    n_range: tuple[int, int] | None = None
    whole: bool = True
    truncated: float = 0.0
    errors: int = 0

    @property
    def missing(self) -> str:
        """What is not there yet, in words; empty where the task is complete."""
        if self.status == "complete":
            return ""
        if self.samples >= self.asked:
            return self.status
        failed = f", {self.errors:,} ended in error" if self.errors else ""
        return f"{self.samples:,} of {self.asked:,} samples graded{failed}"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run: `path` below the folder of all runs, `error` why it cannot be read (else "")."""

    path: str
    model: str
    time: str
    tasks: tuple[TaskFacts, ...]
    error: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.rpartition("/")[2]

    @property
    def slug(self) -> str:
        """Its name in addresses: letters, digits and hyphens, one per path."""
        plain = re.sub(r"[^a-z0-9]+", "-", self.path.lower()).strip("-")[:60]
        return f"{plain}-{hashlib.sha256(self.path.encode()).hexdigest()[:8]}"

    @property
    def open_tasks(self) -> str:
        """What is missing where, in words; empty where nothing is."""
        return "; ".join(f"{task.task}: {task.missing}" for task in self.tasks if task.missing)

    @property
    def complete(self) -> bool:
        """Whether every sample of every task is graded and scored."""
        return not self.error and all(task.status == "complete" for task in self.tasks)

    def to_json(self) -> dict[str, Any]:
        """As kept between two builds."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> RunFacts:
        """Read what `to_json` wrote. KeyError or TypeError on anything else."""
        return cls(**{**data, "tasks": tuple(TaskFacts(**task) for task in data["tasks"])})


@dataclass(frozen=True, slots=True)
class Difference:
    """new minus base with its standard error; None where it cannot be estimated."""

    value: float
    error: float | None

    @property
    def real(self) -> bool:
        """Whether the 95 % interval leaves out 0."""
        return self.error is not None and abs(self.value) > Z95 * self.error


Compare = Callable[[TaskFacts, TaskFacts], Difference]
"""From a base and a newer result of the same protocol to their difference."""


def sampling_difference(base: TaskFacts, new: TaskFacts) -> Difference:
    """Would both models score alike on these problems again? See the module's text."""
    errors = (base.se_sampling, new.se_sampling)
    known = [error for error in errors if error is not None]
    return Difference(new.value - base.value, math.hypot(*known) if len(known) == 2 else None)


@dataclass(frozen=True, slots=True)
class Entry:
    """One run in the history of a task: what it scored, and against which others."""

    run: RunFacts
    facts: TaskFacts
    previous: RunFacts | None = None
    change: Difference | None = None
    against_accepted: Difference | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """Every run of one task, newest first, and the acceptances."""

    task: str
    entries: tuple[Entry, ...]
    acceptances: tuple[Acceptance, ...]

    @property
    def scored(self) -> list[Entry]:
        """Those that have a score."""
        return [entry for entry in self.entries if entry.facts.metric is not None]

    @property
    def accepted(self) -> Entry | None:
        """The accepted baseline, where its run is still there."""
        return next((entry for entry in self.scored if entry.accepted), None)


def find_runs(root: Path, leave_out: Path) -> list[Path]:
    """Every run folder below `root`, hidden folders and `leave_out` aside."""
    found = []
    for place, folders, files in os.walk(root):
        here = Path(place)
        folders[:] = sorted(
            name
            for name in folders
            if name[0] != "." and (here / name).resolve() != leave_out.resolve()
        )
        if MANIFEST in files and here != root:
            found.append(here)
    return found


def stamp(folder: Path) -> str:
    """Changes whenever a file of the run does: over names, sizes and times of change."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*"), *folder.glob("*/*")]):
        if path.is_file() and path.name not in _NOT_READ:
            status = path.stat()
            facts = (path.relative_to(folder).as_posix(), status.st_size, status.st_mtime_ns)
            digest.update(repr(facts).encode())
    return digest.hexdigest()[:16]


def read_run(folder: Path, root: Path) -> tuple[RunFacts, list[Result]]:
    """The facts of a run with the results that its page shows; none where it cannot be read."""
    path = folder.relative_to(root).as_posix()
    try:
        manifest = RunFolder(folder).manifest()
        time = _time(manifest.starts[0].time if manifest.starts else None, folder)
        model = manifest.model.rstrip("/").rpartition("/")[2]
    except (HarnessError, AttributeError) as error:
        return RunFacts(path, "", _time(None, folder), (), str(error)), []
    try:
        if not RunFolder(folder).tasks():
            return RunFacts(path, model, time, (), "no task yet: nothing was sampled"), []
        results = read_results([folder])
    except HarnessError as error:
        return RunFacts(path, model, time, (), str(error)), []
    return RunFacts(path, model, time, tuple(map(_task_facts, results))), results


def histories(
    runs: Iterable[RunFacts],
    accepted: Mapping[str, str],
    acceptances: Sequence[Acceptance],
    compare: Compare,
) -> list[History]:
    """Each task's runs, newest first, each beside the run before it of the same protocol.

    Those that began after the accepted baseline are compared with it too.

    Args:
        runs: in any order.
        accepted: by task, the path or name of the run that is its baseline.
        acceptances: every one on record.
        compare: from two results of the same protocol to their difference.
    """
    by_task: dict[str, list[tuple[RunFacts, TaskFacts]]] = {}
    for run in sorted(runs, key=lambda run: (run.time, run.path)):
        for facts in run.tasks:
            by_task.setdefault(facts.task, []).append((run, facts))
    found = []
    for task in sorted(by_task):
        chosen = accepted.get(task)
        base = next((f for r, f in by_task[task] if chosen in (r.path, r.name) and f.metric), None)
        before: dict[tuple[str, str | None], tuple[RunFacts, TaskFacts]] = {}
        entries, accepted_seen = [], False
        for run, facts in by_task[task]:
            key = (facts.protocol, facts.metric)
            previous = before.get(key) if facts.metric else None
            like_base = base is not None and accepted_seen and key == (base.protocol, base.metric)
            entries.append(
                Entry(
                    run, facts,
                    previous=previous[0] if previous else None,
                    change=compare(previous[1], facts) if previous else None,
                    against_accepted=compare(base, facts) if base and like_base else None,
                    accepted=base is facts,
                )
            )  # fmt: skip
            before[key] = (run, facts)
            accepted_seen |= base is facts
        of_task = tuple(a for a in acceptances if a.task == task)
        found.append(History(task, tuple(reversed(entries)), of_task))
    return found


def read_accepted(root: Path) -> tuple[dict[str, str], list[Acceptance]]:
    """The accepted run of each task, and every acceptance on record, newest first.

    Raises:
        DataError: an accepted.json that is not what `harness accept` writes.
    """
    ledger = read_ledger(root)
    entries = [replace(entry, time=clock(entry.time)) for entry in ledger.history]
    return (
        {task: entry.run for task, entry in ledger.accepted.items()},
        sorted(entries, key=lambda entry: entry.time, reverse=True),
    )


def clock(text: str) -> str:
    """A time as 2026-11-25 20:54 in UTC; text that is no time stays as it is."""
    for form in _CLOCK:
        try:
            return datetime.strptime(text, form).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        except ValueError:
            continue
    return text


def _time(text: object, folder: Path) -> str:
    """When a run began; where that is not written down, when its manifest was last changed."""
    if isinstance(text, str) and text:
        return clock(text)
    changed = (folder / MANIFEST).stat().st_mtime
    return datetime.fromtimestamp(changed, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _task_facts(result: Result) -> TaskFacts:
    graded = sum(rate.graded for rate in result.rates.values())
    asked, errors = sum(result.asked.values()), sum(result.internal_errors.values())
    scored = result.scored
    score: Score | None = None
    if scored is not None:
        score = next((s for s in scored.scores if s.scoring == scored.scoring), None)
    if scored is None or score is None:
        return TaskFacts(
            result.task, result.protocol.hash, result.status, graded, asked, errors=errors
        )
    return TaskFacts(
        result.task, result.protocol.hash, result.status, graded, asked,
        metric=score.metric, value=score.value, se_sampling=score.se_sampling,
        se_problems=score.se_problems, n_problems=score.n_problems, k=score.k, n_range=score.n_range,
        whole=score.complete and not score.ragged, truncated=scored.truncated_share,
        errors=errors,
    )  # fmt: skip
