"""What the practice model is taught: a problem together with a completion that solves it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.types import Problem


@dataclass(frozen=True, slots=True)
class Lesson:
    """A problem and a right completion; `order` is how the choices are shown, where there are any.

    The problem has no id yet, and its `meta["kind"]` says which kind of its family it is.
    """

    problem: Problem
    reasoning: str
    response: str
    order: tuple[int, ...] | None = None
