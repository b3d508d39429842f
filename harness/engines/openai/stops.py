"""Cuts completions at the run's stop strings, where a server has left them in the text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.interfaces import Completion


def cut_at_stop(completion: Completion, stop: Sequence[str]) -> Completion:
    """The completion up to its first stop string, which is no part of it.

    `transformers serve` leaves the string in the text, and with continuous batching goes on behind
    it. Tokens are those that were drawn.

    Args:
        completion: as the server sent it.
        stop: the stop strings of the run.
    """
    if completion.reasoning is not None and (cut := _cut(completion.reasoning, stop)) is not None:
        return replace(completion, reasoning=cut, text="", finish_reason="stop", looped=False)
    cut = _cut(completion.text, stop)
    if cut is None:
        return completion
    return replace(completion, text=cut, finish_reason="stop", looped=False)


def _cut(text: str, stop: Sequence[str]) -> str | None:
    """The text before the first of the strings; None where it holds none."""
    places = [place for word in stop if word and (place := text.find(word)) >= 0]
    return text[: min(places)] if places else None
