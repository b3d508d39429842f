"""The dollars of a plan: a price by the tokens to expect, or what a server charged for such samples.

Nothing is guessed: dollars are known where the tokens of prompts and completions and their price are
measured or stated, or where the earlier run's server stated a charge with its replies.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.stats.cost import Price, which_price
from harness.stats.usage import UsageCounter
from harness.storage.projections import SampleRow
from harness.storage.run_folder import RunFolder, TaskFolder
from harness.workflows.plan_time import SampleLengths


@dataclass(frozen=True, slots=True)
class SampleCosts:
    """What one sample of each problem is expected to cost.

    Args:
        means: in USD, by problem id.
        source: what they rest on, in words.
    """

    means: Mapping[str, float]
    source: str

    @property
    def mean(self) -> float:
        """USD of a sample, the mean over problems."""
        return fmean(self.means.values())

    def usd(self, counts: Mapping[str, int]) -> float:
        """USD of so many samples of each problem."""
        return math.fsum(n * self.means[id] for id, n in counts.items())


def costs_from_run(
    task: TaskFolder,
    ids: Sequence[str],
    lengths: SampleLengths | None,
    *,
    price: Price | None,
    prompt_length: float | None,
    as_measured: bool,
) -> tuple[SampleCosts | None, tuple[str, ...]]:
    """What samples cost by an earlier run, and what to say where that is not known.

    Args:
        task: of the earlier run.
        ids: of the problems; one without a measured sample costs the mean of the others.
        lengths: of the samples to expect.
        price: of tokens, as stated; it goes before the run's.
        prompt_length: tokens of a prompt, as stated; they go before the run's.
        as_measured: whether the lengths are those of the run.
    """
    recorded = RunFolder(task.path.parent).manifest().price
    counter = UsageCounter()
    for sample in task.read("samples.jsonl", SampleRow):
        counter.add(sample)
    charges, prompts = counter.charge_means(), counter.prompt_means()
    given = which_price(price, recorded, charged=bool(charges))
    if given is None and charges:
        if not as_measured:
            return None, (f"{task.name}: charges of {task.path.parent} are for its own lengths: state "
                          "--price for those of --length",)  # fmt: skip
        return SampleCosts(_filled(charges, ids), "as the server charged before"), ()
    if given is None:
        return None, ()
    if prompt_length is None and not prompts:
        return None, (f"{task.name}: {task.path.parent} has no token counts of prompts: state "
                      "--prompt-length for dollars",)  # fmt: skip
    if prompt_length is not None:
        prompts = dict.fromkeys(ids, prompt_length)
    return priced(given, _filled(prompts, ids), lengths), ()


def priced(
    price: Price, prompts: Mapping[str, float], lengths: SampleLengths | None
) -> SampleCosts | None:
    """What samples of these prompts and lengths cost; None where lengths are not known.

    Args:
        price: of tokens.
        prompts: tokens by problem.
        lengths: of the samples.
    """
    if lengths is None:
        return None
    means = {id: price.of(tokens, lengths.means[id]) for id, tokens in prompts.items()}
    return SampleCosts(means, f"at {price}")


def _filled(means: Mapping[str, float], ids: Sequence[str]) -> dict[str, float]:
    """With the mean of the others for each problem that has none."""
    known = {id: mean for id, mean in means.items() if id in ids}
    usual = fmean(known.values() or means.values())
    return {id: known.get(id, usual) for id in ids}
