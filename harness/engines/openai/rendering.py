"""What a server shows of the prompt that its chat template renders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.engines.budget import prompt_reasoning
from harness.engines.effort import VARIABLE
from harness.engines.openai.models import optional_exchange

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.openai.address import Address
    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings


class Rendering:
    """The prompt as one server renders it.

    Args:
        session: the connections.
        address: of the server.
        model: the name that it knows the model by.
        settings: of the engine.
        options: of the engine.
    """

    def __init__(
        self,
        session: ClientSession,
        address: Address,
        model: str,
        settings: EngineSettings,
        options: Options,
    ) -> None:
        self._session, self._address, self._model = session, address, model
        self._settings, self._options = settings, options

    async def opened_reasoning(self) -> str | None:
        """What a prompt holds after the tag that opens reasoning, as a vLLM server renders it."""
        tokens = await self.tokens(self._settings.effort)
        body = {"model": self._model, "tokens": tokens}
        found = tokens and await optional_exchange(
            self._session, self._address.root, "/detokenize", body
        )
        text = str(found.get("prompt", "")) if isinstance(found, dict) else ""
        return prompt_reasoning(text, self._settings.think_end)

    async def tokens(self, effort: str | None) -> list[int] | None:
        """The tokens of a prompt, as a vLLM server renders it; None where it does not say."""
        variables = dict(self._options.body.get("chat_template_kwargs") or {})
        if effort is not None:
            # vLLM derives the second from the first, where a request does not have it.
            variables = {"enable_thinking": effort != "none", **variables, VARIABLE: effort}
        body = {"messages": [{"role": "user", "content": "x"}]}
        return await self.tokenize(
            {**body, "chat_template_kwargs": variables} if variables else body
        )

    async def tokenize(self, fields: Mapping[str, Any]) -> list[int] | None:
        """The token ids of a text or a prompt; None where the server does not say."""
        body = {"model": self._model, **fields}
        found = await optional_exchange(self._session, self._address.root, "/tokenize", body)
        return (found.get("tokens") if isinstance(found, dict) else None) or None
