"""From a verdict to a grade, and a grader under other settings: what all graders share."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, cast

from harness.interfaces import ExtractsAnswers, Grader, RunsPrograms
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


def with_settings(
    grader: Grader,
    *,
    extract: str | None = None,
    scoring: str | None = None,
    unsafe: bool = False,
) -> Grader:
    """The grader under the settings of a run; what does not concern it is left out.

    Args:
        grader: a frozen dataclass.
        extract: where an answer may stand, for `ExtractsAnswers`; None keeps the grader's own.
        scoring: how programs are run, for `RunsPrograms`; None keeps the grader's own.
        unsafe: run programs without a sandbox.
    """
    changes: dict[str, Any] = {}
    if extract is not None and isinstance(grader, ExtractsAnswers):
        changes["extract"] = extract
    if isinstance(grader, RunsPrograms):
        if scoring is not None:
            changes |= {"scoring": scoring, "also": ()}
        if unsafe:
            changes["unsafe"] = True
    return cast(Grader, replace(cast(Any, grader), **changes)) if changes else grader
