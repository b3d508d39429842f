"""The runs under one folder as facts: what each scored and when, as a site keeps it between builds."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import HarnessError
from harness.stats.intervals import Interval
from harness.stats.stopping import Stopping
from harness.storage.rows import typed
from harness.storage.run_folder import MANIFEST, RunFolder
from harness.types import Score, Tally

from .results import Result, read_results

_NOT_READ = {".lock"}
_CLOCK = ("%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z")


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """One task of one run; the score is its headline metric's, None where there is none yet.

    The intervals are the 95 % ones of the score. `right` holds, in the order of the problems' ids, what
    a test of the score rests on: "13/16 0/16", right samples of those graded. `stopping` is set where
    sampling was stopped early; of later samples nothing is counted in `right`. `allocation` holds, in the
    same order, the samples per problem that would have been drawn otherwise; None where that is `k`.
    """

    task: str
    protocol: str
    status: str
    samples: int
    asked: int
    metric: str | None = None
    value: float = 0.0
    interval_sampling: Interval | None = None
    interval_problems: Interval | None = None
    n_problems: int = 0
    k: int = 0
    n_range: tuple[int, int] | None = None
    whole: bool = True
    truncated: float = 0.0
    errors: int = 0
    right: str = ""
    stopping: Stopping | None = None
    allocation: tuple[int, ...] | None = None

    @property
    def tallies(self) -> dict[str, Tally]:
        """Each problem's graded samples, by its place among all of the protocol."""
        counts = (pair.split("/") for pair in self.right.split())
        return {
            str(place): Tally(int(n), int(right))
            for place, (right, n) in enumerate(counts)
            if int(n)
        }

    @property
    def digest(self) -> str:
        """Changes with whatever a test of the score rests on."""
        rests_on = repr((self.protocol, self.metric, self.right, self.stopping, self.allocation))
        return hashlib.sha256(rests_on.encode()).hexdigest()[:16]

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
    def from_json(cls, data: Any, place: Path) -> RunFacts:
        """Read what `to_json` wrote; DataError that names `place` on anything else."""
        return typed(data, cls, place)


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
    stopping = scored.stopped if scored.stopped and scored.stopped.decision else None
    problems = score.interval_problems
    return TaskFacts(
        result.task, result.protocol.hash, result.status, graded, asked,
        metric=score.metric, value=score.value,
        interval_sampling=scored.sampling_interval(score),
        interval_problems=None if problems is None else Interval(*problems),
        n_problems=score.n_problems, k=score.k, n_range=score.n_range,
        whole=score.complete and not score.ragged,
        truncated=scored.truncated_share, errors=errors, right=_right(result, stopping),
        stopping=None if stopping is None else replace(stopping, analyses=()),
        allocation=_allocation(result),
    )  # fmt: skip


def _allocation(result: Result) -> tuple[int, ...] | None:
    """See `TaskFacts`."""
    whole = result.protocol.allocation
    return None if whole is None else tuple(whole[id] for id in sorted(result.problems))


def _right(result: Result, stopping: Stopping | None) -> str:
    """See `TaskFacts`."""
    import numpy as np

    grades = result.graded
    if grades is None:
        return ""
    among = None
    if stopping is not None:
        limits = np.array([result.asked[id] for id in grades.ids])
        among = grades.indices < limits[grades.problems]
    counted = grades.counts(among)
    found = (counted.get(id, Tally(0, 0)) for id in sorted(result.problems))
    return " ".join(f"{tally.correct}/{tally.n}" for tally in found)
