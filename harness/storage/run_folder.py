"""The run folder: plain files that survive a kill at any moment, with one writer at a time.

RUN/manifest.json              model and engine fingerprint, k per task, every start
RUN/.lock                      the process that writes here now
RUN/<task>/protocol.json       the protocol and its hash
RUN/<task>/problems.jsonl      the problems, so that a report or a re-grade needs no dataset
RUN/<task>/tests.jsonl.gz      large test cases, packed: a gzip member of JSON lines per problem
RUN/<task>/samples.jsonl       append-only
RUN/<task>/grades.jsonl        one line per graded sample; never holds sample text
RUN/<task>/errors.jsonl        internal errors, append-only
RUN/<task>/opinions.jsonl       only with `harness grade --judge-model`: what models said of answers
RUN/<task>/scores.json
RUN/<task>/stopping.json       only with `--until decided`: the gate, its interim analyses, the decision
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import DataError, ProtocolMismatch, UsageError
from harness.protocol import Protocol, differences
from harness.storage.files import write_json
from harness.storage.lock import FolderLock
from harness.storage.manifest import Manifest, Start, knows_servers, other_draws
from harness.storage.plain_files import check_folder, remove_parts
from harness.storage.problem_tests import write_problems
from harness.storage.rows import read_row
from harness.storage.task_folder import PROTOCOL, ErrorRow, ErrorStage, TaskFolder
from harness.types import Problem

__all__ = ["MANIFEST", "ErrorRow", "ErrorStage", "RunFolder", "RunWriter", "TaskFolder"]

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A run, for reading.

    Raises:
        DataError: the path is no run folder.
    """

    path: Path

    def __post_init__(self) -> None:
        if not (self.path / MANIFEST).is_file():
            what = "holds no manifest.json" if self.path.is_dir() else "does not exist"
            raise DataError(f"{self.path} is not a run folder: it {what}")

    @property
    def name(self) -> str:
        """The folder's name, which reports show."""
        return self.path.resolve().name

    def manifest(self) -> Manifest:
        """The manifest; DataError when it is damaged."""
        return read_row(self.path / MANIFEST, Manifest)

    def tasks(self) -> list[TaskFolder]:
        """The tasks of this run that hold a protocol, in the order in which they were added."""
        order = list(self.manifest().k)
        folders = [TaskFolder(path.parent) for path in self.path.glob(f"*/{PROTOCOL}")]
        return sorted(folders, key=lambda t: (t.name not in order, order.index(t.name)
                                              if t.name in order else 0, t.name))  # fmt: skip

    def task(self, name: str) -> TaskFolder:
        """One task by name; UsageError for a name that leads elsewhere."""
        if Path(name).name != name:
            raise UsageError(f"{self.path}: {name!r} is no task's name")
        return TaskFolder(self.path / name)


