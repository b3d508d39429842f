"""What scores.json holds of a task: its scores, and what a reader must know of the samples. Pure.

The fields are the keys of the file. Shares and scores lie between 0 and 1, lengths are in tokens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.stats.intervals import Interval
from harness.stats.stopping import Stopping
from harness.stats.usage import Usage
from harness.types import Score


@dataclass(frozen=True, slots=True)
class LengthSummary:
    """Mean, median and maximum of one kind of length, in tokens."""

    mean: float
    median: float
    max: int


def mean_length(lengths: LengthSummary | None) -> float | None:
    """The mean of one kind of length, in tokens; None where no engine counted."""
    return None if lengths is None else lengths.mean


@dataclass(frozen=True, slots=True)
class TokenLengths:
    """The lengths of the samples by part, in tokens; None where no engine counted."""

    prompt: LengthSummary | None = None
    reasoning: LengthSummary | None = None
    response: LengthSummary | None = None
    total: LengthSummary | None = None


@dataclass(frozen=True, slots=True)
class SkippedMetric:
    """A metric that could not be computed, and why: "needs 64 samples per problem, there are 8"."""

    metric: str
    why: str


@dataclass(frozen=True, slots=True)
class Clustering:
    """What the problems are clustered by, such as "contest", and how many clusters there are.

    `used` says whether the problems error takes them into account: two are too few.
    """

    by: str
    n: int
    used: bool

    def __str__(self) -> str:
        """What it does to the problems error, in words."""
        if self.used:
            return f"problems error clustered by {self.by}, {self.n:,} clusters"
        return (
            f"problems error as of independent problems: clusters by {self.by}: {self.n}, too few to "
            "tell how alike their problems are"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakdownRow:
    """pass@1 of one group of problems, such as those of the subject ("by") "Algebra" ("group").

    The intervals are the 95 % ones of its two errors; None also in files from before they were kept.
    """

    by: str
    group: str
    n_problems: int
    value: float
    se_sampling: float | None
    se_problems: float | None
    interval_sampling: Interval | None = None
    interval_problems: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRange:
    """Between what pass@1 lies where `n_open` problems lack the tests that decide.

    `low` counts each sample of such a problem as wrong, `high` believes the tests at hand, which
    refuse wrong programs and may accept too many. The errors are those over problems. `interval`
    reaches from the lower end of the 95 % interval of `low` over problems to the upper end of that
    of `high`; None for one problem, and in files from before it was kept.
    """

    n_open: int
    low: float
    low_se_problems: float | None
    high: float
    high_se_problems: float | None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondOpinions:
    """How the scoring `model-judge` agrees with the rule on the samples that it decides anew.

    Args:
        asked: samples whose verdict by the rule is `undecided` or `wrong_answer`.
        differ: of these by change ("wrong_answer -> correct"), those whose verdict differs.
        no_opinion: those for which the model's reply was none of the words that it may say.
        missing: samples, of all, that have no verdict under this scoring yet.
    """

    asked: int
    differ: Mapping[str, int] = field(default_factory=dict)
    no_opinion: int = 0
    missing: int = 0

    @property
    def n_differ(self) -> int:
        """The number of verdicts that differ from the rule's."""
        return sum(self.differ.values())

    def __str__(self) -> str:
        changes = ", ".join(
            f"{n:,} {change.replace('->', '→')}" for change, n in self.differ.items()
        )
        differ = f"{self.n_differ:,} of {self.asked:,} verdicts differ from the rule's"
        parts = [
            *(
                [differ + (f" ({changes})" if changes else "")]
                if self.missing < self.asked or not self.missing
                else []
            ),
            *([f"{self.no_opinion:,} without an opinion"] if self.no_opinion else []),
            *([self.lacking] if self.missing else []),
        ]
        return "; ".join(parts)

    @property
    def lacking(self) -> str:
        """How many samples have no verdict under this scoring yet."""
        return f"{self.missing:,} samples have no second opinion yet"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScores:
    """The scores of one task of one run, and what they rest on.

    Args:
        protocol: hash of the protocol that the samples were drawn under.
        k: samples asked for per problem.
        scoring: how the task itself decides samples; `scores` may hold further scorings.
        complete: no sample is pending, none ended in an internal error, and no problem is unscored.
        pending: samples that are not there yet.
        errors: samples that ended in an internal error.
        unscored: problems without a graded sample; every mean leaves them out.
        scores: one per metric and scoring, the task's own scoring first.
        skipped: the metrics that could not be computed.
        truncated_share: of the samples, those that the length cap ended.
        looped: samples that the repetition guard cut.
        duplicates: samples whose long text another sample of the same problem has already.
        tokens: lengths of the samples.
        stopped: the sequential test that may have ended the sampling before k; None where the
            number of samples was fixed.
        breakdown: pass@1 by group of problems.
        range: the bounds of pass@1 where tests are missing; None where all are there.
        opinions: how a model's second opinion agrees with the rule; None where none was asked for.
        clusters: what the problems are clustered by; None where each stands for itself.
        usage: what the samples used; None in files from before it was kept.
    """

    protocol: str
    k: int
    scoring: str
    complete: bool
    pending: int
    errors: int
    scores: tuple[Score, ...]
    skipped: tuple[SkippedMetric, ...] = ()
    truncated_share: float = 0.0
    looped: int = 0
    duplicates: int = 0
    tokens: TokenLengths = field(default_factory=TokenLengths)
    stopped: Stopping | None = None
    breakdown: tuple[BreakdownRow, ...] = ()
    range: OpenRange | None = None
    opinions: SecondOpinions | None = None
    unscored: int = 0
    clusters: Clustering | None = None
    usage: Usage | None = None

    @property
    def several(self) -> bool:
        """Whether the same samples were scored in several ways."""
        return len({score.scoring for score in self.scores}) > 1

    @property
    def main(self) -> dict[str, Score]:
        """The scores under the task's own scoring, by metric."""
        return {score.metric: score for score in self.scores if score.scoring == self.scoring}

    @property
    def verdicts(self) -> Mapping[str, int]:
        """The number of samples by verdict; empty where nothing could be scored."""
        return self.scores[0].verdicts if self.scores else {}

    def sampling_interval(self, score: Score) -> Interval | None:
        """Where the score lies on these problems, at 95 %; None where that cannot be estimated.

        Of a pass@1 whose sampling stopped early it is that of the samples up to the stop.

        Args:
            score: one of `scores`.
        """
        stopped = self.stopped
        if (
            stopped is not None
            and stopped.decision is not None
            and stopped.interval is not None
            and (score.metric, score.scoring) == ("pass@1", self.scoring)
        ):
            return stopped.interval
        return None if score.interval_sampling is None else Interval(*score.interval_sampling)

    @property
    def partial(self) -> tuple[Score, ...]:
        """The task's own scores that leave out problems with graded samples, because those are too few."""
        return tuple(
            score
            for score in self.scores
            if score.scoring == self.scoring
            and score.n_problems < (score.of_problems or 0) - self.unscored
        )
