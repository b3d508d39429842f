"""What a server shows of the prompt that its chat template renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.budget import prompt_reasoning
from harness.engines.effort import VARIABLE
from harness.engines.openai.models import optional_exchange
from harness.errors import HarnessError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.chat import Chat
    from harness.engines.openai.address import Address
    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings


def _is_here(model: str) -> bool:
    """Whether a model's tokenizer is on this machine."""
    name = "tokenizer_config.json"
    if Path(model).is_dir():
        return (Path(model) / name).is_file()
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(model, name), str)
    except ValueError:  # not a name of the hub
        return False


@dataclass(frozen=True, slots=True)
class Rendering:
    """The prompt as one server renders it.

    Args:
        session: the connections.
        address: of the server.
        model: the name that it knows the model by.
        settings: of the engine.
        options: of the engine.
    """

    session: ClientSession
    address: Address
    model: str
    settings: EngineSettings
    options: Options

    async def opening(self) -> tuple[bool | None, int]:
        """Whether the prompt opens reasoning (None: nothing shows it), and with how many tokens.

        The number is that of a server which shows its tokens, 0 elsewhere.
        """
        prompt = await self.prompt() or self.local_prompt()
        if prompt is None:
            return None, 0
        opened = prompt_reasoning(prompt, self.settings.think_end)
        if not opened or self.settings.reasoning_budget is None:
            return opened is not None, 0
        plain = {"prompt": opened, "add_special_tokens": False}
        return True, len(await self.tokenize(plain) or ())

    async def prompt(self) -> str | None:
        """A short prompt as the server renders it; None where it does not show one.

        vLLM and what is built on it (Ray Serve LLM) give its tokens and their text, llama.cpp the
        text.
        """
        effort = self.settings.effort
        if tokens := await self.tokens(effort):
            body = {"model": self.model, "tokens": tokens}
            found = await self._ask("/detokenize", body, "prompt")
        else:
            found = await self._ask("/apply-template", self._conversation(effort), "prompt")
        return found if isinstance(found, str) else None

    def local_prompt(self) -> str | None:
        """A short prompt by the chat template of a model that is on this machine; None without.

        The model is a folder, or in the cache of the hub: nothing is downloaded.
        """
        model = self.settings.model
        if not _is_here(model):
            return None
        body = self._conversation(self.settings.effort)
        try:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
            if tokenizer.chat_template is None:
                return None
            return str(
                tokenizer.apply_chat_template(
                    body["messages"],
                    add_generation_prompt=True,
                    tokenize=False,
                    **body.get("chat_template_kwargs", {}),
                )
            )
        except Exception:  # without transformers, or whatever a template raises: nothing is known
            return None

    def local_chat(self) -> Chat | None:
        """The tokenizer of a model that is on this machine; None without."""
        if not _is_here(self.settings.model):
            return None
        from harness.engines.chat import Chat

        try:
            return Chat(self.settings.model, None, self.settings.think_end)
        except (HarnessError, ImportError):
            return None

    async def tokens(self, effort: str | None) -> list[int] | None:
        """The tokens of a prompt, as a vLLM server renders it; None where it does not say."""
        return await self.tokenize(self._conversation(effort))

    def _conversation(self, effort: str | None) -> dict[str, Any]:
        """A short conversation, with the variables of a run's chat template."""
        variables = dict(self.options.body.get("chat_template_kwargs") or {})
        if effort is not None:
            # vLLM derives the second from the first, where a request does not have it.
            variables = {"enable_thinking": effort != "none", **variables, VARIABLE: effort}
        body = {"messages": [{"role": "user", "content": "x"}]}
        return {**body, "chat_template_kwargs": variables} if variables else body

    async def tokenize(self, fields: Mapping[str, Any]) -> list[int] | None:
        """The token ids of a text or a prompt; None where the server does not say."""
        return await self._ask("/tokenize", {"model": self.model, **fields}, "tokens") or None

    async def _ask(self, path: str, body: Mapping[str, Any], name: str) -> Any:
        """A field of what the server answers at a path beside /v1; None where it does not."""
        found = await optional_exchange(self.session, self.address.root, path, body)
        return found.get(name) if isinstance(found, dict) else None
