"""A model's tokenizer and chat template: prompts to token ids, token ids to text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.data.reasoning import opening_tag
from harness.engines.checkpoint import digest, load_tokenizer
from harness.errors import EngineDown, EngineError
from harness.types import Prompt


class Chat:
    """Applies the chat template once; the text that it renders already holds the start token.

    Args:
        model: folder or hub name of the tokenizer.
        revision: of a hub model.
        think_end: the tag that ends reasoning.

    Raises:
        DataError: the tokenizer cannot be loaded.
    """

    def __init__(self, model: str, revision: str | None, think_end: str) -> None:
        self._name = model
        # The k samples of a problem mostly come one after another with the same prompt.
        self._tokens = lru_cache(maxsize=256)(self._tokenize)
        self.tokenizer = load_tokenizer(model, revision)
        rendered = str(self._render(Prompt("x"), tokenize=False))
        self.opens_reasoning = rendered.rfind(opening_tag(think_end)) > rendered.rfind(think_end)
        """Whether the chat template ends inside open reasoning."""

    @property
    def template_hash(self) -> str | None:
        """Hash of the chat template, for a fingerprint; None where the model has none."""
        template = self.tokenizer.chat_template
        return digest(str(template).encode()) if template else None

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
        messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
        messages.append({"role": "user", "content": prompt.user})
        if self.tokenizer.chat_template is None:
            text = "\n\n".join(message["content"] for message in messages)
            return self.tokenizer(text)["input_ids"] if tokenize else text
        try:
            return self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, tokenize=tokenize, return_dict=False
            )
        except Exception as error:  # templates raise their own errors, on a system turn for one
            raise EngineDown(f"the chat template of {self._name} failed: {error}") from error


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
