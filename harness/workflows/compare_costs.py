"""What the two runs of a comparison cost: dollars at k = 1 and points per dollar, GPU seconds per sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from harness.reports.costs import cost_in_run, gpu_time_of, prices_by_run, why_no_cost
from harness.stats.comparison import Comparison, CostChange, GpuUse
from harness.stats.cost import Cost, Price
from harness.storage.manifest import Manifest
from harness.storage.run_folder import RunFolder, TaskFolder


def with_costs(found: Comparison, base: Path, new: Path, prices: Sequence[str] = ()) -> Comparison:
    """A comparison with what its runs cost, as far as that is known.

    Args:
        found: the comparison.
        base: the run folder that was compared with.
        new: the run folder that was compared.
        prices: each "IN,OUT" for both runs, or "RUN=IN,OUT"; they go before what runs recorded.

    Raises:
        UsageError: no price, or a run that there is not.
        DataError: a file of a run that is damaged.
    """
    runs = [RunFolder(path) for path in (base, new)]
    names = [run.name for run in runs]
    if names[0] == names[1]:
        names = [str(base), str(new)]
    given = prices_by_run(prices, names)
    manifests = [run.manifest() for run in runs]
    changes = []
    for task in found.tasks:
        folders = [run.task(task.ruling.task) for run in runs]
        if folders[0].protocol().problems.keys() != folders[1].protocol().problems.keys():
            continue  # the dollars of other problems say nothing of the model
        base_cost, new_cost = (
            _cost(folder, manifest, given.get(name))
            for folder, manifest, name in zip(folders, manifests, names, strict=True)
        )
        if base_cost.cost is not None or new_cost.cost is not None or given:
            changes.append(
                CostChange(
                    task.ruling.task,
                    task.ruling.difference,
                    base_cost.cost,
                    new_cost.cost,
                    (base_cost.why, new_cost.why),
                )
            )
    gpus = [_gpu_use(run, manifest) for run, manifest in zip(runs, manifests, strict=True)]
    return replace(found, costs=tuple(changes), gpus=(gpus[0], gpus[1]))


class _Known(NamedTuple):
    """The cost of one task of one run, or why it is not known."""

    cost: Cost | None
    why: str


def _cost(folder: TaskFolder, manifest: Manifest, given: Price | None) -> _Known:
    n_problems = len(folder.protocol().problems)
    usage = folder.scores().usage
    cost = cost_in_run(manifest, folder.name, usage, given=given, n_problems=n_problems)
    priced = given is not None or manifest.price is not None
    return _Known(cost, why_no_cost(usage, priced=priced, folder=folder.path.parent))


def _gpu_use(run: RunFolder, manifest: Manifest) -> GpuUse | None:
    time = gpu_time_of(manifest)
    if time is None:
        return None
    usages = [task.scores().usage for task in run.tasks() if task.has_scores()]
    return GpuUse(time, sum(usage.samples for usage in usages if usage is not None))
