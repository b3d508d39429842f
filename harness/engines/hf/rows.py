"""One sample among those that are drawn together: its tokens so far, and what they lead to. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.engines.budget import Reasoning, Tags
from harness.engines.hf.completion import Item
from harness.engines.repetition import LoopDetector


class Row:
    """Follows a sample token by token: whether it is over, and which token has to come next.

    Args:
        item: what was asked for.
        tags: how the model marks its reasoning.
        decode: text of token ids.
        generator: torch generator of a sample with a seed; None for the engine's.
    """

    def __init__(
        self,
        item: Item,
        tags: Tags,
        decode: Callable[[Sequence[int]], str],
        generator: Any = None,
    ) -> None:
        sampling = item.request.sampling
        self.item, self.generator = item, generator
        self.tokens: list[int] = []
        """Of the completion so far."""
        self.cut: int | None = None
        """Tokens at which the repetition guard cut; None as long as it has not."""
        self.started = time.monotonic()
        """When its first step began."""
        self._stopped = False
        self._decode = decode
        guard, budget = sampling.repetition_guard, sampling.reasoning_budget
        self._loops = None if guard is None else LoopDetector(guard)
        self._reasoning = None if budget is None else Reasoning(tags, budget)
        # A token holds a byte of a stop string or more; the first may begin inside a character.
        self._tail = 4 + max((len(stop.encode()) for stop in sampling.stop), default=0)
        self._forced_at, self._forced = -1, None  # type: int, int | None

    @property
    def over(self) -> bool:
        """Whether it ends here though neither an end token nor its cap says so."""
        return self._stopped or self.cut is not None

    def follow(self, completion: Sequence[int]) -> None:
        """Take in the tokens that were drawn since the last call.

        Args:
            completion: all tokens so far.
        """
        for token in completion[len(self.tokens) :]:
            self._add(token)

    def next_forced(self) -> int | None:
        """The token that has to come next; None where the model draws it."""
        if self._reasoning is not None and self._forced_at < len(self.tokens):
            self._forced_at, self._forced = len(self.tokens), self._reasoning.next_forced()
        return self._forced

    def _add(self, token: int) -> None:
        if self.over:
            return
        self.tokens.append(token)
        if self._loops is not None and self._loops.add(token):
            self.cut = len(self.tokens)
        if self._reasoning is not None:
            self._reasoning.add(token)
        if stops := self.item.request.sampling.stop:
            text = self._decode(self.tokens[-self._tail :])
            self._stopped = any(stop in text for stop in stops)
