"""A run's score over a part of its problems, such as the easy ones. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from harness.protocol import narrowed
from harness.reports.results import Result
from harness.stats.breakdown import PROPERTIES
from harness.stats.clusters import clustered_error, clustered_interval, clusters_of
from harness.stats.intervals import mean, sampling_error, score_interval
from harness.stats.metrics import pass_at
from harness.stats.scores import TaskScores
from harness.types import Problem, Score, Tally

_PASS = pass_at(1)


def part_of(result: Result, subset: Sequence[tuple[str, str]]) -> Result | None:
    """One task of a run as if it had only the problems with these properties.

    Its scores are pass@1 alone. None where no problem has the properties, or some do not say.

    Args:
        result: the task of a run.
        subset: properties of `harness.stats.breakdown` and their values, in any case.
    """
    inside = {id: problem for id, problem in result.problems.items() if _holds(problem, subset)}
    unsaid = [
        p for p in result.problems.values() for name, _ in subset if PROPERTIES[name](p) is None
    ]
    if not inside or unsaid:
        return None
    found = replace(
        result,
        problems=inside,
        protocol=narrowed(result.protocol, inside),
        rates={id: rate for id, rate in result.rates.items() if id in inside},
        graded=result.graded and result.graded.among(inside),
    )
    scored = result.scored
    return replace(found, scored=None if scored is None else _scored(found, scored))


def _holds(problem: Problem, subset: Sequence[tuple[str, str]]) -> bool:
    return all(
        str(PROPERTIES[name](problem)).casefold() == value.casefold() for name, value in subset
    )


def _scored(part: Result, whole: TaskScores) -> TaskScores:
    """The scores of the whole with pass@1 of the part in their place."""
    tallies = {id: Tally(rate.graded, rate.correct) for id, rate in part.rates.items()}
    if not tallies:
        return replace(whole, scores=())
    values = [_PASS.value(tally) for tally in tallies.values()]
    clusters = clusters_of(part.problems.values())
    groups = [clusters[id] for id in tallies]
    verdicts = part.graded.verdict_counts() if part.graded else Counter[str]()
    asked = part.asked
    sampling = score_interval(list(tallies.values()))
    over_problems = clustered_interval(values, groups)
    fewest, most = min(asked.values()), max(asked.values())
    score = Score(
        metric="pass@1",
        scoring=whole.scoring,
        value=mean(values),
        se_sampling=sampling_error([_PASS.variance(tally) for tally in tallies.values()]),
        se_problems=clustered_error(values, groups),
        n_problems=len(tallies),
        n=verdicts.total(),
        k=most,
        verdicts=dict(sorted(verdicts.items())),
        complete=whole.complete,
        interval_sampling=sampling and (sampling.low, sampling.high),
        interval_problems=over_problems and (over_problems.low, over_problems.high),
        of_problems=len(part.problems),
        ragged=any(tally.n < asked[id] for id, tally in tallies.items()),
        n_range=(fewest, most) if fewest < most else None,
    )
    return replace(whole, scores=(score,))
