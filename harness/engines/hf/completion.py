"""What both ways of batching share: a request with its tokens, and a completion from what was drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.engines.budget import Tags, count_reasoning
from harness.engines.chat import Chat
from harness.interfaces import Completion, Request
from harness.types import FinishReason


@dataclass(frozen=True, slots=True)
class Item:
    """A request, its prompt's token ids, and how many tokens its completion may have."""

    request: Request
    tokens: list[int]
    cap: int


@dataclass(frozen=True, slots=True)
class Completions:
    """Turns drawn tokens into completions.

    Args:
        chat: of the model.
        tags: how the model marks its reasoning.
        end_tokens: all tokens that end a completion; the first one also pads.
    """

    chat: Chat
    tags: Tags
    end_tokens: tuple[int, ...]

    def make(self, item: Item, drawn: Sequence[int], cut: int | None, seconds: float) -> Completion:
        """The text of drawn tokens up to their end, their cap or where the repetition guard cut them.

        Args:
            item: what was asked for.
            drawn: token ids; what follows the end is ignored.
            cut: tokens at which the guard cut; None where it did not.
            seconds: that the drawing took.
        """
        ends = [place for place, token in enumerate(drawn) if token in self.end_tokens]
        limit = item.cap if cut is None else min(cut, item.cap)
        n_tokens = min(ends[0] + 1 if ends else len(drawn), limit)
        ended = bool(ends) and ends[0] < limit
        tokens = drawn[: n_tokens - ended]
        text = self.chat.decode(tokens)
        places = [text.find(stop) for stop in item.request.sampling.stop if stop in text]
        if places:
            text, ended = text[: min(places)], True
        reason: FinishReason = "stop" if ended else "length"
        bounded = item.request.sampling.reasoning_budget is not None
        return Completion(
            text,
            reason,
            len(item.tokens),
            n_tokens,
            # The text in other tokens than those drawn may have a few more.
            count_reasoning(self.tags, tokens) if bounded else None,
            seconds=seconds,
            looped=not ended and n_tokens == cut,
        )
