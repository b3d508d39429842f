"""The run folders of a sweep: which tasks are sampled into which, and by which engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.pipeline.pending import TaskRun, missing
from harness.protocol import SERVER_SAMPLING
from harness.storage.run_folder import MANIFEST, RunFolder, RunWriter, TaskFolder
from harness.workflows.prepare import Prepared
from harness.workflows.run_settings import RunSettings
from harness.workflows.sweep_conditions import Condition


@dataclass(slots=True)
class Draw:
    """One run folder of a sweep and the tasks that are sampled into it."""

    path: Path
    settings: RunSettings
    prepared: list[Prepared]

    def runs(self) -> list[TaskRun]:
        """Its tasks, for reading."""
        return [item.run(TaskFolder(self.path / item.task.name)) for item in self.prepared]

    def samples(self) -> int:
        """The number of samples of the complete folder."""
        return sum(len(item.problems) * item.sampling.k for item in self.prepared)

    def missing(self) -> int:
        """The number of samples still to be drawn."""
        return sum(len(rows) for run in self.runs() for rows in missing(run).values())

    def complete(self) -> bool:
        """Whether every sample is stored, graded and scored."""
        return not self.missing() and all(_scored(run) for run in self.runs())


def _scored(run: TaskRun) -> bool:
    """Whether the scores of a task are those of all of its samples, and each has a grade."""
    if not run.folder.has_scores():
        return False
    scores, asked = run.folder.scores(), len(run.problems) * run.sampling.k
    return (
        (scores.protocol, scores.k) == (run.folder.protocol().hash, run.sampling.k)
        and sum(scores.verdicts.values()) == asked
        and not (scores.pending or scores.errors)
        and sum(1 for _ in run.folder.grades()) >= asked
    )


def for_one_engine(draws: Sequence[Draw]) -> list[list[Draw]]:
    """The folders that one engine can draw: an effort is in all of its prompts.

    Those with an effort come first, so that an engine which ignores it is refused before any sample.
    """
    groups: dict[str | None, list[Draw]] = {}
    for draw in sorted(draws, key=lambda draw: draw.settings.effort is None):
        groups.setdefault(draw.settings.effort, []).append(draw)
    return list(groups.values())


def lay_out_draws(
    base: RunSettings, prepared: Sequence[Prepared], conditions: Sequence[Condition]
) -> list[Draw]:
    """The base, drawn up to the largest k of any value, and one folder per value to be sampled.

    Args:
        base: its settings.
        prepared: the tasks under them.
        conditions: all values on all tasks.
    """
    largest = {item.task.name: item.sampling.k for item in prepared}
    draws: dict[Path, Draw] = {}
    for condition in conditions:
        item, settings = condition.prepared, condition.variant.settings
        name, k = item.task.name, item.sampling.k
        if condition.origin == "extended":
            largest[name] = max(largest[name], k)
        elif condition.origin == "sampled":
            draw = draws.setdefault(settings.output, Draw(settings.output, settings, []))
            draw.prepared.append(_at_least(item, k, settings.output))
    whole = [_at_least(item, largest[item.task.name], base.output) for item in prepared]
    return [Draw(base.output, base, whole), *draws.values()]


def _at_least(item: Prepared, k: int, path: Path) -> Prepared:
    """A task with k samples per problem, or as many as its folder already has."""
    if (path / MANIFEST).exists():
        k = max(k, RunFolder(path).manifest().k.get(item.task.name, 0))
    return replace(item, sampling=replace(item.sampling, k=k))


def check_folder(draw: Draw) -> None:
    """Refuse a folder that has another protocol, before anything is sampled.

    Raises:
        ProtocolMismatch: it has.
    """
    if (draw.path / MANIFEST).exists():
        with RunWriter(draw.path, take_over=draw.settings.take_over) as writer:
            for item in draw.prepared:
                writer.check_task(item.protocol, item.sampling.k, (SERVER_SAMPLING,))
