"""Two runs compared, task by task: the rulings, what else changed, and what the runs lack. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from harness.errors import Incomplete
from harness.points import points_of
from harness.stats.cost import Cost, CostRatio, GpuTime, cost_ratio
from harness.stats.gate import Ruling
from harness.stats.intervals import rate
from harness.stats.paired_test import Difference
from harness.stats.stopping import Decision
from harness.types import Tally

Outcome = Decision | Literal["incomplete"]
"""A task's verdict; "incomplete" where samples are missing that could have changed it."""

EXIT_CODES: Mapping[Outcome, int] = {
    "regression": 1,
    "incomplete": Incomplete.exit_code,
    "underpowered": 5,
    "no regression": 0,
}
"""By verdict, the worst first."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure of both runs, such as the mean length; None where the engine did not count."""

    name: str
    base: float | None
    new: float | None


@dataclass(frozen=True, slots=True)
class ProblemChange:
    """One problem's rate in both runs, as right samples of those graded."""

    id: str
    base: Tally
    new: Tally

    @property
    def value(self) -> float:
        """New minus base, as a share."""
        return rate(self.new) - rate(self.base)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskComparison:
    """One task: the ruling, and what else changed. `base_run` names the run it is held against.

    `incomplete` says what the two runs lack. The samples that end last are the longest, which are
    wrong more often, so that a ruling on the rest is biased. A regression counts where it `stands`,
    a rise where `rise_stands`: whatever the missing samples of all tasks would have given.
    """

    ruling: Ruling
    base_run: str
    changes: tuple[Change, ...]
    problems: tuple[ProblemChange, ...]
    notes: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()
    stands: bool = True
    rise_stands: bool = True

    @property
    def verdict(self) -> Outcome:
        """The ruling's, where it can be trusted."""
        if self.ruling.verdict == "regression" and self.stands:
            return "regression"
        unsettled = self.incomplete or self.ruling.verdict == "regression"
        return "incomplete" if unsettled else self.ruling.verdict

    @property
    def rise(self) -> bool:
        """Whether the score has risen significantly, whatever is missing."""
        return self.ruling.rise and self.rise_stands


@dataclass(frozen=True, slots=True)
class CostChange:
    """What one task cost in both runs; None where that is not known.

    `why` says of the base and of the new run why it is not known. Points per dollar divide pass@1 in
    points by the dollars of one sample of every problem.
    """

    task: str
    difference: Difference
    base: Cost | None
    new: Cost | None
    why: tuple[str, str] = ("", "")

    @property
    def ratio(self) -> CostRatio | None:
        """How many times as much the new run costs at k = 1; None where either is not known."""
        if self.base is None or self.new is None:
            return None
        return cost_ratio(self.base, self.new)

    @property
    def points_per_usd(self) -> tuple[float | None, float | None]:
        """Of the base, and of the new run."""
        pairs = (self.difference.base, self.base), (self.difference.new, self.new)
        base, new = (100 * score / cost.at_k1 if cost is not None and cost.at_k1 else None
                     for score, cost in pairs)  # fmt: skip
        return base, new


@dataclass(frozen=True, slots=True)
class GpuUse:
    """The GPU hours of a run, and the samples that it holds of all its tasks."""

    time: GpuTime
    samples: int

    @property
    def seconds_per_sample(self) -> float | None:
        """GPU seconds per sample; None where the time of a start is not known."""
        if self.time.unknown or not self.samples:
            return None
        return 3600 * self.time.hours / self.samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two runs, task by task. `fingerprint` holds what made them, where it differs.

    `costs` are those of the tasks with a known price, `gpus` the GPU hours of base and new run.
    """

    base: str
    new: str
    margin: float
    tasks: tuple[TaskComparison, ...]
    fingerprint: Mapping[str, tuple[str, str]]
    notes: tuple[str, ...] = ()
    costs: tuple[CostChange, ...] = ()
    gpus: tuple[GpuUse | None, GpuUse | None] = (None, None)

    @property
    def incomplete(self) -> tuple[str, ...]:
        """What the runs lack, a line per task and run."""
        return tuple(line for task in self.tasks for line in task.incomplete)

    @property
    def verdict(self) -> Outcome:
        """The worst verdict of the tasks."""
        found = {task.verdict for task in self.tasks}
        return next(verdict for verdict in EXIT_CODES if verdict in found)

    @property
    def rises(self) -> list[str]:
        """Tasks whose score has risen significantly."""
        return [task.ruling.task for task in self.tasks if task.rise]

    def exit_code(self, *, fail_on_rise: bool = False) -> int:
        """0 no regression, 1 regression (or a rise, if asked), 4 incomplete, 5 underpowered."""
        return 1 if fail_on_rise and self.rises else EXIT_CODES[self.verdict]

    def to_json(self) -> dict[str, object]:
        """Everything, as `harness compare --json` writes it."""
        return {
            "base": self.base,
            "new": self.new,
            "verdict": self.verdict,
            "rises": self.rises,
            "margin_points": points_of(self.margin),
            "incomplete": list(self.incomplete),
            "notes": list(self.notes),
            "fingerprint": {n: {"base": b, "new": w} for n, (b, w) in self.fingerprint.items()},
            "costs": [
                {
                    "task": change.task,
                    "base": change.base,
                    "new": change.new,
                    "ratio_at_k1": change.ratio,
                    "points_per_usd": dict(
                        zip(("base", "new"), change.points_per_usd, strict=True)
                    ),
                }
                for change in self.costs
            ],
            "gpu_hours": dict(zip(("base", "new"), self.gpus, strict=True)),
            "tasks": [
                {
                    **task.ruling.to_json(),
                    "verdict": task.verdict,
                    "rise": task.rise,
                    "incomplete": list(task.incomplete),
                    "base_run": task.base_run,
                    "changes": {c.name: {"base": c.base, "new": c.new} for c in task.changes},
                    "problems": [
                        {"id": p.id, "value": p.value, "base": p.base, "new": p.new}
                        for p in task.problems
                    ],
                    "notes": list(task.notes),
                }
                for task in self.tasks
            ],
        }
