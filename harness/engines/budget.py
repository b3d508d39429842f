"""The reasoning budget: which tokens count, how reasoning ends, what a sample records. Pure.

After N tokens of reasoning the tag that ends it is drawn by force, as vLLM's `thinking_token_budget`
does, and the model continues from there with the rest of its cap. Only the tag is forced: the blank
lines that most models write after it are their own most likely next tokens.

Reasoning is what is drawn after the opening tag, or from the start where the prompt ends inside
open reasoning, and before the end tag; the tags count as tokens of the completion alone. Only
the first reasoning of a completion is bounded: what follows its end is response.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from harness.data.reasoning import opening_tag
from harness.errors import EngineDown


@dataclass(frozen=True, slots=True)
class Tags:
    """How a model marks its reasoning.

    Args:
        end: the text that ends it.
        end_tokens: token ids of that text, which are forced where the budget is used up.
        opened: whether a completion begins inside open reasoning.
        decode: text of token ids, special tokens included.
    """

    end: str
    end_tokens: tuple[int, ...]
    opened: bool
    decode: Callable[[Sequence[int]], str]
    _closers: dict[int, bool] = field(default_factory=dict, repr=False, compare=False)

    @property
    def start(self) -> str:
        """The text that opens reasoning."""
        return opening_tag(self.end)

    @property
    def longest(self) -> int:
        """Tokens that a tag may have: every token holds a byte of it."""
        return max(len(self.start.encode()), len(self.end.encode()))

    @property
    def forced(self) -> str:
        """How a budget ends reasoning here, as `reasoning_budget` in a fingerprint."""
        return f"{self.end} forced at the budget, then the response drawn"

    def may_close(self, token: int) -> bool:
        """Whether a token may hold the last character of a tag."""
        if token not in self._closers:
            text = self.decode([token])
            self._closers[token] = self.start[-1] in text or self.end[-1] in text
        return self._closers[token]

    def tail(self, tokens: Sequence[int], tag: str) -> int:
        """Tokens at the end that hold a tag; 0 where they hold none.

        A tag is looked for in the text, where the sample is split too: models write one text in
        different tokens.
        """
        if tag not in self.decode(tokens):
            return 0
        return next(
            n for n in range(1, len(tokens) + 1) if tag in self.decode(tokens[len(tokens) - n :])
        )


class Reasoning:
    """Follows one completion token by token: how long its reasoning is, and when it has to end.

    Args:
        tags: of the model.
        budget: most tokens of reasoning; None only counts.
    """

    def __init__(self, tags: Tags, budget: int | None = None) -> None:
        self._tags, self._budget = tags, budget
        self._open, self._ended = tags.opened, False
        self._n = 0  # tokens since the opening tag, or since the start without one
        self._last: deque[int] = deque(maxlen=tags.longest)
        self._forced: deque[int] | None = None  # what is left of the end tag, once it is due

    @property
    def n_tokens(self) -> int | None:
        """Tokens of reasoning so far; None where there was none."""
        return self._n if self._open or self._ended else None

    def add(self, token: int) -> None:
        """Count one more token of the completion."""
        if self._ended:
            return
        self._n += 1
        self._last.append(token)
        if not self._tags.may_close(token):
            return
        last = list(self._last)
        if found := self._tags.tail(last, self._tags.end):
            self._n, self._ended = self._n - found, True
        elif not self._open and self._tags.tail(last, self._tags.start):
            self._n, self._open = 0, True
            self._last.clear()

    def next_forced(self) -> int | None:
        """The token that has to come next; None where the model draws it."""
        if self._ended or not self._open or self._budget is None:
            return None
        if self._forced is None:
            if self._n < self._budget:
                return None
            self._forced = deque(self._tags.end_tokens[self._begun() :])
        return self._forced.popleft() if self._forced else None

    def _begun(self) -> int:
        """Tokens of the end tag that the model has just drawn by itself."""
        end, last = self._tags.end_tokens, tuple(self._last)
        return next((n for n in range(len(end) - 1, 0, -1) if last[-n:] == end[:n]), 0)


def count_reasoning(tags: Tags, tokens: Iterable[int]) -> int | None:
    """Tokens of reasoning in a completion; None where it has none.

    Args:
        tags: of the model.
        tokens: of the completion, without the one that ended it.
    """
    reasoning = Reasoning(tags)
    for token in tokens:
        reasoning.add(token)
    return reasoning.n_tokens


def check_kept(where: str, end: str, budget: int | None, n_reasoning: int | None) -> None:
    """Check that a sample's reasoning is within its budget.

    It is not where a model ends reasoning that neither it nor its prompt has opened: nothing told
    that its first tokens are reasoning until the end tag came.

    Args:
        where: the model.
        end: the tag that ends its reasoning.
        budget: most tokens of it; None for no budget.
        n_reasoning: those of the sample; None where it has none.

    Raises:
        EngineDown: it has more.
    """
    if budget is not None and n_reasoning is not None and n_reasoning > budget:
        raise EngineDown(
            f"--reasoning-budget {budget}: {where} ended {n_reasoning} tokens of reasoning with {end} "
            "and no opening tag; with --thinking yes, in another -o folder, it counts from the first "
            "token"
        )


def prompt_reasoning(prompt: str, end: str) -> str | None:
    """What a rendered prompt holds after the tag that opens reasoning; None where it opens none.

    Most templates put a line break there. vLLM counts it against `thinking_token_budget`, so its
    tokens are added to the budget that is sent.

    Args:
        prompt: as rendered.
        end: the tag that ends reasoning.
    """
    start = opening_tag(end)
    place = prompt.rfind(start)
    return None if place <= prompt.rfind(end) else prompt[place + len(start) :]
