"""Whether a text without a tag of reasoning is reasoning: what one model's completions tell. Pure.

A server's completion that the length cap cut inside the reasoning looks like a response where the
prompt opened the reasoning: it holds neither tag. The rendered prompt tells, or a completion does:

- one that ends reasoning which it did not open: the prompt opens it, and a text without a tag is
  reasoning;
- one that opens its reasoning itself: the prompt does not, and a text without a tag is a response;
- one whose reasoning the server sent in a field of its own, without a text, when the cap had cut it:
  this server splits cut reasoning off too, and what it sends as text is a response.
"""

from __future__ import annotations

from dataclasses import replace

from harness.data.reasoning import opening_tag
from harness.interfaces import Completion


class Opening:
    """What is known of a model behind a server; each completion may add to it.

    Args:
        rendered: whether its prompt ends inside open reasoning; None where nothing shows it.
        think_end: the tag that ends its reasoning.
    """

    def __init__(self, rendered: bool | None, think_end: str) -> None:
        self._rendered = rendered
        self._start, self._end = opening_tag(think_end), think_end
        self._closes = False  # a completion ended reasoning that it had not opened
        self._opens = False  # a completion opened its reasoning itself
        self._splits = self._splits_cut = False  # reasoning in a field; of a cut completion too

    @property
    def known(self) -> bool | None:
        """Whether a text without a tag is reasoning; None where nothing told so far.

        With a server that splits reasoning off, such a text is a response. Only one that the cap
        cut may be reasoning that the server has not recognised; `placed` moves it.
        """
        if self._splits:
            settled = self._splits_cut or self._opens or self._opened is not None
            return False if settled else None
        if self._opened is None:
            return False if self._opens else None
        return self._opened

    @property
    def _opened(self) -> bool | None:
        """Whether the prompt opens the reasoning."""
        return True if self._closes else self._rendered

    def observe(self, completion: Completion) -> None:
        """Learn from a completion."""
        text = completion.text
        if completion.reasoning is not None:
            self._splits = True
            self._splits_cut = self._splits_cut or (
                completion.finish_reason == "length" and not text.strip()
            )
            return
        before, ended, _ = text.partition(self._end)
        if ended and self._start not in before:
            self._closes = True
        elif text.lstrip().startswith(self._start):
            self._opens = True

    def placed(self, completion: Completion) -> Completion:
        """The completion, with a text that is reasoning cut off moved to where reasoning belongs.

        That is one of a server that splits finished reasoning off and sends cut reasoning as text.
        """
        moved = (
            self._splits
            and not self._splits_cut
            and bool(self._opened)
            and completion.reasoning is None
            and completion.finish_reason == "length"
            and not any(tag in completion.text for tag in (self._start, self._end))
        )
        return replace(completion, text="", reasoning=completion.text) if moved else completion
