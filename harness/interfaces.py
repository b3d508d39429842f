"""What tasks and runs are composed of: the protocols of a dataset, grader, engine and metric.

A part is any object with these members, the harness's own or a plugin's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from harness.sampling import Sampling
from harness.types import FinishReason, Grade, Problem, Prompt, Row, Sample, Tally

Fingerprint = Mapping[str, Any]
"""What an engine says of itself: engine, revision, dtype, versions, under keys of its own."""


class Dataset(Protocol):
    """Where the rows of a task come from."""

    def source(self, data_dir: Path | None) -> str:
        """Name and revision (or hash) of what `rows` reads, as written to the protocol."""
        ...

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row), where place names the file and line for error messages."""
        ...


@runtime_checkable
class Grader(Protocol):
    """Decides a sample: a frozen dataclass that can be pickled to a worker process.

    A class that inherits from it, as ours do, defines `version` and `grade`; the other members
    then have the defaults given here. One that does not inherit defines them all.
    """

    __slots__ = ()

    @property
    def version(self) -> str:
        """Name and version, such as "integer/1": raised whenever a verdict may change."""
        ...

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample. Never raises on model text."""
        ...

    @property
    def scoring(self) -> str:
        """How samples are decided, as scores name it. Default: the name in `version`."""
        return self.version.partition("/")[0]

    @property
    def startup_seconds(self) -> float:
        """Wall time that a process may take before its first grade. Default: none."""
        return 0.0

    def budget(self, problem: Problem) -> float:
        """Seconds of wall time that one sample may take. Default: 0, for graders that are quick."""
        return 0.0

    def ready(self) -> None:
        """Raise what keeps samples from being graded on this machine. Default: nothing does."""
        return

    def classes(self, answers: Sequence[str]) -> list[int]:
        """Number the equivalence classes of extracted answers; equal numbers, equal answers.

        Default: equal texts.
        """
        numbers: dict[str, int] = {}
        return [numbers.setdefault(answer.strip(), len(numbers)) for answer in answers]


@runtime_checkable
class ExtractsAnswers(Protocol):
    """A grader with a choice of where an answer may stand in a response (`--extract`)."""

    @property
    def extract(self) -> str:
        """Name of the policy: "strict" or "lenient"."""
        ...


@runtime_checkable
class RunsPrograms(Protocol):
    """A grader that runs programs, with a choice of how (`--scoring`, `--unsafe-judge`)."""

    @property
    def also(self) -> tuple[str, ...]:
        """Further scorings, whose verdicts stand in `Grade.also`."""
        ...

    @property
    def unsafe(self) -> bool:
        """Whether programs run without a sandbox."""
        ...


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

    `reasoning` is set only where a server split it off already; else `text` holds the whole
    completion and the runner splits it. Token counts are None where the engine has none. `looped`
    says that the repetition guard cut it; the finish reason is then "length". `cost` is what the
    server charged for it, in USD, where the server says so.
    """

    text: str
    finish_reason: FinishReason
    n_prompt_tokens: int | None = None
    n_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    seconds: float | None = None
    reasoning: str | None = None
    looped: bool = False
    cost: float | None = None


class Engine(Protocol):
    """Generates samples: one coroutine, many calls of it in flight."""

    @property
    def concurrency(self) -> int:
        """Calls in flight that keep the engine busy."""
        ...

    @property
    def opens_reasoning(self) -> bool | None:
        """Whether the rendered prompt ends inside open reasoning; None where nothing tells.

        A completion without an end tag then has no response. An engine in front of a server may
        come to know it from a completion.
        """
        ...

    def fingerprint(self) -> Fingerprint:
        """Engine, revision, dtype, chat template, versions: compare prints where they differ.

        `gpus` is the number of GPUs that it holds (0 on CPUs; left out where they are not known),
        `price` the server's own, as prompt and completion in USD per million tokens.
        """
        ...

    async def generate(self, request: Request) -> Completion:
        """Draw one sample.

        Raises:
            EngineError: this sample failed for good.
            EngineDown: no call can succeed any more.
        """
        ...

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text; None without a tokenizer."""
        ...

    async def close(self) -> None:
        """Free what the engine holds."""
        ...


class Metric(Protocol):
    """From one problem's graded samples to a value; see `harness.stats.metrics`."""

    @property
    def k(self) -> int:
        """The number of samples that each problem needs at least."""
        ...

    @property
    def name(self) -> str:
        """Its name in the field: pass@1, cons@64."""
        ...

    @property
    def votes(self) -> bool:
        """Whether the equivalence classes of answers are needed."""
        ...

    def value(self, tally: Tally) -> float:
        """The value for one problem, in [0, 1].

        Raises:
            UsageError: it has fewer than k samples.
        """
        ...

    def variance(self, tally: Tally) -> float | None:
        """Its variance over repeated sampling; None where that cannot be estimated."""
        ...
