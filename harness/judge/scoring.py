"""The scorings of programs: how a program is run. Pure."""

from __future__ import annotations

from typing import Literal, get_args

Scoring = Literal["process", "lcb-official", "lcb-official-2025-05"]
"""As a process, or as LiveCodeBench's runner does; a name keeps its meaning for stored runs.

lcb-official           the runner of January 2025, which the numbers of the R1 paper's time used
lcb-official-2025-05   the runner as of its newest commit, which gives standard input a buffer
"""

SCORINGS: tuple[Scoring, ...] = get_args(Scoring)


def refusal(scoring: Scoring, language: str) -> str | None:
    """Why a program in a language is not run under a scoring; None where it is.

    Args:
        scoring: how it was to be run.
        language: what it is written in.
    """
    if scoring == "process" or language == "python":
        return None
    return (
        f"--scoring {scoring}: LiveCodeBench's runner runs Python programs alone, and this one is "
        f"{language}; use --scoring process"
    )


def scoring_of(version: str) -> Scoring:
    """The scoring that the version of a grader of programs names."""
    marks = version.split("+")
    return next((name for name in SCORINGS if name in marks), "process")