class RunWriter:
    """A run opened for writing; a context manager that holds the folder's lock.

    Raises:
        UsageError: another process writes here (its pid and host are named), or another host's
            lock is found and `take_over` is not set.
        DataError: a task's folder is a link to another place.
    """

    def __init__(self, path: Path, *, take_over: bool = False) -> None:
        self.path = path
        self._lock = FolderLock(path, take_over=take_over)
        try:
            self._tidy()
        except BaseException:
            self._lock.release(leave=True)
            raise

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release(leave=(self.path / MANIFEST).exists())  # else nothing was written

    def _tidy(self) -> None:
        """Remove what a killed writer left, and refuse tasks that lie elsewhere."""
        remove_parts(self.path)
        for path in self.path.glob(f"*/{PROTOCOL}"):
            check_folder(path.parent)
            remove_parts(path.parent)

    def begin(self, manifest: Manifest, start: Start) -> Start:
        """Record a start in the manifest of a new folder, or in the stored one.

        Returns:
            The start with its number.

        Raises:
            ProtocolMismatch: the folder holds samples of another model or engine.
        """
        path = self.path / MANIFEST
        if path.exists():
            stored = RunFolder(self.path).manifest()
            if changed := other_draws(stored, manifest):
                raise ProtocolMismatch(
                    f"{self.path} holds samples drawn in another way ({'; '.join(changed)}); "
                    "use another -o folder"
                )
            stored = stored.resumed(manifest.fingerprint)
        else:
            stored = manifest
        stored = stored.started(start)
        self.write_manifest(stored)
        return stored.starts[-1]

    def update_start(self, start: Start) -> Start:
        """Record what is known of a start by now, in place of what was; returns it."""
        self.write_manifest(RunFolder(self.path).manifest().updated(start))
        return start

    def knows_servers(self) -> bool:
        """Whether the folder is new, or was begun when kinds of servers were known."""
        if not (self.path / MANIFEST).exists():
            return True
        return knows_servers(RunFolder(self.path).manifest().fingerprint)

    def record_opening(self, opens: bool) -> None:
        """Record what the run came to know: whether its prompts open the reasoning."""
        manifest = RunFolder(self.path).manifest()
        self.write_manifest(replace(manifest, opens_reasoning=opens))

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace manifest.json in one step."""
        write_json(self.path / MANIFEST, manifest)

    def check_task(self, protocol: Protocol, k: int, unknown: Collection[str] = ()) -> bool:
        """Whether the folder holds this task already; it must then be the same protocol.

        One that was sampled with `--thinking auto` takes a yes or no where nothing told it.

        Args:
            protocol: of the task.
            k: samples per problem.
            unknown: parts of the protocol that are not known yet, and are not compared.

        Raises:
            ProtocolMismatch: the folder's protocol differs; the message names the parts.
            UsageError: it holds more samples per problem than `k`.
            DataError: it holds samples and no protocol.json.
        """
        folder = TaskFolder(self.path / protocol.task)
        if not (folder.path / PROTOCOL).exists():
            if (folder.path / "samples.jsonl").exists():
                raise DataError(
                    f"{folder.path} holds samples and no protocol.json, so their protocol is unknown: "
                    "restore it, or use another -o folder"
                )
            return False
        stored = folder.protocol()
        found = differences(stored, protocol)
        parts = {name: words for name, words in found.items() if name not in unknown}
        manifest = RunFolder(self.path).manifest()
        if parts.keys() == {"thinking"} and stored.thinking == "auto":
            parts = parts if manifest.prompt_opens is not None else {}
        if parts:
            fix = "use the same settings, or another -o folder"
            if parts.keys() == {"grader"}:
                fix = f"grade it again first: harness grade {self.path}"
            raise ProtocolMismatch(
                f"{folder.path} holds another protocol ({'; '.join(parts.values())}); {fix}"
            )
        known_k = manifest.k.get(protocol.task, 0)
        if k < known_k:
            raise UsageError(
                f"{folder.path} already holds k={known_k}, more than the {k} asked for; "
                f"use --k {known_k} or more, or another -o folder"
            )
        return True

    def add_task(self, protocol: Protocol, problems: Sequence[Problem], k: int) -> TaskFolder:
        """Create the folder of a task, or open an existing one after `check_task`.

        Raises:
            DataError: the folder cannot be created.
        """
        folder = TaskFolder(self.path / protocol.task)
        if not self.check_task(protocol, k):
            check_folder(folder.path)
            try:
                folder.path.mkdir(exist_ok=True)
            except OSError as error:
                raise DataError(f"{folder.path}: cannot be created ({error.strerror})") from error
            write_problems(folder.path, problems)
            write_json(folder.path / PROTOCOL, protocol.to_json())
        elif (stored := folder.protocol()).thinking != protocol.thinking:
            stored = replace(stored, thinking=protocol.thinking)
            write_json(folder.path / PROTOCOL, stored.to_json())
        self.set_k(protocol.task, k)
        return folder

    def set_k(self, task: str, k: int) -> None:
        """Record how many samples per problem a task has, or is to have."""
        manifest = RunFolder(self.path).manifest()
        if k != manifest.k.get(task):
            self.write_manifest(replace(manifest, k={**manifest.k, task: k}))
