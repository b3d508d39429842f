"""What tasks and runs are composed of: protocols that a dataset, grader, metric or engine fits.

Nothing inherits from them. A part is any object with these members, ours or a plugin's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from harness.types import FinishReason, Grade, Problem, Prompt, Row, Sample, Sampling, Tally


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
    """Decides a sample. A frozen dataclass that can be pickled to a worker process."""

    @property
    def version(self) -> str:
        """Name and version, such as "integer/1": raised whenever a verdict may change."""
        ...

    def grade(self, problem: Problem, sample: Sample) -> Grade:
        """Decide one sample. Never raises on model text."""
        ...

    def classes(self, answers: Sequence[str]) -> list[int]:
        """Number the equivalence classes of extracted answers; equal numbers, equal answers."""
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


class Engine(Protocol):
    """Generates samples: one coroutine, many calls of it in flight.

    `concurrency` is how many calls keep it busy; `opens_reasoning` says that the rendered prompt
    ends inside open reasoning, so that a completion without an end tag has no response.
    """

    @property
    def concurrency(self) -> int:
        """Calls in flight that keep the engine busy."""
        ...

    @property
    def opens_reasoning(self) -> bool:
        """Whether the prompt as rendered opens reasoning."""
        ...

    def fingerprint(self) -> Mapping[str, Any]:
        """Engine, revision, dtype, chat template, versions: what compare prints where it differs."""
        ...

    async def generate(self, request: Request) -> Completion:
        """One sample. EngineError when it failed for good, EngineDown when no call can succeed."""
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
        """How many samples per problem must have at least."""
        ...

    @property
    def name(self) -> str:
        """The field's name of it: pass@1, cons@64."""
        ...

    @property
    def votes(self) -> bool:
        """Whether the equivalence classes of answers are needed."""
        ...

    def value(self, tally: Tally) -> float:
        """The value for one problem. UsageError when it has fewer than k samples."""
        ...

    def variance(self, tally: Tally) -> float | None:
        """Its variance over repeated sampling; None where that cannot be estimated."""
        ...
