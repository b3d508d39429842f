"""A completion under a reasoning budget, drawn in pieces: vLLM continues what it has drawn so far. Pure.

    prompt                                         -> at most N tokens of reasoning
    prompt, these tokens, the tag that ends it     -> the response

vLLM's own `thinking_token_budget` would need one request, and is not used. It has to be told the tags
when the engine starts, counts what the template writes after the opening tag, knows an end tag only
in the tokens that it would write itself, and looks for the tags in the whole completion before each
token: for 40 sequences of 3,000 tokens that takes as long as half of the step. The prefix cache holds
what the pieces share.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.engines.budget import Reasoning, Tags
from harness.engines.repetition import LONGEST, LoopDetector


class Pieces:
    """The tokens of one completion so far, and how many more may be drawn at once.

    Args:
        tags: of the model.
        budget: most tokens of reasoning.
        cap: tokens that the completion may have.
    """

    def __init__(self, tags: Tags, budget: int, cap: int) -> None:
        self.tokens: list[int] = []
        self._reasoning = Reasoning(tags, budget)
        # A model that opens its reasoning itself does so first of all.
        self._first = budget if tags.opened else budget + tags.longest
        self._cap = cap
        self._joints: list[int] = []  # numbers of tokens after which a piece ended

    @property
    def n_reasoning(self) -> int | None:
        """Tokens of reasoning; None where there was none."""
        return self._reasoning.n_tokens

    @property
    def number(self) -> int:
        """How many pieces there are."""
        return len(self._joints)

    @property
    def due(self) -> int:
        """Tokens that the next piece may have; 0 when the cap is reached."""
        left = self._cap - len(self.tokens)
        return left if self._joints else min(self._first, left)

    def add(self, drawn: Sequence[int], *, ended: bool) -> bool:
        """Add a piece, up to where its reasoning has used up the budget; there the end tag follows.

        Args:
            drawn: its tokens, without one that ended it.
            ended: whether it ended by itself, and not because it had as many tokens as it may.

        Returns:
            Whether the completion has ended as the piece did.
        """
        whole = True
        for token in drawn:
            if whole := not self._end_reasoning():
                self._reasoning.add(token)
                self.tokens.append(token)
            else:
                break
        over = whole and ended
        if whole and not over:
            self._end_reasoning()
        del self.tokens[self._cap :]
        self._joints.append(len(self.tokens))
        return over

    def loop(self, guard: int) -> int | None:
        """Tokens up to the end of a loop that began in one piece and went on in the next, if any.

        Args:
            guard: repeats that make a loop.
        """
        reach = guard * LONGEST  # a longer loop lies in one piece, where vLLM finds it
        for joint in self._joints[:-1]:
            detector, start = LoopDetector(guard), max(0, joint - reach)
            for place, token in enumerate(self.tokens[start : joint + reach], start + 1):
                if detector.add(token):
                    return place
        return None

    def _end_reasoning(self) -> bool:
        """Append the end tag where it is due."""
        began = len(self.tokens)
        while (token := self._reasoning.next_forced()) is not None:
            self._reasoning.add(token)
            self.tokens.append(token)
        return len(self.tokens) > began
