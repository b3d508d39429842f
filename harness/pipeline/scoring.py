"""From a task's grades to its scores. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from types import MappingProxyType

from harness.graders.model_judge import ASKED
from harness.interfaces import Grader, Metric
from harness.protocol import MODEL_JUDGE, Protocol
from harness.stats.allocation import uniform
from harness.stats.clusters import clustered_error, clustered_interval
from harness.stats.decisions import Decision, Decisions
from harness.stats.intervals import (
    Interval,
    mean,
    sampling_error,
    sampling_interval,
    score_interval,
)
from harness.stats.metrics import tally_problem
from harness.stats.scores import (
    LengthSummary,
    SecondOpinions,
    SkippedMetric,
    TaskScores,
    TokenLengths,
)
from harness.stats.usage import UsageCounter
from harness.storage.projections import SampleRow
from harness.types import Sample, Score, Tally, Verdict

Counts = Mapping[str, Counter[Decision]]
"""By problem, the samples of each decision."""

_NONE_ALIKE: Mapping[str, Hashable] = MappingProxyType({})  # each problem is a cluster of its own
_LONG = 200  # characters from which two equal samples are no coincidence


@dataclass(slots=True)
class SampleStatistics:
    """What scores need to know of the samples; fed one by one, because texts are large."""

    lengths: dict[str, Counter[int]] = field(
        default_factory=lambda: {
            name: Counter() for name in ("prompt", "reasoning", "response", "total")
        }
    )
    n: int = 0
    capped: int = 0
    looped: int = 0
    usage: UsageCounter = field(default_factory=UsageCounter)
    _long: array[int] = field(default_factory=lambda: array("q"))  # hashes of the long texts

    def add(self, sample: Sample | SampleRow) -> None:
        """Count one sample."""
        self.n += 1
        self.capped += sample.finish_reason == "length"
        self.looped += sample.looped
        self.usage.add(sample)
        total, reasoning = sample.n_tokens, sample.n_reasoning_tokens
        lengths = self.lengths
        if sample.n_prompt_tokens is not None:
            lengths["prompt"][sample.n_prompt_tokens] += 1
        if reasoning is not None:
            lengths["reasoning"][reasoning] += 1
        if total is not None:
            lengths["total"][total] += 1
            if reasoning is not None:
                lengths["response"][total - reasoning] += 1
        text = sample.text
        if len(text) >= _LONG:
            self._long.append(hash((sample.problem_id, text)))

    @property
    def duplicates(self) -> int:
        """Samples whose long text another sample of the same problem has already."""
        import numpy as np

        hashes = np.array(self._long, dtype=np.int64)
        hashes.sort()  # in place: a run may have a million
        return int(np.count_nonzero(hashes[1:] == hashes[:-1]))

    def tokens(self) -> TokenLengths:
        """The lengths, summarised; None where no engine counted."""
        return TokenLengths(
            **{name: _summary(counts) for name, counts in self.lengths.items() if counts}
        )


def _summary(counts: Counter[int]) -> LengthSummary:
    """Of values, each with how often it occurs."""
    ordered, n = sorted(counts), counts.total()
    ends = list(accumulate(counts[value] for value in ordered))
    lower, upper = (ordered[bisect_right(ends, at)] for at in ((n - 1) // 2, n // 2))
    total = sum(value * times for value, times in counts.items())
    median = lower if n % 2 else (lower + upper) / 2
    return LengthSummary(total / n, median, ordered[-1])


def score_task(
    protocol: Protocol,
    k: int,
    grader: Grader,
    metrics: Sequence[Metric],
    *,
    decisions: Decisions,
    failed: set[tuple[str, int]],
    samples: SampleStatistics,
    asked: Mapping[str, int] | None = None,
    clusters: Mapping[str, Hashable] = _NONE_ALIKE,
) -> TaskScores:
    """The scores of a task, without its breakdown and what may have stopped its sampling.

    Args:
        protocol: whose problems count, also those without any grade.
        k: samples asked for per problem.
        grader: numbers the equivalence classes of answers for cons@k.
        metrics: those of the task; one that needs more samples than there are is skipped by name.
        decisions: on the graded samples.
        failed: (problem id, index) of samples that ended in an internal error.
        samples: their lengths and duplicates.
        asked: samples asked for by problem, where that is not k for each.
        clusters: by problem, the cluster that it belongs to; by default its own.
    """
    by_problem = decisions.counts
    lost = Counter(key[0] for key in failed if key not in decisions)
    wanted = uniform(by_problem, k) if asked is None else asked
    pending = _pending(by_problem, wanted, lost)
    unscored = sum(not row for row in by_problem.values())
    scores: list[Score] = []
    further, partial = _further(by_problem)
    opinions = _opinions(by_problem, wanted=protocol.judge is not None)
    skipped = _without_verdicts(partial, opinions)
    each = wanted if protocol.allocation else uniform(by_problem, k)
    for scoring, found in {grader.scoring: by_problem, **further}.items():
        verdicts, tallies = _counts(found, lost.total()), _tallies(found, grader, metrics)
        for metric in metrics:
            score = _score(metric, scoring, tallies, each, verdicts=verdicts, clusters=clusters)
            if isinstance(score, Score):
                scores.append(score)
            elif scoring == grader.scoring:
                skipped.append(SkippedMetric(metric.name, score))
    complete = not (pending or lost.total() or unscored)
    return TaskScores(
        protocol=protocol.hash,
        k=k,
        scoring=grader.scoring,
        complete=complete,
        pending=pending,
        errors=lost.total(),
        scores=tuple(replace(score, k=k, complete=complete) for score in scores),
        skipped=tuple(skipped),
        truncated_share=samples.capped / samples.n if samples.n else 0.0,
        looped=samples.looped,
        duplicates=samples.duplicates,
        tokens=samples.tokens(),
        opinions=opinions,
        unscored=unscored,
    )


def _pending(found: Counts, wanted: Mapping[str, int], lost: Mapping[str, int]) -> int:
    """A problem with more samples than were asked for makes up for none that has fewer."""
    return sum(
        max(0, wanted.get(id, 0) - row.total() - lost.get(id, 0)) for id, row in found.items()
    )


def _counts(found: Counts, errors: int) -> dict[str, int]:
    """Samples by verdict; what there is none of is left out."""
    verdicts: Counter[str] = Counter()
    for row in found.values():
        for decision, n in row.items():
            verdicts[str(decision.verdict)] += n
    verdicts[str(Verdict.ERROR)] += errors
    return +verdicts


def _further(by_problem: Counts) -> tuple[dict[str, dict[str, Counter[Decision]]], list[str]]:
    """The same decisions with the verdicts of each further scoring, by its name.

    And the names of those that left a sample undecided: a mean over the rest would be another one.
    """
    seen = {decision for row in by_problem.values() for decision in row}
    further: dict[str, dict[Decision, Decision]] = {}
    for decision in seen:
        for name, verdict in decision.also:
            further.setdefault(name, {})[decision] = replace(decision, verdict=Verdict(verdict))
    partial = sorted(name for name, other in further.items() if len(other) < len(seen))
    return {
        name: {id: _replaced(row, other) for id, row in by_problem.items()}
        for name, other in sorted(further.items())
        if name not in partial
    }, partial


def _replaced(row: Counter[Decision], other: Mapping[Decision, Decision]) -> Counter[Decision]:
    """The decisions with those that take their place, in the same order."""
    found: Counter[Decision] = Counter()
    for decision, n in row.items():
        found[other[decision]] += n
    return found


def _without_verdicts(
    partial: Iterable[str], opinions: SecondOpinions | None
) -> list[SkippedMetric]:
    """The further scorings that left a sample undecided, or of which nothing is known so far."""
    found = [
        SkippedMetric(name, "gives some samples no verdict")
        for name in partial
        if name != MODEL_JUDGE
    ]
    if opinions and opinions.missing:
        found.append(SkippedMetric(MODEL_JUDGE, f"has no score: {opinions.lacking}"))
    return found


def _opinions(by_problem: Counts, *, wanted: bool) -> SecondOpinions | None:
    """How the model's verdicts agree with the rule's; None where there are none and none is wanted."""
    counts: Counter[Decision] = Counter()
    for row in by_problem.values():
        counts.update(row)
    asked = no_opinion = missing = 0
    differ: Counter[str] = Counter()
    for decision, n in counts.items():
        opinion = dict(decision.also).get(MODEL_JUDGE)
        if opinion is None:
            missing += n
        if decision.verdict not in ASKED:
            continue
        asked += n
        if opinion == Verdict.UNDECIDED:
            no_opinion += n
        elif opinion is not None and opinion != decision.verdict:
            differ[f"{decision.verdict} -> {opinion}"] += n
    if missing == counts.total() and not wanted:
        return None
    return SecondOpinions(
        asked=asked, differ=dict(sorted(differ.items())), no_opinion=no_opinion, missing=missing
    )


def _tallies(by_problem: Counts, grader: Grader, metrics: Sequence[Metric]) -> dict[str, Tally]:
    classes = grader.classes if any(metric.votes for metric in metrics) else None
    return {
        id: tally_problem(list(found), classes, list(found.values()))
        for id, found in by_problem.items()
    }


def _score(
    metric: Metric,
    scoring: str,
    tallies: Mapping[str, Tally],
    planned: Mapping[str, int],
    *,
    verdicts: Mapping[str, int],
    clusters: Mapping[str, Hashable],
) -> Score | str:
    """The score, or why there is none; `planned` has the samples that each problem should have."""
    usable = {id: tally for id, tally in tallies.items() if tally.n >= metric.k}
    counts = [planned[id] for id in tallies]
    fewest, most = min(counts, default=0), max(counts, default=0)
    if usable and fewest < metric.k <= most:  # a mean over the problems that have more is another
        return f"needs {metric.k} samples per problem, there are {fewest} of some"
    if not usable:
        there = max((tally.n for tally in tallies.values()), default=0)
        return f"needs {metric.k} samples per problem, there are {there}"
    values = [metric.value(tally) for tally in usable.values()]
    variances = [metric.variance(tally) for tally in usable.values()]
    trials = [tally.n // metric.k for tally in usable.values()]
    groups = [clusters.get(id, id) for id in usable]
    return Score(
        metric=metric.name,
        scoring=scoring,
        value=mean(values),
        se_sampling=sampling_error(variances),
        se_problems=clustered_error(values, groups),
        n_problems=len(usable),
        n=sum(verdicts.values()),
        k=most,
        verdicts=dict(sorted(verdicts.items())),
        interval_sampling=_ends(
            score_interval(list(usable.values()))
            if metric.k == 1 and not metric.votes
            else sampling_interval(values, variances, trials)
        ),
        interval_problems=_ends(clustered_interval(values, groups)),
        of_problems=len(tallies),
        ragged=any(tally.n < planned[id] for id, tally in tallies.items()),
        n_range=(fewest, most) if fewest < most else None,
    )


def _ends(interval: Interval | None) -> tuple[float, float] | None:
    return None if interval is None else (interval.low, interval.high)
