"""Progress of a run, read from its folder while another process writes there.

Each update reads on from where the last one ended, so it costs what was written since. Nothing is
locked and nothing is written.
"""

from __future__ import annotations

import os
import socket
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from harness.stats.intervals import mean, problems_error, sampling_error
from harness.stats.metrics import pass_at
from harness.stats.verdict_table import VerdictTable
from harness.storage.lock import holder
from harness.storage.nights import CLOCK
from harness.storage.plain_files import open_to_read
from harness.storage.projections import KeyRow, LengthRow, VerdictRow
from harness.storage.rows import read_line
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.types import Tally, Verdict

T = TypeVar("T")

_WINDOW = 60.0  # seconds over which a rate is taken
_SETTLED = 10.0  # seconds of following after which older points leave the rate
_LAST = 5  # problems in `TaskProgress.last`


@dataclass(slots=True)
class Tail:
    """Follows a JSON-lines file. After the file was replaced or cut it is read from the start again."""

    path: Path
    _offset: int = 0
    _inode: int = 0

    def restarted(self) -> bool:
        """Whether the file was replaced or cut since the last read; the counts are then invalid."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return self._offset > 0
        return self._offset > 0 and (status.st_ino != self._inode or status.st_size < self._offset)

    def reset(self) -> None:
        """Read from the start again."""
        self._offset = self._inode = 0

    def rows(self, kind: type[T]) -> Iterator[T]:
        """Every complete line that was added since the last call; a torn last one is read later.

        Args:
            kind: a `msgspec.Struct` with the fields that are needed.

        Raises:
            DataError: a line of another shape; the field is named.
        """
        try:
            file = open_to_read(self.path)
        except FileNotFoundError:
            return
        with file:
            self._inode = os.fstat(file.fileno()).st_ino
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield read_line(line, kind, self.path)


@dataclass(slots=True)
class TaskProgress:
    """Progress of one task: samples asked for, drawn and graded, and their verdicts.

    `capped` counts samples that the length cap stopped; `counted` says that the engine counts tokens.
    `last` holds the ids of the problems that were finished last.
    """

    name: str
    wanted: Mapping[str, int]  # samples asked of each problem
    _samples: Tail
    _grades: Tail
    _errors: Tail
    published: int | None = None  # samples of an imported file, where problems may differ in number
    sampled: int = 0
    tokens: int = 0
    counted: bool = False
    capped: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    last: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST))
    _found: dict[str, list[int]] = field(default_factory=dict)
    _failed: set[tuple[str, int]] = field(default_factory=set)
    _graded: VerdictTable = field(default_factory=VerdictTable)
    _past: deque[tuple[float, int, int]] = field(default_factory=deque)

    @classmethod
    def of(cls, folder: TaskFolder, k: int) -> TaskProgress:
        """A task of a run, nothing read yet but its protocol."""
        samples, grades, errors = (
            Tail(folder.path / f"{name}.jsonl") for name in ("samples", "grades", "errors")
        )
        return cls(folder.name, folder.asked(k), samples, grades, errors)

    @property
    def asked(self) -> int:
        """Samples that the run is to hold."""
        return sum(self.wanted.values()) if self.published is None else self.published

    @property
    def problems(self) -> int:
        """The number of problems."""
        return len(self.wanted)

    @property
    def graded(self) -> int:
        """Samples with a verdict of the grader's."""
        return sum(graded for _, graded in self._found.values())

    @property
    def errors(self) -> int:
        """Samples that ended in an internal error and have no grade yet."""
        return sum(key not in self._graded for key in self._failed)

    @property
    def correct(self) -> dict[str, tuple[int, int]]:
        """(correct, graded) samples of each problem that has a grade."""
        return {id: (found[0], found[1]) for id, found in self._found.items()}

    @property
    def complete(self) -> bool:
        """Whether every sample asked for is graded."""
        return self.graded >= self.asked

    def score(self) -> tuple[float, float | None, bool] | None:
        """pass@1 so far, its standard error (both from 0 to 1), and whether that is the sampling error.

        The mean is over the problems that have a grade. Where some of them have a single one, the
        error is the one over problems, which contains the sampling error.
        """
        if not self._found:
            return None
        metric = pass_at(1)
        tallies = [Tally(n, correct) for correct, n in self._found.values()]
        values = [metric.value(tally) for tally in tallies]
        error = sampling_error([metric.variance(tally) for tally in tallies])
        if error is not None:
            return mean(values), error, True
        return mean(values), problems_error(values), False

    def rate(self) -> tuple[float, float] | None:
        """Samples and tokens per second over the last minute, at first since the run began.

        None after a single update of a run that was started more than once.
        """
        if len(self._past) < 2:
            return None
        (start, samples, tokens), (end, now, tokens_now) = self._past[0], self._past[-1]
        if end <= start:
            return None
        return (now - samples) / (end - start), (tokens_now - tokens) / (end - start)

    def update(self, now: float, began: float | None = None) -> None:
        """Read what was written since the last update.

        Args:
            now: seconds of a monotonic clock.
            began: when the run began by that clock, if known.

        Raises:
            DataError: a line that is not JSON.
        """
        if any(tail.restarted() for tail in (self._samples, self._grades, self._errors)):
            self._forget()
        for sample in self._samples.rows(LengthRow):
            self.sampled += 1
            self.capped += sample.finish_reason == "length"
            if sample.n_tokens is not None:
                self.counted = True
                self.tokens += sample.n_tokens
        for error in self._errors.rows(KeyRow):
            self._failed.add(error.key)
        for grade in self._grades.rows(VerdictRow):
            self._add_grade(grade)
        if not self._past and began is not None and began < now:
            self._past.append((began, 0, 0))
        self._past.append((now, self.sampled, self.tokens))
        while len(self._past) > 2 and (
            self._past[1][0] < now - _WINDOW
            or (self._past[0][0] < now - _WINDOW and self._past[1][0] < now - _SETTLED)
        ):
            self._past.popleft()

    def _add_grade(self, grade: VerdictRow) -> None:
        """The last grade of a sample counts; an internal error replaces none."""
        before, verdict = self._graded.get(grade.key), grade.verdict
        if verdict is Verdict.ERROR:
            return
        self._graded.add([grade])
        found = self._found.setdefault(grade.problem_id, [0, 0])
        found[0] += verdict is Verdict.CORRECT
        self.verdicts[verdict] += 1
        if before is not None:
            self.verdicts[before] -= 1
            found[0] -= before is Verdict.CORRECT
            return
        found[1] += 1
        if found[1] == self.wanted.get(grade.problem_id):
            self.last.append(grade.problem_id)

    def _forget(self) -> None:
        for tail in (self._samples, self._grades, self._errors):
            tail.reset()
        self.sampled = self.tokens = self.capped = 0
        self._graded = VerdictTable()
        for counts in (self.verdicts, self.last, self._found, self._failed, self._past):
            counts.clear()


