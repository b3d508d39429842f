"""The effect of one changed setting on a task's score, against a base on the same problems. Pure.

What is computed from the base's own samples is paired sample by sample, which is far sharper than
two sets of draws: only samples whose verdict changes count. A smaller k is nested in the larger
one, so that only the samples beyond it are new.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
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
from harness.stats.metrics import last_grades, tallies, verdict_of
from harness.stats.paired_test import Difference, compare
from harness.stats.student import satterthwaite, student
from harness.types import Grade, Sample, Tally, Verdict

Source = Literal["base", "sampled", "stored"]
"""The base itself, samples drawn for this value, or computed from the base's stored samples."""

Pairing = Literal["problems", "samples", "nested"]
"""What two sets of outcomes share: the problems; also each sample; or the smaller's samples."""


@dataclass(frozen=True, slots=True)
class SampleOutcome:
    """How one sample ended and how long it was; `capped` when the length cap stopped it."""

    problem_id: str
    index: int
    verdict: Verdict
    n_tokens: int | None
    n_reasoning_tokens: int | None
    capped: bool

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One value of one factor on one task: pass@1, and its difference to the base.

    Shares lie between 0 and 1. `difference` is None for the base itself; intervals are 95 % and,
    like errors, None where they cannot be estimated. `k` is the samples asked for per problem, `n`
    those graded, `errors` those without a grade. `cut_responses` counts the samples that a lower
    cap ends inside their response although the whole response was right: they count as truncated,
    and some may state their answer before the cut.
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
    errors: int
    cut_responses: int = 0
    difference: float | None = None
    difference_se_sampling: float | None = None
    difference_se_problems: float | None = None
    difference_interval_sampling: Interval | None = None
    difference_interval_problems: Interval | None = None

    def to_json(self) -> dict[str, object]:
        """All fields by name; an interval is the pair of its ends."""
        return {
            name: list(value) if isinstance(value, Interval) else value
            for name in self.__dataclass_fields__
            for value in (getattr(self, name),)
        }


def outcomes(
    samples: Iterable[Sample], grades: Iterable[Grade], *, k: int | None = None
) -> list[SampleOutcome]:
    """Join samples with their grades; a sample without a grade ended in `error`.

    Args:
        samples: in any order.
        grades: of these samples.
        k: only the first k samples of each problem.
    """
    verdicts = last_grades(grades, verdict_of)
    return [
        SampleOutcome(
            sample.problem_id,
            sample.index,
            verdicts.get(sample.problem_id, {}).get(sample.index, Verdict.ERROR),
            sample.n_tokens,
            sample.n_reasoning_tokens,
            sample.finish_reason == "length",
        )
        for sample in samples
        if k is None or sample.index < k
    ]


def first(found: Iterable[SampleOutcome], k: int) -> list[SampleOutcome]:
    """The first k samples of each problem."""
    return [outcome for outcome in found if outcome.index < k]


def capped(found: Iterable[SampleOutcome], cap: int) -> list[SampleOutcome]:
    """The outcomes under a lower length cap: a longer sample is truncated at it.

    A sample longer than the cap counts as truncated wherever the cut falls. That is exact inside
    reasoning, and on the safe side inside a response; `cut_responses` counts the latter.

    Raises:
        DataError: a sample without a token count.
    """
    result = []
    for outcome in found:
        if outcome.n_tokens is None:
            raise DataError(
                f"sample {outcome.index} of problem {outcome.problem_id} has no token count, "
                "without which a lower cap cannot be computed; use an engine that counts tokens"
            )
        if outcome.n_tokens > cap:
            verdict = Verdict.TRUNCATED if outcome.verdict is not Verdict.ERROR else Verdict.ERROR
            reasoning = outcome.n_reasoning_tokens
            outcome = replace(
                outcome,
                verdict=verdict,
                n_tokens=cap,
                n_reasoning_tokens=None if reasoning is None else min(reasoning, cap),
                capped=True,
            )
        result.append(outcome)
    return result


def cut_responses(found: Iterable[SampleOutcome], cap: int) -> int:
    """How many right samples a cap cuts after their reasoning, where the answer may already be."""
    return sum(
        outcome.verdict is Verdict.CORRECT
        and (outcome.n_reasoning_tokens or 0) < cap < (outcome.n_tokens or 0)
        for outcome in found
    )


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
    )


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


def _changes(
    base: Sequence[SampleOutcome], new: Sequence[SampleOutcome]
) -> tuple[list[float], list[int]]:
    """Per problem, the variance of its mean change per sample, and its samples; empty for one."""
    verdicts = {outcome.key: outcome.verdict is Verdict.CORRECT for outcome in base}
    changes: dict[str, list[int]] = {}
    for outcome in new:
        change = (outcome.verdict is Verdict.CORRECT) - verdicts[outcome.key]
        changes.setdefault(outcome.problem_id, []).append(change)
    trials = [len(row) for row in changes.values()]
    if min(trials) < 2:
        return [], []
    return [variance_of_mean(row) for row in changes.values()], trials


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
