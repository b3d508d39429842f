"""How the samples of a run are drawn: how many at once, and when a task has enough of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from harness.pipeline.pending import Plan, TaskRun
from harness.pipeline.stages import Counts


class Analyses(Protocol):
    """The interim analyses of a run's tasks."""

    @property
    def ends(self) -> Mapping[str, Sequence[Counts]]:
        """By task, the samples of each problem up to each analysis, the last one's included."""
        ...

    def decided(self, run: TaskRun, stage: int) -> bool:
        """Analyse a task after a stage, counted from 1: whether it has enough samples."""
        ...


class StoppingRule(Protocol):
    """Decides when a task has enough samples, by interim analyses."""

    @property
    def bases(self) -> Mapping[str, Path]:
        """By task that may stop early, the run folder that it is compared with."""
        ...

    def watch(self, runs: Sequence[TaskRun], plan: Plan, lanes: int) -> Analyses:
        """Place the analyses of these tasks.

        Args:
            runs: the tasks.
            plan: what is left to draw of them, and the lengths to expect.
            lanes: samples drawn at once.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How the samples of a run are drawn, beyond what its protocols say.

    Args:
        concurrency: samples in flight; the engine's own number by default.
        rule: ends the sampling of a task at an interim analysis; what was drawn beyond the stage
            that decided is discarded. None draws all samples.
        lengths: by task, the run folder whose lengths to expect.
    """

    concurrency: int | None = None
    rule: StoppingRule | None = None
    lengths: Mapping[str, Path] = field(default_factory=dict)
