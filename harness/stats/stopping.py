"""What a sequential test of one task found, as it is stored. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from harness.stats.intervals import Interval

Decision = Literal["regression", "no regression", "underpowered"]


@dataclass(frozen=True, slots=True, kw_only=True)
class InterimAnalysis:
    """The result of one interim analysis, after stage `stage`.

    `difference` is new minus base, as a share, and `low` the lower end of its one-sided interval at
    95 %. `p_drop` is valid whenever sampling stops: the least alpha at which the drop would
    be significant at one of the analyses. `decision` is None where sampling goes on. `score` is the
    new run's pass@1, `interval` its 95 % interval. `low` and `p_drop` hold after any analysis.
    """

    stage: int
    difference: float
    low: float
    p_drop: float
    decision: Decision | None
    score: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopping:
    """A sequential test of one task, as far as it went: what stopping.json holds.

    Args:
        base: path of the run that the task is held against.
        k: samples asked for per problem, on average.
        margin: the drop that "no regression" must exclude, as a share.
        alpha: chance of a false alarm over all analyses of this task.
        shares: of the samples at each analysis, rising to 1.
        stage: the one that decided; 0 before a decision.
        decision: None where sampling goes on.
        score: the plain mean after that stage.
        interval: its interval, which holds after any stage.
        analyses: one per stage, in order.
    """

    base: str
    k: int
    margin: float
    alpha: float
    shares: tuple[float, ...]
    stage: int = 0
    decision: Decision | None = None
    score: float | None = None
    interval: Interval | None = None
    analyses: tuple[InterimAnalysis, ...] = ()

    def __post_init__(self) -> None:
        if not self.shares or not self.shares[0] > 0 or list(self.shares) != sorted(self.shares):
            raise ValueError("shares: they do not rise from above 0 to 1")
        if self.stage > len(self.shares):
            raise ValueError(f"stage: there are {len(self.shares)}, and this is {self.stage}")

    @property
    def early(self) -> bool:
        """Whether sampling ended before the last stage."""
        return self.decision is not None and self.stage < len(self.shares)

    @property
    def share(self) -> float:
        """Of the samples, those up to the stage that decided; 1 before a decision."""
        return self.shares[self.stage - 1] if self.stage else 1.0

    def after(self, found: InterimAnalysis) -> Stopping:
        """The same test with one more analysis, in place of those from its stage on."""
        kept = tuple(old for old in self.analyses if old.stage < found.stage)
        now = replace(self, analyses=(*kept, found))
        if found.decision is None:
            return now
        return replace(now, stage=found.stage, decision=found.decision, score=found.score,
                       interval=found.interval)  # fmt: skip
