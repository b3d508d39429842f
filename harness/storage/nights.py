"""The result of a nightly job for each checkpoint, as it is stored and reported. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.errors import HarnessError, Incomplete, ProtocolMismatch
from harness.stats import gate
from harness.stats.gate import Comparison, TaskComparison

WithoutComparison = Literal["no baseline", "is the baseline", "not graded"]
Verdict = gate.Outcome | Literal["not the same protocol"] | WithoutComparison

_WORST_FIRST = (1, 70, 2, 3, 4, 5, 0)
_VERDICTS = {3: "not the same protocol", 4: "incomplete", 5: "underpowered"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model folder and the name of its run."""

    path: Path
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """One task of a checkpoint: its scores.json, the run it was held against, and the verdict.

    `why` says more where there is no comparison.
    """

    task: str
    scores: Mapping[str, Any]
    verdict: Verdict
    base: str | None = None
    comparison: TaskComparison | None = None
    why: str = ""

    @property
    def complete(self) -> bool:
        """Whether every sample was drawn and graded."""
        return bool(self.scores["complete"])

    def line(self) -> dict[str, Any]:
        """Its part of the history's line; the score is that of the task's first metric."""
        first: Mapping[str, Any] = next(iter(self.scores["scores"]), {})
        found: dict[str, Any] = {
            "metric": first.get("metric"),
            "score": first.get("value"),
            **{name: first.get(name) for name in ("se_sampling", "se_problems", "n_problems")},
            **{name: self.scores[name] for name in ("k", "pending", "errors")},
            "verdict": self.verdict,
            "base": self.base,
        }
        if self.comparison is not None:
            ruling = self.comparison.ruling
            found |= {
                "difference": ruling.difference.value,
                "interval": list(ruling.difference.interval),
                "p_drop": ruling.p_drop,
                "rise": ruling.rise,
            }
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the night found out about one checkpoint; `failure` where it could not be evaluated."""

    checkpoint: Checkpoint
    time: str
    content: str
    fail_on_rise: bool = False
    tasks: tuple[TaskOutcome, ...] = ()
    comparison: Comparison | None = None
    failure: HarnessError | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing is left to be done for this checkpoint."""
        return self.failure is None and all(task.complete for task in self.tasks)

    @property
    def exit_code(self) -> int:
        """As `harness compare`: the worst of what was found."""
        codes = [self.failure.exit_code] if self.failure is not None else []
        if self.comparison is not None:
            codes.append(self.comparison.exit_code(fail_on_rise=self.fail_on_rise))
        if any(task.verdict == "not the same protocol" for task in self.tasks):
            codes.append(ProtocolMismatch.exit_code)
        if not self.complete:
            codes.append(Incomplete.exit_code)
        return worst(codes)

    @property
    def verdict(self) -> str:
        """The exit code in words; the words of the tasks where it is 0."""
        if self.failure is not None:
            return "failed"
        if self.exit_code == 1:
            regressed = self.comparison is not None and self.comparison.verdict == "regression"
            return "regression" if regressed else "rise"
        if self.exit_code:
            return _VERDICTS[self.exit_code]
        return "no regression" if self.comparison is not None else self.tasks[0].verdict

    @property
    def fingerprint(self) -> Mapping[str, tuple[str, str]]:
        """What made the base and this run, where it differs."""
        return self.comparison.fingerprint if self.comparison is not None else {}

    def line(self) -> dict[str, Any]:
        """As it stands in the history; `content` is over the checkpoint's files."""
        return {
            "time": self.time,
            "run": self.checkpoint.run,
            "checkpoint": str(self.checkpoint.path),
            "content": self.content,
            "complete": self.complete,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "failure": None if self.failure is None else str(self.failure),
            "tasks": {task.task: task.line() for task in self.tasks},
            "fingerprint": {name: list(pair) for name, pair in self.fingerprint.items()},
        }

    def to_json(self) -> dict[str, Any]:
        """The history's line, with the comparison in full."""
        comparison = None if self.comparison is None else self.comparison.to_json()
        return {**self.line(), "comparison": comparison}


def worst(codes: Sequence[int]) -> int:
    """The exit code of a night: a regression before everything else, 0 for nothing."""
    return min(codes, key=_WORST_FIRST.index, default=0)
