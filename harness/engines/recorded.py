"""Replays published responses, so that they are graded and reported like our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import EngineError
from harness.interfaces import Completion, Fingerprint, Request
from harness.types import FinishReason


@dataclass(frozen=True, slots=True)
class Recording:
    """One published response, why it ended, and in which order the choices were shown, where known."""

    text: str
    finish_reason: FinishReason = "unknown"
    choice_order: tuple[int, ...] | None = None


class RecordedEngine:
    """Answers each request with the recording of its (problem id, index).

    Args:
        recordings: by (problem id, index).
        fingerprint: what is known about their origin.
    """

    def __init__(
        self, recordings: Mapping[tuple[str, int], Recording], fingerprint: Mapping[str, Any]
    ) -> None:
        self._recordings = recordings
        self._fingerprint = fingerprint

    @property
    def concurrency(self) -> int:
        """One: there is nothing to wait for."""
        return 1

    @property
    def opens_reasoning(self) -> bool:
        """False: a published text shows by itself whether it holds reasoning."""
        return False

    def fingerprint(self) -> Fingerprint:
        """Where the recordings came from."""
        return {"engine": "recorded", **self._fingerprint}

    def count_tokens(self, text: str) -> None:
        """Unknown: the model's tokenizer is not at hand."""
        return

    async def generate(self, request: Request) -> Completion:
        """The recording of this sample.

        Raises:
            EngineError: there is none.
        """
        found = self._recordings.get((request.problem_id, request.index))
        if found is None:
            raise EngineError(f"nothing is recorded for sample {request.index}")
        return Completion(found.text, found.finish_reason)

    async def close(self) -> None:
        """Nothing to free."""
