"""The result of a nightly job for each checkpoint, as it is stored and reported. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal

from harness.errors import HarnessError, Incomplete, ProtocolMismatch
from harness.stats.comparison import Comparison, Outcome, TaskComparison
from harness.stats.nights import Night, OverNights
from harness.stats.scores import TaskScores
from harness.stats.selection import Choice

WithoutComparison = Literal["no baseline", "is the baseline", "not graded"]
TaskVerdict = Outcome | Literal["not the same protocol"] | WithoutComparison

CLOCK: Final = "%Y-%m-%dT%H:%M:%S%z"
"""How a time is written: when a run was accepted, or a checkpoint evaluated."""

FALLING = "fall over nights"
"""The verdict on a checkpoint that only the test over nights fails."""

_WORST_FIRST = (1, 70, 2, 3, 4, 5, 0)
_VERDICTS = {3: "not the same protocol", 4: "incomplete", 5: "underpowered"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model folder and the name of its run."""

    path: Path
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """One task in a line of the history. What there is not is None: a score, a comparison.

    `observed`, `variance`, `samples` and `unbiased` are what the test over nights takes of this night, see
    `harness.stats.nights.Night`: of a night that stopped early the samples up to its first interim
    analysis, since the mean at the stop is biased. `level` is that of `p_drop`.
    """

    metric: str | None = None
    score: float | None = None
    se_sampling: float | None = None
    se_problems: float | None = None
    n_problems: int | None = None
    k: int
    pending: int
    errors: int
    verdict: TaskVerdict
    base: str | None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p_drop: float | None = None
    rise: bool | None = None
    level: float | None = None
    protocol: str | None = None
    observed: float | None = None
    variance: float | None = None
    samples: float | None = None
    unbiased: float | None = None
    stopped: int | None = None
    over_nights: OverNights | None = None

    def night(self, run: str) -> Night | None:
        """What the test over nights takes of it; None in a line written before there was one."""
        if self.observed is None or self.variance is None or self.samples is None:
            return None
        return Night(run=run, score=self.observed, variance=self.variance, n=self.samples,
                     unbiased=self.unbiased)  # fmt: skip

    @property
    def alarm(self) -> bool:
        """Whether this task failed the night, by either test."""
        falling = self.over_nights is not None and self.over_nights.alarm
        return self.verdict == "regression" or falling


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One line of history.jsonl: a checkpoint that was evaluated.

    Args:
        time: when, as in accepted.json.
        run: the run's name.
        checkpoint: the model folder.
        content: digest over its files.
        complete: nothing is left to be done for it.
        verdict: the worst of the tasks'.
        exit_code: that goes with the verdict.
        failure: why it could not be evaluated.
        tasks: by name.
        fingerprint: by property, that of the base and of this run, where they differ.
    """

    time: str
    run: str
    checkpoint: str
    content: str
    complete: bool
    verdict: str
    exit_code: int
    failure: str | None
    tasks: Mapping[str, TaskLine]
    fingerprint: Mapping[str, tuple[str, str]]

    def __post_init__(self) -> None:
        datetime.strptime(self.time, CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskResult:
    """One task of a checkpoint: its scores.json, the run it was held against, and the verdict.

    Args:
        task: its name.
        scores: of the run.
        verdict: of the night's own test, or why there is none.
        base: the accepted run.
        comparison: with it.
        why: says more where there is no comparison.
        level: of the night's own test, over all tasks.
        night: what the test over nights takes of it; None where samples are missing.
        stopped: samples per problem after which sampling stopped early, None where it did not.
        choice: the accepted run among those that it was chosen from.
        over_nights: the test over nights; None where there are fewer than three.
        remarks: on nights that it leaves out.
    """

    task: str
    scores: TaskScores
    verdict: TaskVerdict
    base: str | None = None
    comparison: TaskComparison | None = None
    why: str = ""
    level: float | None = None
    night: Night | None = None
    stopped: int | None = None
    choice: Choice | None = None
    over_nights: OverNights | None = None
    remarks: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every sample was drawn and graded."""
        return self.scores.complete

    def line(self) -> TaskLine:
        """Its part of the history's line; the score is that of the task's first metric."""
        first = next(iter(self.scores.scores), None)
        found = TaskLine(
            k=self.scores.k,
            pending=self.scores.pending,
            errors=self.scores.errors,
            verdict=self.verdict,
            base=self.base,
            protocol=self.scores.protocol,
            stopped=self.stopped,
            over_nights=self.over_nights,
        )
        if self.night is not None:
            found = replace(found, observed=self.night.score, variance=self.night.variance,
                            samples=self.night.n, unbiased=self.night.unbiased)  # fmt: skip
        if first is not None:
            found = replace(
                found,
                metric=first.metric,
                score=first.value,
                se_sampling=first.se_sampling,
                se_problems=first.se_problems,
                n_problems=first.n_problems,
            )
        if self.comparison is None:
            return found
        ruling = self.comparison.ruling
        low, high = ruling.difference.interval_sampling
        return replace(
            found,
            difference=ruling.difference.value,
            interval=(low, high),
            p_drop=ruling.p_drop,
            rise=self.comparison.rise,
            level=self.level,
        )

    @property
    def falling(self) -> bool:
        """Whether the test over nights found a fall."""
        return self.over_nights is not None and self.over_nights.alarm


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointResult:
    """What the night found out about one checkpoint; `failure` where it could not be evaluated."""

    checkpoint: Checkpoint
    time: str
    content: str
    fail_on_rise: bool = False
    tasks: tuple[TaskResult, ...] = ()
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
        if any(task.falling for task in self.tasks):
            codes.append(1)
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
            if self.comparison is not None and self.comparison.verdict == "regression":
                return "regression"
            return FALLING if any(task.falling for task in self.tasks) else "rise"
        if self.exit_code:
            return _VERDICTS[self.exit_code]
        return "no regression" if self.comparison is not None else self.tasks[0].verdict

    @property
    def fingerprint(self) -> Mapping[str, tuple[str, str]]:
        """What made the base and this run, where it differs."""
        return self.comparison.fingerprint if self.comparison is not None else {}

    def line(self) -> HistoryLine:
        """As it stands in the history."""
        return HistoryLine(
            time=self.time,
            run=self.checkpoint.run,
            checkpoint=str(self.checkpoint.path),
            content=self.content,
            complete=self.complete,
            verdict=self.verdict,
            exit_code=self.exit_code,
            failure=None if self.failure is None else str(self.failure),
            tasks={task.task: task.line() for task in self.tasks},
            fingerprint=self.fingerprint,
        )

    def to_json(self) -> dict[str, object]:
        """The history's line, with the comparison in full."""
        comparison = None if self.comparison is None else self.comparison.to_json()
        return {**asdict(self.line()), "comparison": comparison}


def worst(codes: Sequence[int]) -> int:
    """The exit code of a night: a regression before everything else, 0 for nothing."""
    return min(codes, key=_WORST_FIRST.index, default=0)
