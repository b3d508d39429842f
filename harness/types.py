"""The nouns of the harness, in the order in which a number comes to be.

    Problem -> prompt -> Sample -> Grade -> Score -> report

Everything here is a frozen value without behaviour beyond what it can say about itself. A `Task`
(`harness.task`) is composed of the parts that `harness.interfaces` describes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from harness.errors import UsageError

Row = Mapping[str, Any]
"""One row of a dataset, in the schema of its source."""

FinishReason = Literal["stop", "length", "unknown"]
"""Why an engine stopped: by itself, at the length cap, or not said (published responses)."""

ChoiceOrdering = Literal["per-problem", "per-sample"]
"""Whether the order of the choices is drawn once per problem or anew for each sample."""

Thinking = Literal["auto", "yes", "no"]
"""Whether the model reasons before it responds; `auto` finds out, see `split_reasoning`."""

LETTERS = "ABCDEFGHIJ"


class Verdict(StrEnum):
    """How a sample ended. Every sample has exactly one.

    `CORRECT` is the only right one. `UNDECIDED` (the grader could not read the answer) counts
    against the model and is shown apart. `ERROR` is a fault of ours (an engine that failed, a
    grader that died, a judge without a sandbox): it is retried and never counted as wrong.
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
    """One input of a program and the output due. `function` marks JSON arguments in `input`."""

    __test__ = False  # not a test class of pytest's

    input: str
    output: str
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a submission may use on one test case: CPU seconds and MiB of memory."""

    cpu_seconds: float = 6.0
    memory_mib: int = 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a task.

    `id` is stable and unique within its task. `answer` is the reference answer; for multiple
    choice it is the text of the right choice (or a bare letter where `choices` is empty because
    the statement itself lists them). `meta` holds what breakdowns need: level, subject, date.
    """

    id: str
    statement: str
    answer: str | None = None
    choices: tuple[str, ...] = ()
    tests: tuple[TestCase, ...] = ()
    limits: Limits | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def month(self) -> str | None:
        """The month of its contest, such as "2024-08"; None where it has no date."""
        date = self.meta.get("contest_date")
        return None if date is None else str(date)[:7]


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is sent: the user's turn, and a system prompt where one is set."""

    user: str
    system: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How samples are drawn. A field that is None was not stated (published responses).

    Temperature and top_p are kept as floats: 1 and 1.0 are one protocol, and must hash alike.

    Args:
        k: samples per problem.
        temperature: 0 is greedy decoding, and then k must be 1.
        top_p: nucleus mass, in (0, 1].
        max_tokens: length cap of one completion, reasoning included.
        stop: strings that end a completion.
        repetition_guard: a sample that has become a loop is cut: one whose last tokens are that
            many repeats of one pattern, see `harness.engines.repetition`. None lets it run.
        seeded: send one seed with every sample, derived from `seed`.
        seed: seed of the run; engine seeds are derived from it.
        choice_seed: choice orders are derived from it; part of the protocol, unlike `seed`.

    Raises:
        UsageError: a value out of range, or k > 1 at temperature 0.
    """

    k: int = 1
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    repetition_guard: int | None = None
    seeded: bool = False
    seed: int = 0
    choice_seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"k is {self.k}: at least one sample per problem is needed")
        if self.temperature is not None:
            if not 0 <= self.temperature < math.inf:
                raise UsageError(f"temperature is {self.temperature}: a number from 0 on is needed")
            object.__setattr__(self, "temperature", float(self.temperature))
        if self.temperature == 0 and self.k > 1:
            raise UsageError(
                f"k is {self.k} at temperature 0: greedy decoding gives {self.k} copies of one "
                "sample; use --k 1, or a temperature above 0"
            )
        if self.top_p is not None:
            if not 0 < self.top_p <= 1:
                raise UsageError(f"top_p is {self.top_p}: it lies above 0 and up to 1")
            object.__setattr__(self, "top_p", float(self.top_p))
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError(f"max_tokens is {self.max_tokens}: it must be at least 1")
        if self.repetition_guard is not None and self.repetition_guard < 2:
            raise UsageError(
                f"repetition_guard is {self.repetition_guard}: a loop is 2 repeats at least, and "
                "8 or more are wise; leave it out for no guard"
            )


@dataclass(frozen=True, slots=True)
class Request:
    """One sample to be generated: the unit of work of every engine.

    `seed` is None unless the run is `seeded`; an engine then draws from its own generator.
    """

    problem_id: str
    index: int
    prompt: Prompt
    sampling: Sampling
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine returns for one prompt.

    `reasoning` is set only by an engine whose server split it off already; else `text` holds the
    whole completion and the runner splits it. Token counts are None where the engine has none.
    `looped` says that the repetition guard cut it; the finish reason is then "length".
    """

    text: str
    finish_reason: FinishReason
    n_prompt_tokens: int | None = None
    n_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    seconds: float | None = None
    reasoning: str | None = None
    looped: bool = False


@dataclass(frozen=True, slots=True)
class Sample:
    """One completion of one problem, index 0..k-1, split at the end of the reasoning.

    `reasoning` is None where there was none; `response` is None where the reasoning never ended.
    Only the response is ever graded. `choice_order[j]` is the number (0-based, in
    `Problem.choices`) of the choice shown under letter j. `looped` is as in `Completion`.
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

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index

    def raw(self, think_end: str) -> str:
        """The text as the model wrote it, with `think_end` between reasoning and response."""
        if self.reasoning is None:
            return self.response or ""
        if self.response is None:
            return self.reasoning
        return self.reasoning + think_end + self.response

    @property
    def text(self) -> str:
        """Reasoning and response as one string, for telling equal samples apart."""
        return (self.reasoning or "") + (self.response or "")


@dataclass(frozen=True, slots=True)
class Grade:
    """A grader's decision on one sample.

    `answer` is the extracted answer (for multiple choice the text of the choice, so that votes
    add up under any order of choices), `detail` names the stage that settled it or the failing
    test, `grader` is the version that decided. `also` holds the verdicts of the same sample under
    further scorings, by name, for a grader that has several.
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
