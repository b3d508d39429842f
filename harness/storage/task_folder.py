"""One task of a run folder, for reading; its files are listed in `harness.storage.run_folder`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from harness.errors import DataError
from harness.protocol import Protocol, protocol_row
from harness.stats.allocation import counts_at, uniform
from harness.stats.scores import TaskScores
from harness.stats.stopping import Stopping
from harness.storage.problem_tests import read_problems
from harness.storage.rows import read_row, read_rows
from harness.storage.scores import SCORES, read_scores, read_stopping
from harness.types import Grade, Problem, Sample

PROTOCOL = "protocol.json"
ErrorStage = Literal["engine", "grader", "model-judge"]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One line of errors.jsonl: the sample, the stage that failed on it, what happened and when.

    `time` is in seconds since 1970.
    """

    stage: ErrorStage
    problem_id: str
    index: int
    message: str
    time: float

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index


@dataclass(frozen=True, slots=True)
class TaskFolder:
    """One task of a run, for reading. Every reader names the file and line of what is broken."""

    path: Path

    @property
    def name(self) -> str:
        """The task's name."""
        return self.path.name

    def protocol(self) -> Protocol:
        """The protocol these samples were drawn under; DataError where it is another task's."""
        found = read_row(self.path / PROTOCOL, Protocol, upgrade=protocol_row)
        if found.task != self.name:  # a name may lead to code; a folder's cannot lead elsewhere
            raise DataError(f"{self.path / PROTOCOL}: task: {found.task!r}, and its folder is not "
                            "called so")  # fmt: skip
        return found

    def problems(self) -> dict[str, Problem]:
        """The problems by id, in the task's order; DataError where one of the protocol is missing.

        Large test cases are read where they are used.
        """
        found = {problem.id: problem for problem in read_problems(self.path)}
        if missing := [id for id in self.protocol().problems if id not in found]:
            raise DataError(
                f"{self.path / 'problems.jsonl'}: {len(missing)} of the protocol's problems are "
                f"missing ({missing[0]}): the file was changed or damaged, restore it"
            )
        return found

    def samples(self) -> Iterator[Sample]:
        """The samples in the order in which they ended; read lazily, they can be large."""
        return self.read("samples.jsonl", Sample)

    def grades(self) -> Iterator[Grade]:
        """The grades, one per graded sample; read lazily, they can be many."""
        return self.read("grades.jsonl", Grade)

    def errors(self) -> list[ErrorRow]:
        """Every recorded internal error, those of samples that later succeeded included."""
        return list(self.read("errors.jsonl", ErrorRow))

    def scores(self) -> TaskScores:
        """What `harness score` wrote; DataError where it is missing or damaged."""
        return read_scores(self.path)

    def stopping(self) -> Stopping | None:
        """The sequential test that may stop the sampling; None where k is fixed."""
        return read_stopping(self.path)

    def asked(self, k: int) -> dict[str, int]:
        """The samples asked of each problem: those of its allocation, or of each `k`.

        Where a sequential test has stopped the sampling, up to the analysis that decided.
        """
        stopping = self.stopping()
        if stopping is not None and stopping.decision is not None:
            return self.asked_at(stopping.share, stopping.k)
        return self.asked_at(1.0, k)

    def asked_at(self, share: float, k: int) -> dict[str, int]:
        """The samples asked of each problem up to a share of them, of `k` each or its allocation."""
        protocol = self.protocol()
        return counts_at(protocol.allocation or uniform(protocol.problems, k), share)

    def has_scores(self) -> bool:
        """Whether the task was scored."""
        return (self.path / SCORES).exists()

    def read(self, name: str, kind: type[T]) -> Iterator[T]:
        """The rows of one of its files, as `harness.storage.rows.read_rows` types them.

        Args:
            name: of the file, such as "grades.jsonl".
            kind: the dataclass of the rows, or a `msgspec.Struct` with some of their fields.
        """
        return read_rows(self.path / name, kind)
