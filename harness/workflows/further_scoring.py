"""The verdicts of a further scoring in two runs that are compared, and what to do where they lack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from harness.errors import Incomplete, UsageError
from harness.graders.model_judge import JUDGED
from harness.protocol import MODEL_JUDGE
from harness.storage.run_folder import TaskFolder
from harness.types import Grade, Verdict
from harness.workflows.second_opinion import judge_command

Pair = tuple[TaskFolder, TaskFolder]
"""One task in the base and in the new run."""


def lacks_none(scoring: str, grades: Iterable[Grade], pair: Pair, side: int) -> bool:
    """Check that a scoring has a verdict on every graded sample of one side.

    Args:
        scoring: its name.
        grades: of that side.
        pair: the task in both runs.
        side: 0 for the base, 1 for the new run.

    Returns:
        Whether it is another scoring than the task's own.

    Raises:
        UsageError: the task has no such scoring.
        Incomplete: some samples have no verdict under it.
    """
    folder = pair[side]
    if _grader(folder) == scoring:
        return False
    graded = lacking = 0
    for grade in grades:
        if grade.verdict is not Verdict.ERROR:
            graded += 1
            lacking += scoring not in grade.also
    advice = _advice(scoring, pair, side)
    begun = scoring == MODEL_JUDGE and folder.protocol().judge is not None
    if lacking == graded and not begun:
        raise UsageError(
            f"--scoring {scoring}: {folder.path} has no verdicts of that scoring{advice}"
        )
    if lacking:
        raise Incomplete(
            f"--scoring {scoring}: {lacking} of {graded} samples of {folder.path} have no verdict "
            f"of that scoring yet{advice}"
        )
    return True


def rescored(scoring: str, grades: Iterable[Grade]) -> Iterator[Grade]:
    """The grades with the verdicts of a scoring; internal errors stay what they are."""
    for grade in grades:
        yield replace(grade, verdict=Verdict(grade.also.get(scoring, grade.verdict)))


def lacks_opinions(pair: Pair) -> str | None:
    """What to do where one side of a comparison alone has a judge; None where both or neither has."""
    judges = [folder.protocol().judge for folder in pair]
    if judges.count(None) != 1:
        return None
    return _advice(MODEL_JUDGE, pair, judges.index(None))


def _advice(scoring: str, pair: Pair, side: int) -> str:
    """How one side comes to have the verdicts of a scoring, as the end of a sentence."""
    if scoring != MODEL_JUDGE:
        return ""
    own, other = pair[side], pair[1 - side]
    if _grader(own) not in JUDGED:
        return (
            "; a model is asked about the answers of the graders math and integer alone: name other "
            "tasks with --tasks"
        )
    run = own.path.parent
    judge = own.protocol().judge
    none = f"; {run} has no second opinion" if judge is None else ""
    return f"{none}; {judge_command(run, judge or other.protocol().judge)} asks for them"


def _grader(folder: TaskFolder) -> str:
    return folder.protocol().grader.partition("/")[0]
