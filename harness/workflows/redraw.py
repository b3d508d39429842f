"""Draw a checkpoint again, for a baseline that was not chosen for its score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.stats.seeds import derive_seed
from harness.storage.ledger import REDRAWN
from harness.storage.nights import Checkpoint
from harness.storage.run_folder import MANIFEST
from harness.workflows.evaluate import evaluate
from harness.workflows.night_settings import run_settings
from harness.workflows.nightly import Plan


async def redraw(
    plan: Plan, checkpoint: Checkpoint, *, observe: Callable[[Sequence[TaskRun]], Observer]
) -> Path:
    """Draw a checkpoint again into a run of its own, which owes nothing to the luck of the first.

    It has another seed. It is not compared and has no line in the history; it is there to be accepted.

    Args:
        plan: what the night would do.
        checkpoint: one of `plan.due`.
        observe: as in `harness.workflows.evaluate.evaluate`.

    Returns:
        The run's folder.
    """
    again = replace(checkpoint, run=checkpoint.run + REDRAWN)
    settings = run_settings(plan.settings, again)
    settings = settings.model_copy(update={"seed": derive_seed("redrawn", settings.seed)})
    first = {task.name: plan.settings.runs / checkpoint.run for task in plan.tasks}
    known = first if (settings.output.parent / checkpoint.run / MANIFEST).is_file() else {}
    await evaluate(plan.tasks, settings, observe=observe, lengths=known)
    return settings.output
