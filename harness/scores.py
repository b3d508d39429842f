"""The nouns of a score: what is counted of a problem's grades, and what a task comes to.

Grade -> Vote, Tally -> Score
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Vote:
    """One equivalence class of extracted answers: how many samples gave it, how many are right.

    The two differ only where a grader is not quite consistent with its own classes; the class
    then counts as right by its share.
    """

    count: int
    correct: int


@dataclass(frozen=True, slots=True)
class Tally:
    """One problem's graded samples: n of them, c correct, the votes, and a seed for resampling.

    Samples without an extracted answer abstain: they are in n and in no vote.
    """

    n: int
    correct: int
    votes: tuple[Vote, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one task.

    `scoring` says how samples were decided: the grader's name, or one of its several ways.
    `k` is the number of samples asked for per problem and `n` the number of all samples that
    ended, so that the identity

        n = correct + every named way of being wrong + error = sum(verdicts.values())

    holds always. The "(n=64)" printed beside a score is the samples per problem, as in the
    field's tables. `se_sampling` answers "would this model score the same on these problems
    again?", `se_problems` "would it hold on other problems like these?"; either is None where
    it cannot be estimated (one sample per problem, one problem). The intervals are the 95 % ones
    of these errors, (low, high). `complete` is False when a problem has fewer graded samples than
    asked for.
    """

    metric: str
    scoring: str
    value: float
    se_sampling: float | None
    se_problems: float | None
    n_problems: int
    n: int
    k: int
    verdicts: Mapping[str, int]
    complete: bool = True
    interval_sampling: Sequence[float] | None = None
    interval_problems: Sequence[float] | None = None
