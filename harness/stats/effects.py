"""The effect of one changed setting on a task's score, against a base on the same problems. Pure.

What is computed from the base's own samples is paired sample by sample, which is far sharper than
two sets of draws: only samples whose verdict changes count. A smaller k is nested in the larger
one, so that only the samples beyond it are new.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from harness.errors import DataError
from harness.stats.intervals import (
    Interval,
    mean,
    problems_error,
    problems_interval,
    rate,
    rate_variances,
    sampling_error,
    score_interval,
    variance_of_mean,
)
from harness.stats.metrics import tallies
from harness.stats.multiplicity import holm
from harness.stats.paired_test import Difference, compare, stratified
from harness.stats.sample_outcomes import SampleOutcome
from harness.stats.student import satterthwaite, student
from harness.types import Tally, Verdict

Source = Literal["base", "sampled", "stored"]
"""The base itself, samples drawn for this value, or computed from the base's stored samples."""

Pairing = Literal["problems", "samples", "nested"]
"""What two sets of outcomes share: the problems; also each sample; or the smaller's samples."""

Claim = Literal["differs", "no difference shown"]
"""Whether a difference to the base survives the correction over the values of its factor."""

LEVEL = 0.05
"""Probability that a factor without any effect has a value that is said to differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One value of one factor on one task: pass@1, and its difference to the base.

    Shares lie between 0 and 1. `difference` is None for the base itself; intervals are 95 % and,
    like errors, None where they cannot be estimated. `k` is the samples asked for per problem, `n`
    those graded, `errors` those without a grade. `cut_responses` counts the samples that a lower
    cap ends inside their response although the whole response was right: they count as truncated,
    and some may state their answer before the cut.

    `p` is two-sided, of the difference over the same problems again; `p_adjusted` is that by Holm's
    correction over all values of the factor, on all tasks, and `claim` what it allows to say.
    `corrected` sets both; intervals are those of one difference alone.
    """

    task: str
    factor: str
    value: str
    source: Source
    k: int
    n: int
    n_problems: int
    score: float
    se_sampling: float | None
    se_problems: float | None
    interval_sampling: Interval | None
    interval_problems: Interval | None
    truncated_share: float
    mean_tokens: float | None
    mean_reasoning_tokens: float | None
    errors: int
    cut_responses: int = 0
    difference: float | None = None
    difference_se_sampling: float | None = None
    difference_se_problems: float | None = None
    difference_interval_sampling: Interval | None = None
    difference_interval_problems: Interval | None = None
    p: float | None = None
    p_adjusted: float | None = None

    @property
    def claim(self) -> Claim | None:
        """What may be said of the difference; None where there is no test."""
        if self.p_adjusted is None:
            return None
        return "differs" if self.p_adjusted <= LEVEL else "no difference shown"

    def to_json(self) -> dict[str, object]:
        """All fields by name, and the claim; an interval is the pair of its ends."""
        return {
            name: list(value) if isinstance(value, Interval) else value
            for name in (*self.__dataclass_fields__, "claim")
            for value in (getattr(self, name),)
        }


def measure(
    found: Sequence[SampleOutcome],
    *,
    task: str,
    factor: str,
    value: str,
    source: Source,
    k: int,
    n_expected: int,
) -> Effect:
    """The score of one set of outcomes of one task and value, with both errors.

    Args:
        found: the outcomes.
        task: as in `Effect`.
        factor: as in `Effect`.
        value: as in `Effect`.
        source: as in `Effect`.
        k: as in `Effect`.
        n_expected: samples that there should be; those without a grade count as errors.

    Raises:
        DataError: no sample has a grade.
    """
    by_problem = list(tallies(found).values())
    if not by_problem:
        raise DataError(f"{task}, {factor} {value}: no sample has a grade; see errors.jsonl")
    rates = [rate(tally) for tally in by_problem]
    variances = rate_variances(by_problem)
    trials = [tally.n for tally in by_problem]
    lengths = [outcome.n_tokens for outcome in found if outcome.n_tokens is not None]
    reasoning = [o.n_reasoning_tokens for o in found if o.n_reasoning_tokens is not None]
    return Effect(
        task=task,
        factor=factor,
        value=value,
        source=source,
        k=k,
        n=sum(trials),
        n_problems=len(by_problem),
        score=mean(rates),
        se_sampling=sampling_error(variances),
        se_problems=problems_error(rates),
        interval_sampling=score_interval(by_problem),
        interval_problems=problems_interval(rates),
        truncated_share=sum(outcome.capped for outcome in found) / len(found),
        mean_tokens=mean(lengths) if lengths else None,
        mean_reasoning_tokens=mean(reasoning) if reasoning else None,
        errors=n_expected - sum(trials),
    )


