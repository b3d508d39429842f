"""What is read of many samples and grades: some fields of a row, in a structure without bookkeeping.

A run may hold a million samples. Decoding these takes a third of the time that a whole noun takes, and
they are dropped as soon as they were counted.
"""

from __future__ import annotations

import msgspec

from harness.storage.rows import Index
from harness.types import FinishReason, Verdict


class KeyRow(msgspec.Struct, gc=False):
    """Of a sample, a grade or an error, whose it is."""

    problem_id: str
    index: Index

    @property
    def key(self) -> tuple[str, int]:
        """The unit of work: (problem id, index)."""
        return self.problem_id, self.index


class VerdictRow(KeyRow, gc=False):
    """Of a grade, whose it is and the verdict."""

    verdict: Verdict


class DecisionRow(VerdictRow):
    """Of a grade, what scores need: the verdicts and the extracted answer."""

    answer: str | None = None
    also: dict[str, str] = {}


class LengthRow(msgspec.Struct, gc=False):
    """Of a sample, how it ended and its tokens."""

    finish_reason: FinishReason
    n_tokens: int | None = None


class TokensRow(KeyRow, gc=False):
    """Of a sample, whose it is and its tokens."""

    n_tokens: int | None = None


class SampleRow(KeyRow, gc=False):
    """Of a sample, what plans and statistics need; named and meant as in `Sample`."""

    reasoning: str | None
    response: str | None
    finish_reason: FinishReason
    n_prompt_tokens: int | None = None
    n_reasoning_tokens: int | None = None
    n_tokens: int | None = None
    choice_order: tuple[int, ...] | None = None
    looped: bool = False
    cost: float | None = None

    @property
    def text(self) -> str:
        """Reasoning and response as one string, for comparing samples."""
        return (self.reasoning or "") + (self.response or "")