@dataclass(slots=True)
class RunProgress:
    """Progress of a run. `update` reads what is new, tasks added later included.

    `since` is the time of the last start, in seconds since 1970.
    """

    path: Path
    tasks: dict[str, TaskProgress] = field(default_factory=dict)
    model: str = ""
    engine: str = ""
    since: float | None = None

    def update(self, now: float | None = None) -> None:
        """Read what was written since the last update.

        Args:
            now: seconds of a monotonic clock; the system's by default.

        Raises:
            DataError: the folder is no run, or a file in it is damaged.
        """
        folder = RunFolder(self.path)
        manifest = folder.manifest()
        self.model = manifest.model.rstrip("/").rpartition("/")[2]
        self.engine = str(manifest.fingerprint.get("engine", ""))
        starts = manifest.starts
        self.since = _seconds(starts[-1].time) if starts else None
        for task in folder.tasks():
            k = manifest.k.get(task.name, 1)
            if task.name not in self.tasks:
                self.tasks[task.name] = TaskProgress.of(task, k)
            self.tasks[task.name].wanted = task.asked(k)
            first = starts[0].plan if starts and self.engine == "recorded" else None
            if first is not None and task.name in first.tasks:
                self.tasks[task.name].published = first.tasks[task.name].samples
        moment = time.monotonic() if now is None else now
        began = None
        if len(starts) == 1 and self.since is not None:
            began = moment - (time.time() - self.since)
        for found in self.tasks.values():
            found.update(moment, began)

    @property
    def complete(self) -> bool:
        """Whether every sample of every task is graded."""
        return bool(self.tasks) and all(task.complete for task in self.tasks.values())

    @property
    def sampled(self) -> int:
        """Samples of all tasks."""
        return sum(task.sampled for task in self.tasks.values())

    @property
    def asked(self) -> int:
        """Samples that all tasks are to hold."""
        return sum(task.asked for task in self.tasks.values())

    def left(self) -> float | None:
        """Seconds until the last sample, at the pace of all tasks together; None where unknown."""
        rates = [rate[0] for task in self.tasks.values() if (rate := task.rate())]
        return (self.asked - self.sampled) / sum(rates) if sum(rates) > 0 else None

    def writer(self) -> str | None:
        """The process that writes here now, in words; None where nobody does.

        A lock of another host counts as held: whether its process still runs cannot be seen here.
        """
        found = holder(self.path)
        if found is None or found.pid is None:
            return None
        if found.host != socket.gethostname():
            return f"process {found.pid} on {found.host or 'another host'}"
        return f"process {found.pid}" if _is_running(found.pid) else None


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, PermissionError)
    return True


def _seconds(text: str) -> float | None:
    """A time of a manifest as seconds since 1970."""
    with suppress(ValueError):
        return datetime.strptime(text, CLOCK).timestamp()
    return None
