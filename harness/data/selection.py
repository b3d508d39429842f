"""Which problems of a task are asked: a window of months, published errata, what can be judged. Pure.

It goes by a problem's `provenance` (date, erratum) and `judging` (why it cannot be judged here).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from harness.errors import UsageError
from harness.types import Problem

_WINDOW = re.compile(r"(\d{4}-(?:0[1-9]|1[0-2]))\.\.(\d{4}-(?:0[1-9]|1[0-2]))")


@dataclass(frozen=True, slots=True)
class Window:
    """Whole months, both included, written 2024-08..2025-01."""

    first: str
    last: str

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read a window as `--window` takes it.

        Raises:
            UsageError: it is not of that form, or its months are in the wrong order.
        """
        found = _WINDOW.fullmatch(text)
        if not found:
            raise UsageError(f"--window {text!r}: the form must be 2024-08..2025-01, two months")
        if found[1] > found[2]:
            raise UsageError(f"--window {text}: {found[1]} is after {found[2]}; swap them")
        return cls(found[1], found[2])

    def __str__(self) -> str:
        return f"{self.first}..{self.last}"

    def holds(self, problem: Problem) -> bool:
        """Whether the problem's month lies in the window.

        Raises:
            UsageError: the problem has no date.
        """
        month = problem.provenance.month
        if month is None:
            raise UsageError(
                f"--window {self}: problem {problem.id!r} has no contest date; leave its task out, "
                "or give it a run of its own"
            )
        return self.first <= month <= self.last


@dataclass(frozen=True, slots=True)
class Selection:
    """Which problems are asked; the default leaves out only what cannot be judged."""

    window: Window | None = None
    skip_errata: bool = False

    def leaves_out(self, problem: Problem) -> str | None:
        """Why a problem is not asked; None where it is."""
        if self.window is not None and not self.window.holds(problem):
            return f"outside {self.window}"
        if problem.judging.not_judged:
            return f"not judged ({problem.judging.not_judged})"
        if self.skip_errata and problem.provenance.erratum:
            return "in the published errata"
        return None


def in_words(left_out: Mapping[str, int]) -> str:
    """The problems left out, for a message: "602 outside 2024-08..2025-01, 2 not judged (interactive)"."""
    return ", ".join(f"{count} {reason}" for reason, count in left_out.items())