def against(
    effect: Effect, base: Sequence[SampleOutcome], new: Sequence[SampleOutcome], pairing: Pairing
) -> Effect:
    """The effect with its difference to the base, over the problems that both have graded.

    Args:
        effect: of `new`, as `measure` computed it.
        base: the base's outcomes.
        new: those under the changed value.
        pairing: what the two share, which decides the variance of the difference.
    """
    if pairing == "samples":
        graded = {o.key for o in base if o.verdict is not Verdict.ERROR}
        graded &= {o.key for o in new if o.verdict is not Verdict.ERROR}
        base, new = ([o for o in side if o.key in graded] for side in (base, new))
    before, after = tallies(base), tallies(new)
    found = compare(before, after)
    error, interval = _sampling(found, base, new, pairing)
    return replace(
        effect,
        difference=found.value,
        difference_se_sampling=error,
        difference_se_problems=found.se_problems,
        difference_interval_sampling=interval,
        difference_interval_problems=found.interval_problems,
        p=p_value(base, new, pairing),
    )


def corrected(effects: Sequence[Effect]) -> list[Effect]:
    """The effects with p-values that bound the chance of any false claim within a factor (Holm 1979).

    A factor's values on all tasks are one family: its k-th smallest p-value counts (m + 1 - k) times.
    """
    factors: dict[str, list[int]] = {}
    for i, effect in enumerate(effects):
        if effect.p is not None:
            factors.setdefault(effect.factor, []).append(i)
    found = list(effects)
    for places in factors.values():
        adjusted = holm([effects[i].p or 0.0 for i in places])
        for i, p in zip(places, adjusted, strict=True):
            found[i] = replace(found[i], p_adjusted=p)
    return found


def p_value(
    base: Sequence[SampleOutcome], new: Sequence[SampleOutcome], pairing: Pairing
) -> float | None:
    """Two-sided p-value of a difference, by the test for what the two sides share.

    - problems: the stratified one of a comparison of runs;
    - samples: of those whose verdict changes, half would be lost and half won (McNemar 1947, exact);
    - nested: the smaller's samples against those that only the larger has, stratified likewise.

    Args:
        base: the base's outcomes.
        new: those under the changed value.
        pairing: what the two share.

    Returns:
        None where no problem has graded samples to hold against each other.
    """
    if pairing == "samples":
        from scipy import special

        changes = [change for row in _sample_changes(base, new).values() for change in row]
        won, lost = changes.count(1), changes.count(-1)
        return min(1.0, 2 * float(special.bdtr(min(won, lost), won + lost, 0.5)))
    before, after = tallies(base), tallies(new)
    pairs = [(before[id], after[id]) for id in before if id in after]
    if pairing == "nested":
        ordered = [sorted(pair, key=lambda tally: tally.n) for pair in pairs]
        pairs = [(Tally(whole.n - few.n, whole.correct - few.correct), few)
                 for few, whole in ordered]  # fmt: skip
    pairs = [(old, now) for old, now in pairs if old.n and now.n]
    if not pairs:
        return None
    return min(1.0, 2 * min(stratified([old for old, _ in pairs], [now for _, now in pairs])))


def _sampling(
    found: Difference, base: Sequence[SampleOutcome], new: Sequence[SampleOutcome], pairing: Pairing
) -> tuple[float | None, Interval | None]:
    """The sampling error of a difference and its interval, by what the two sides share."""
    if pairing == "problems":
        return found.se_sampling, found.interval_sampling
    if pairing == "samples":
        variances, trials = _changes(base, new)
    else:
        variances, trials = _nested(tallies(base), tallies(new))
    if not variances:
        return None, None
    error = math.sqrt(math.fsum(variances)) / len(variances)
    if error:
        half = student(0.95, satterthwaite(variances, trials)) * error
    else:  # nothing changed: Clopper and Pearson's bound (1934) for no event in all trials
        half = 1 - 0.025 ** (1 / sum(trials))
    low, high = max(-1.0, found.value - half), min(1.0, found.value + half)
    return error, Interval(low, high)


def _sample_changes(
    base: Sequence[SampleOutcome], new: Sequence[SampleOutcome]
) -> dict[str, list[int]]:
    """By problem, 1 for a sample that is right now alone, -1 for one that was, else 0."""
    verdicts = {outcome.key: outcome.verdict is Verdict.CORRECT for outcome in base}
    changes: dict[str, list[int]] = {}
    for outcome in new:
        change = (outcome.verdict is Verdict.CORRECT) - verdicts[outcome.key]
        changes.setdefault(outcome.problem_id, []).append(change)
    return changes


def _changes(
    base: Sequence[SampleOutcome], new: Sequence[SampleOutcome]
) -> tuple[list[float], list[int]]:
    """Per problem, the variance of its mean change per sample, and its samples; empty for one."""
    rows = _sample_changes(base, new).values()
    trials = [len(row) for row in rows]
    if min(trials) < 2:
        return [], []
    return [variance_of_mean(row) for row in rows], trials


def _nested(base: Mapping[str, Tally], new: Mapping[str, Tally]) -> tuple[list[float], list[int]]:
    """Per problem, p(1-p) |1/n - 1/N| of n samples among N, and N; empty for one sample."""
    pairs = [sorted((base[id], new[id]), key=lambda t: t.n) for id in base if id in new]
    if any(larger.n < 2 for _, larger in pairs):
        return [], []
    variances = [
        rate(larger) * (1 - rate(larger)) * larger.n / (larger.n - 1) * (1 / few.n - 1 / larger.n)
        for few, larger in pairs
    ]
    return variances, [larger.n for _, larger in pairs]
