"""The nouns of the harness, in the order in which they are made.

    Problem -> prompt -> Sample -> Grade -> Score -> report

All are frozen values; a `Task` (`harness.task`) is composed of the parts of `harness.interfaces`.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

Row = Mapping[str, Any]
"""One row of a dataset, in the schema of its source."""

FinishReason = Literal["stop", "length", "unknown"]
"""Why a sample ended: by itself, at the length cap, or unknown (published responses)."""

ChoiceOrdering = Literal["per-problem", "per-sample", "published"]
"""How choices are ordered: drawn once per problem, anew for each sample, or as they were published."""

Thinking = Literal["auto", "yes", "no"]
"""Whether the model reasons before it responds; for `auto` see `split_reasoning`."""

LETTERS = "ABCDEFGHIJ"


class Verdict(StrEnum):
    """How a sample ended. Every sample has exactly one.

    Only `CORRECT` is right. `UNDECIDED` (the grader could not read the answer) counts against the
    model and is shown apart. `ERROR` is an internal error (an engine or a grader that failed, a
    judge without a sandbox): it is retried and never counted as wrong.
    """

    CORRECT = "correct"
    WRONG_ANSWER = "wrong_answer"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT = "time_limit"
    MEMORY_LIMIT = "memory_limit"
    OUTPUT_LIMIT = "output_limit"
    UNDECIDED = "undecided"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class TestCase:
    """One input of a program and its expected output; for a `function`, its arguments as JSON."""

    __test__ = False  # pytest would collect it as a test class

    input: str
    output: str
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a submission may use on one test case: CPU seconds and MiB of memory."""

    cpu_seconds: float = 6.0
    memory_mib: int = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """How programs for a problem are judged, beyond its test cases and limits.

    Args:
        checker: source of a Python program that prints 1 for an accepted output; None: the grader's.
        input_file: the file that programs read in place of standard input.
        output_file: the file that programs write in place of standard output.
        decisive: whether the test cases are complete; else a wrong program may pass.
        not_judged: why no sample of the problem can be decided here, such as "interactive".
    """

    checker: str | None = None
    input_file: str | None = None
    output_file: str | None = None
    decisive: bool = True
    not_judged: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where and when a problem was first published; None where that is not known.

    Args:
        title: its name there.
        platform: the site that published it, such as "atcoder".
        contest: id of the contest.
        index: of the problem within its contest, such as "A".
        date: day of the contest.
        erratum: what the publisher says is wrong with the problem.
        passage: id of the text, figure or other source that several problems ask about.
    """

    title: str | None = None
    platform: str | None = None
    contest: str | None = None
    index: str | None = None
    date: datetime.date | None = None
    erratum: str | None = None
    passage: str | None = None

    @property
    def month(self) -> str | None:
        """The month of the contest, such as "2024-08"."""
        return None if self.date is None else f"{self.date:%Y-%m}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a task.

    `id` is stable and unique within its task. `answer` is the reference answer; for multiple
    choice it is the text of the right choice (or a bare letter where `choices` is empty because
    the statement itself lists them). `starter_code` is what a template's field of that name shows.
    `tests` is a tuple, or one of `harness.problem_tests` where they are large: iterate over it once.
    `meta` holds properties to break a score down by, such as level, subject or difficulty.
    """

    id: str
    statement: str
    answer: str | None = None
    choices: tuple[str, ...] = ()
    tests: Sequence[TestCase] = ()
    limits: Limits | None = None
    starter_code: str = ""
    judging: Judging = Judging()
    provenance: Provenance = Provenance()
    meta: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is sent: the user's turn, and a system prompt where one is set."""

    user: str
    system: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion of one problem, index 0..k-1, split at the end of the reasoning.

    Without reasoning `reasoning` is None; where it never ended, `response` is. Only that is graded.
    `choice_order[j]`: place in `Problem.choices` of letter j's choice; `looped`, `cost`: as in `Completion`.
    """

    problem_id: str
    index: int
    reasoning: str | None
    response: str | None
    finish_reason: FinishReason
    n_prompt_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    n_tokens: int | None = None
    seconds: float | None = None
    choice_order: tuple[int, ...] | None = None
    seed: int | None = None
    looped: bool = False
    cost: float | None = None

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index

    def raw(self, think_end: str) -> str:
        """The text as the model wrote it, with `think_end` between reasoning and response."""
        return think_end.join(part for part in (self.reasoning, self.response) if part is not None)

    @property
    def text(self) -> str:
        """Reasoning and response as one string, for comparing samples."""
        return (self.reasoning or "") + (self.response or "")


@dataclass(frozen=True, slots=True)
class Grade:
    """A grader's decision on one sample.

    `answer` is the extracted answer (for multiple choice the text of the choice, so that votes
    add up under any order of choices), `detail` names the stage that settled it or the failing
    test, `seconds` is how long grading took, `grader` is the grader's version. `also` holds the
    verdicts of the same sample under further scorings, by name, for a grader that has several.
    """

    problem_id: str
    index: int
    verdict: Verdict
    answer: str | None = None
    detail: str = ""
    seconds: float = 0.0
    grader: str = ""
    also: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index


@dataclass(frozen=True, slots=True)
class Vote:
    """One equivalence class of extracted answers: how many samples gave it, how many are correct.

    A class whose samples were graded differently counts as correct by its share.
    """

    count: int
    correct: int


@dataclass(frozen=True, slots=True)
class Tally:
    """One problem's graded samples: how many, how many correct, and the votes.

    Samples without an extracted answer abstain: they count in `n` and in no vote.
    """

    n: int
    correct: int
    votes: tuple[Vote, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One metric of one task.

    `value` is in [0, 1]. `scoring` names how samples were decided: the grader, or one of its
    several scorings. `k` is the number of samples asked of a problem, the mean where an allocation
    asks from `n_range[0]` to `n_range[1]`; `n` that of all samples that ended: n = correct + every
    named way of being wrong + error = sum(verdicts.values()). `se_sampling` answers "would this model
    score the same on these problems again?", `se_problems` "would the score hold on other problems
    like these?"; either is None where it cannot be estimated. The intervals are the 95 % ones of these
    errors, (low, high). `n_problems` of `of_problems` have the graded samples that the metric needs;
    `ragged` says that some have fewer than asked. `complete` is the task's.
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
    interval_sampling: tuple[float, float] | None = None
    interval_problems: tuple[float, float] | None = None
    of_problems: int | None = None
    ragged: bool = False
    n_range: tuple[int, int] | None = None
