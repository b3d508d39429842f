"""A model's tokenizer and chat template: prompts to token ids, token ids to text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.engines.budget import Tags, prompt_reasoning
from harness.engines.checkpoint import digest, load_tokenizer
from harness.engines.effort import VARIABLE, EffortRefused, check_effort
from harness.errors import EngineDown, EngineError, UsageError
from harness.types import Prompt, Thinking


class Chat:
    """Applies the chat template once; the text that it renders already holds the start token.

    Args:
        model: folder or hub name of the tokenizer.
        revision: of a hub model.
        think_end: the tag that ends reasoning.
        effort: how hard the template asks the model to reason; None leaves that to the template.

    Raises:
        DataError: the tokenizer cannot be loaded.
        UsageError: the template does not know the effort.
    """

    def __init__(
        self, model: str, revision: str | None, think_end: str, *, effort: str | None = None
    ) -> None:
        self._name, self._think_end, self._effort = model, think_end, effort
        # The k samples of a problem mostly come one after another with the same prompt.
        self._tokens = lru_cache(maxsize=256)(self._tokenize)
        self.tokenizer = load_tokenizer(model, revision)
        if effort is not None:
            self.check_effort(effort)
        self._rendered = str(self._render(Prompt("x"), tokenize=False))
        self.opens_reasoning = prompt_reasoning(self._rendered, think_end) is not None
        """Whether the chat template ends inside open reasoning."""

    @property
    def template_hash(self) -> str | None:
        """Hash of the chat template, for a fingerprint; None where the model has none."""
        template = self.tokenizer.chat_template
        return digest(str(template).encode()) if template else None

    @property
    def n_opened(self) -> int:
        """Tokens of the prompt after the tag that opens reasoning there; 0 where none does."""
        opened = prompt_reasoning(self._rendered, self._think_end)
        return self.count(opened) if opened else 0

    def check_effort(self, effort: str) -> None:
        """Check that the chat template knows an effort.

        Raises:
            UsageError: it does not.
        """
        try:
            check_effort(
                effort,
                self.tokenizer.chat_template and str(self.tokenizer.chat_template),
                lambda asked: self._apply(Prompt("x"), asked, tokenize=False),
            )
        except EffortRefused as refused:
            raise UsageError(
                f"--effort {effort}: {self._name}: {refused}; leave --effort out"
            ) from refused

    def tags(self, thinking: Thinking) -> Tags:
        """How the model marks its reasoning.

        Args:
            thinking: whether the model reasons; with "yes" a completion is reasoning from its start.
        """
        tokens = self.tokenizer(self._think_end, add_special_tokens=False)["input_ids"]
        opened = self.opens_reasoning or thinking == "yes"
        return Tags(self._think_end, tuple(tokens), opened, self.decode)

    def check_bounded(self, thinking: Thinking) -> None:
        """Check that a reasoning budget has an effect on the model.

        Args:
            thinking: whether the model reasons.

        Raises:
            UsageError: nothing says that it reasons, or its tokenizer cannot write the end tag.
        """
        end, name = self._think_end, self._name
        if self._rendered.rstrip().endswith(end):
            raise UsageError(
                f"--reasoning-budget: the chat template of {name} ends the reasoning before it "
                "begins, so there is none to bound; leave the budget out"
            )
        known = end in str(self.tokenizer.chat_template) or end in self.tokenizer.get_vocab()
        if not (self.opens_reasoning or thinking == "yes" or known):
            raise UsageError(
                f"--reasoning-budget: neither chat template nor vocabulary of {name} has {end}, so "
                "nothing says that it reasons; name the tag that ends its reasoning with "
                "--think-end, say --thinking yes, or leave the budget out"
            )
        written = self.decode(self.tags(thinking).end_tokens)
        if end not in written:
            raise UsageError(
                f"--reasoning-budget: the tokenizer of {name} has no tokens for {end}, the tag that "
                f"would end its reasoning: it writes {written!r}"
            )

    def tokens(self, prompt: Prompt) -> list[int]:
        """The token ids of a prompt.

        Raises:
            EngineDown: the chat template fails on it.
        """
        return list(self._tokens(prompt))

    def count(self, text: str) -> int:
        """Tokens of a text, without special ones."""
        return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of token ids; special tokens stay, for </think> may be one."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=False))

    def _tokenize(self, prompt: Prompt) -> tuple[int, ...]:
        return tuple(int(token) for token in self._render(prompt, tokenize=True))

    def _render(self, prompt: Prompt, *, tokenize: bool) -> Any:
        try:
            return self._apply(prompt, self._effort, tokenize=tokenize)
        except Exception as error:  # templates raise their own errors, on a system turn for one
            raise EngineDown(f"the chat template of {self._name} failed: {error}") from error

    def _apply(self, prompt: Prompt, effort: str | None, *, tokenize: bool) -> Any:
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        if self.tokenizer.chat_template is None:
            text = "\n\n".join(message["content"] for message in messages)
            return self.tokenizer(text)["input_ids"] if tokenize else text
        variables = {} if effort is None else {VARIABLE: effort}
        return self.tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=tokenize, return_dict=False, **variables
        )


def length_cap(n_prompt: int, max_tokens: int | None, context: int) -> int:
    """Tokens that a completion may have: the cap, or what the context leaves beside the prompt.

    Args:
        n_prompt: tokens of the prompt.
        max_tokens: the cap that was asked for; None for what the context leaves.
        context: tokens of prompt and completion together.

    Raises:
        EngineError: the prompt leaves no room.
    """
    cap = min(max_tokens or context, context - n_prompt)
    if cap < 1:
        raise EngineError(
            f"the prompt has {n_prompt} tokens and the model's context {context}: "
            "no room for a completion"
        )
    return cap
