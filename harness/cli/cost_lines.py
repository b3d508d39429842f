"""What a run has cost so far, as lines below its scores."""

from __future__ import annotations

from collections.abc import Sequence

from harness.reports.costs import NO_COUNTS, cost_in_run, gpu_time_of
from harness.reports.tables.costs import hours_text
from harness.stats.cost import usd_text
from harness.stats.scores import TaskScores
from harness.storage.manifest import Manifest


def cost_lines(
    manifest: Manifest, tasks: Sequence[str], results: Sequence[TaskScores]
) -> list[str]:
    """The dollars of the stored samples, what is not in them, and the GPU hours; none where unknown.

    Args:
        manifest: of the run.
        tasks: names of the tasks.
        results: their scores, in that order.
    """
    found = {task: cost_in_run(manifest, task, result.usage)
             for task, result in zip(tasks, results, strict=True)}  # fmt: skip
    costs = {task: cost for task, cost in found.items() if cost is not None}
    lines = []
    if costs:
        parts = ", ".join(f"{task} {usd_text(cost.usd)}" for task, cost in costs.items())
        several = f" ({parts})" if len(costs) > 1 else ""
        whole = usd_text(sum(cost.usd for cost in costs.values()))
        sources = "; ".join(dict.fromkeys(cost.source for cost in costs.values()))
        lines.append(
            f"cost: {whole} USD{several}, {sources}; failed tries are not in it, prefix caches are "
            "not taken off"
        )
    lines += [f"{task}: {cost.lacking}" for task, cost in costs.items() if cost.lacking]
    if manifest.price is not None:
        lines += [f"{task}: no cost: {NO_COUNTS}" for task, result in zip(tasks, results, strict=True)
                  if task not in costs and result.usage is not None]  # fmt: skip
    if (time := gpu_time_of(manifest)) is not None:
        lines.append(hours_text("cost", time))
    return lines
