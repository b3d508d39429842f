"""From a verdict to a grade: what all graders share."""

from __future__ import annotations

import time
from typing import Any

from harness.types import Grade, Problem, Sample, Verdict


def no_answer(sample: Sample) -> Verdict:
    """The verdict of a response that states no answer: truncated if the length cap was hit."""
    return Verdict.TRUNCATED if sample.finish_reason == "length" else Verdict.NO_ANSWER


def make_grade(
    problem: Problem,
    sample: Sample,
    verdict: Verdict,
    *,
    answer: str | None,
    stage: str,
    started: float,
    version: str,
) -> Grade:
    """A grade, with the time that it took.

    Args:
        problem: the problem.
        sample: the sample that was graded.
        verdict: how it ended.
        answer: the extracted answer, if there is one.
        stage: what settled the verdict; `Grade.detail`.
        started: when grading began, by `time.perf_counter`, in seconds.
        version: of the grader.
    """
    return Grade(
        problem_id=problem.id,
        index=sample.index,
        verdict=verdict,
        answer=answer,
        detail=stage,
        seconds=time.perf_counter() - started,
        grader=version,
    )


def check_ready(grader: Any) -> None:
    """Check that what a grader needs is there (a sandbox, a package), before anything is sampled."""
    if hasattr(grader, "ready"):
        grader.ready()
