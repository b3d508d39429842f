"""What runs cost, from their folders: dollars of measured usage, GPU hours of measured time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.stats.cost import Cost, GpuTime, Price, cost_of, gpu_time, read_price
from harness.stats.usage import Usage, added
from harness.storage.manifest import Manifest
from harness.types import Score

from .results import Result

NO_COUNTS = "none of its samples has token counts"


@dataclass(frozen=True, slots=True)
class TaskCost:
    """What one task of one run used and cost.

    `usage` is None where the task has no scores, or some from before it was kept; `cost` also where
    no price is known. `score` is its pass@1, None where there is none.
    """

    run: str
    task: str
    usage: Usage | None
    cost: Cost | None
    score: Score | None

    @property
    def points_per_usd(self) -> float | None:
        """Points of pass@1 per dollar of one sample of every problem; None where it is not known."""
        if self.score is None or self.cost is None or not self.cost.at_k1:
            return None
        return 100 * self.score.value / self.cost.at_k1

    @property
    def usd_per_correct(self) -> float | None:
        """Dollars per correct sample, every problem sampled alike; None without a correct one."""
        if self.score is None or self.cost is None or self.cost.at_k1 is None:
            return None
        expected = self.score.value * self.score.n_problems
        return self.cost.at_k1 / expected if expected else None


def with_prices(results: Sequence[Result], texts: Sequence[str]) -> list[Result]:
    """Results with the prices that `--price` gives; see `prices_by_run`.

    Raises:
        UsageError: no price, or a run that there is not.
    """
    prices = prices_by_run(texts, list(dict.fromkeys(result.run for result in results)))
    return [replace(result, price=prices.get(result.run)) for result in results]


def prices_by_run(texts: Sequence[str], runs: Sequence[str]) -> dict[str, Price]:
    """The prices that `--price` gives, by run.

    Args:
        texts: each "IN,OUT" for every run, or "RUN=IN,OUT", which goes before.
        runs: the runs' names, or their paths where names are the same.

    Raises:
        UsageError: no price, or a run that there is not.
    """
    prices: dict[str, Price] = {}
    seen: dict[str, str] = {}
    for text in sorted(texts, key=lambda text: "=" in text):
        named, sign, price = text.rpartition("=")
        found = [run for run in runs if not sign or run in (named, Path(named).name)]
        if sign and len(found) != 1:
            raise UsageError(
                f"--price {text}: it has the form IN,OUT or RUN=IN,OUT; the runs are {', '.join(runs)}"
            )
        place = found[0] if sign else ""
        if place in seen:
            whose = f"for {place}" if sign else "for every run"
            raise UsageError(f"--price {text}: --price {seen[place]} is {whose} too; give one")
        seen[place] = text
        prices |= dict.fromkeys(found, read_price(price, text))
    return prices


def task_cost(result: Result) -> TaskCost:
    """What a task used and cost, by the result's price, else by what the run recorded."""
    usage, manifest = result.scored.usage if result.scored else None, result.manifest
    n_problems = len(result.problems)
    if result.folder and len(result.folder.protocol().problems) != n_problems:
        # Of a window: which of its problems the samples that were not kept are of is not known.
        manifest = replace(
            manifest, starts=tuple(replace(s, discarded={}) for s in manifest.starts)
        )
    cost = cost_in_run(manifest, result.task, usage, given=result.price, n_problems=n_problems)
    score = result.scored.main.get("pass@1") if result.scored else None
    return TaskCost(result.run, result.task, usage, cost, score)


def cost_in_run(
    manifest: Manifest,
    task: str,
    usage: Usage | None,
    *,
    given: Price | None = None,
    n_problems: int | None = None,
) -> Cost | None:
    """The cost of a task of a run; None where its usage or any price is not known.

    Args:
        manifest: of the run, which may hold a price, and the usage of samples that were not kept.
        task: its name.
        usage: of its samples.
        given: a price that goes before the recorded one.
        n_problems: of the task; None where not all of them need be measured.
    """
    if usage is None:
        return None
    lost = [start.discarded[task] for start in manifest.starts if task in start.discarded]
    return cost_of(usage, given=given, recorded=manifest.price, discarded=added(lost),
                   n_problems=n_problems)  # fmt: skip


def why_no_cost(usage: Usage | None, *, priced: bool, folder: Path | str) -> str:
    """Why the cost of a task is not known, and what to do.

    Args:
        usage: of its samples, as its scores hold it.
        priced: whether there is a price of tokens.
        folder: of the run.
    """
    if not priced:
        return "no price is known; give one with --price"
    if usage is None:
        return f"its scores are from before token counts were summed up; run harness score {folder}"
    return NO_COUNTS


def gpu_time_of(manifest: Manifest) -> GpuTime | None:
    """The GPU hours of a run's sampling; None where it held no GPU of its own."""
    return gpu_time((start.gpus, start.sampling_seconds) for start in manifest.starts)


def costs_json(results: Iterable[Result]) -> dict[str, Any]:
    """What `report -o F.json` says of costs: a row per run and task, and the GPU hours by run."""
    results = list(results)
    found = [task_cost(result) for result in results]
    hours = {result.run: gpu_time_of(result.manifest) for result in results}
    return {
        "costs": [
            {
                "run": row.run,
                "task": row.task,
                "usage": None if row.usage is None else asdict(row.usage),
                "cost": None if row.cost is None else asdict(row.cost),
                "points_per_usd": row.points_per_usd,
                "usd_per_correct": row.usd_per_correct,
            }
            for row in found
        ],
        "gpu_hours": {run: asdict(time) for run, time in hours.items() if time is not None},
    }
