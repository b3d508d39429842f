"""How the samples of a run are drawn: how many at once, and when a task has enough of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.pipeline.pending import TaskRun
from harness.pipeline.rounds import Decided


class StoppingRule(Protocol):
    """Decides when a task has enough samples, by an interim analysis after each round.

    A round is one sample of every problem.
    """

    @property
    def bases(self) -> Mapping[str, Path]:
        """By task that may stop early, the run folder that it is compared with."""
        ...

    def watch(self, runs: Sequence[TaskRun]) -> Decided:
        """The analysis over these tasks, called after each round."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How the samples of a run are drawn, beyond what its protocols say.

    Args:
        concurrency: samples in flight; the engine's own number by default.
        rule: ends the sampling of a task before round k; what was drawn beyond the round that
            decided is discarded. None draws all k samples.
        lengths: by task, the run folder whose lengths to expect.
    """

    concurrency: int | None = None
    rule: StoppingRule | None = None
    lengths: Mapping[str, Path] = field(default_factory=dict)
