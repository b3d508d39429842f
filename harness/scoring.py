"""From a task's grades to its scores, as written to scores.json. Pure.

{"exam": "9f..", "k": 64, "scoring": "integer", "complete": true, "pending": 0, "errors": 0,
"scores": [one `Score` a metric], "skipped": [{"metric", "why"}],
"truncated_share": 0.02, "duplicates": 0,
"tokens": {"prompt"|"thought"|"response"|"total": {"mean", "median", "max"} or null},
"breakdown", "range": see `harness.breakdown`,
"stopped": see `harness.workflows.rounds`, null where the number of samples was fixed}
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from harness.exam import Exam
from harness.metrics import tally_problem
from harness.parts import Grader, Metric
from harness.types import Grade, Sample, Score, Tally, Verdict
from harness.uncertainty import (
    Interval,
    mean,
    problems_error,
    problems_interval,
    sampling_error,
    sampling_interval,
)

_LONG = 200  # characters from which two equal samples are no coincidence


@dataclass(slots=True)
class SampleStatistics:
    """What scores need to know of the samples; fed one by one, because texts are large."""

    lengths: dict[str, list[int]] = field(
        default_factory=lambda: {"prompt": [], "thought": [], "response": [], "total": []}
    )
    n: int = 0
    capped: int = 0
    duplicates: int = 0
    _seen: set[tuple[str, int]] = field(default_factory=set)

    def add(self, sample: Sample) -> None:
        """Count one sample."""
        self.n += 1
        self.capped += sample.finish_reason == "length"
        total, thought = sample.n_tokens, sample.n_thought_tokens
        response = None if total is None or thought is None else total - thought
        counts = {"prompt": sample.n_prompt_tokens, "thought": thought, "total": total}
        for name, value in {**counts, "response": response}.items():
            if value is not None:
                self.lengths[name].append(value)
        text = sample.text
        if len(text) >= _LONG:
            mark = (sample.problem_id, hash(text))
            self.duplicates += mark in self._seen
            self._seen.add(mark)

    def tokens(self) -> dict[str, dict[str, float] | None]:
        """Mean, median and maximum of each kind of length; None where no engine counted."""
        return {
            name: {"mean": mean(values), "median": statistics.median(values), "max": max(values)}
            if values
            else None
            for name, values in self.lengths.items()
        }


def score_task(
    exam: Exam,
    k: int,
    grader: Grader,
    metrics: Sequence[Metric],
    grades: Iterable[Grade],
    failed: set[tuple[str, int]],
    samples: SampleStatistics,
) -> dict[str, Any]:
    """Everything that scores.json holds.

    Args:
        exam: whose problems count, also those without any grade.
        k: samples asked for per problem.
        grader: numbers the equivalence classes of answers for cons@k.
        metrics: those of the task; one that needs more samples than there are is skipped by name.
        grades: one a graded sample, in any order.
        failed: (problem id, index) of samples that ended in a fault of ours.
        samples: their lengths and duplicates.
    """
    name = str(getattr(grader, "scoring", grader.version.partition("/")[0]))
    by_problem: dict[str, dict[int, Grade]] = {id: {} for id in exam.problems}
    for grade in grades:
        if grade.verdict is not Verdict.ERROR and grade.problem_id in by_problem:
            by_problem[grade.problem_id][grade.index] = grade
    graded = {(id, index) for id, found in by_problem.items() for index in found}
    n_errors = len(failed - graded)
    pending = k * len(exam.problems) - len(graded) - n_errors
    scores: list[dict[str, Any]] = []
    skipped = []
    for scoring, found in {name: by_problem, **_further(by_problem)}.items():
        verdicts = Counter(str(grade.verdict) for row in found.values() for grade in row.values())
        verdicts[str(Verdict.ERROR)] += n_errors
        tallies = _tallies(found, grader, votes=any(metric.votes for metric in metrics))
        for metric in metrics:
            score = _score(metric, scoring, tallies, k, +verdicts)
            if isinstance(score, Score):
                scores.append(asdict(score))
            elif scoring == name:
                skipped.append({"metric": metric.name, "why": score})
    return {
        "exam": exam.hash,
        "k": k,
        "scoring": name,
        "complete": pending <= 0 and not n_errors,
        "pending": max(pending, 0),
        "errors": n_errors,
        "scores": scores,
        "skipped": skipped,
        "truncated_share": samples.capped / samples.n if samples.n else 0.0,
        "duplicates": samples.duplicates,
        "tokens": samples.tokens(),
    }


def _further(
    by_problem: Mapping[str, Mapping[int, Grade]],
) -> dict[str, dict[str, dict[int, Grade]]]:
    """The same grades with the verdicts of each further scoring, by its name."""
    names = {name for row in by_problem.values() for grade in row.values() for name in grade.also}
    return {
        name: {
            id: {index: replace(grade, verdict=Verdict(grade.also[name]))
                 for index, grade in row.items() if name in grade.also}
            for id, row in by_problem.items()
        }
        for name in sorted(names)
    }  # fmt: skip


def _tallies(
    by_problem: Mapping[str, Mapping[int, Grade]], grader: Grader, *, votes: bool
) -> list[Tally]:
    return [
        tally_problem(id, [found[index] for index in sorted(found)],
                      grader.classes if votes else None)
        for id, found in by_problem.items()
    ]  # fmt: skip


def _score(
    metric: Metric, scoring: str, tallies: Sequence[Tally], k: int, verdicts: Mapping[str, int]
) -> Score | str:
    """The score, or why there is none."""
    usable = [tally for tally in tallies if tally.n >= metric.k]
    if not usable:
        most = max((tally.n for tally in tallies), default=0)
        return f"needs {metric.k} samples a problem, there are {most}"
    values = [metric.value(tally) for tally in usable]
    variances = [metric.variance(tally) for tally in usable]
    trials = [tally.n // metric.k for tally in usable]
    return Score(
        metric=metric.name,
        scoring=scoring,
        value=mean(values),
        se_sampling=sampling_error(variances),
        se_problems=problems_error(values),
        n_problems=len(usable),
        n=sum(verdicts.values()),
        k=k,
        verdicts=dict(sorted(verdicts.items())),
        complete=all(tally.n >= k for tally in tallies),
        interval_sampling=_ends(sampling_interval(values, variances, trials)),
        interval_problems=_ends(problems_interval(values)),
    )


def _ends(interval: Interval | None) -> list[float] | None:
    """As JSON has it."""
    return None if interval is None else list(interval)
