"""Handles refused requests: a lower cap, another name for it, or an error for the run or the sample."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.engines.chat import length_cap
from harness.engines.openai.completions import context_refusal, wants_other_cap
from harness.engines.openai.models import is_model_unknown, unknown_model_now, wrong_key
from harness.engines.openai.options import OTHER_CAP
from harness.engines.openai.retries import request_seconds
from harness.engines.openai.server import Refusal, Server, TransientError, Unreachable
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt

if TYPE_CHECKING:
    from harness.engines.chat import Chat


class Refusals:
    """The caps that the servers accept, adjusted after each refusal.

    Without a tokenizer the tokens of a prompt cannot be counted, so a cap is lowered once the server
    has named the length of the prompt; the other samples of that prompt then request what fits.

    Args:
        settings: of the engine.
        model: the name that the servers know it by.
        cap_field: the name of the cap in the first requests.
        context: tokens of prompt and completion together, where the server reports them.
        counter: the model's tokenizer, where prompts are to be counted before they are sent.
    """

    def __init__(
        self,
        settings: EngineSettings,
        model: str,
        cap_field: str,
        context: int | None,
        counter: Chat | None,
    ) -> None:
        self._notify, self._model, self._notified = settings.notify, model, False
        self.cap_field, self.context = cap_field, context
        self.prompt_tokens: dict[Prompt, int] = {}
        self._counter = counter
        self._trials: dict[Sampling, asyncio.Task[Refusal | None]] = {}

    def cap(self, request: Request) -> int | None:
        """The cap to request: at most what the prompt, where its length is known, leaves of the context."""
        cap = request.sampling.max_tokens
        if self.context is None or cap is None:
            return cap
        # Newer versions of vLLM lower every cap but one above the whole context, which they refuse.
        room = max(1, self.context - self.prompt_tokens.get(request.prompt, 1))
        if cap > room and not self._notified:
            self._notified = True
            self._notify(
                f"the server has a context of {self.context} tokens: completions are capped at what "
                f"their prompts leave of it, below the {cap} asked for"
            )
        return min(cap, room)

    def count_prompt(self, request: Request) -> None:
        """Count a prompt before it is sent to a server that takes what its context does not hold.

        Raises:
            EngineError: it leaves no room for a completion.
        """
        if self._counter is None or self.context is None:
            return
        n_prompt = len(self._counter.tokens(request.prompt))
        length_cap(n_prompt, request.sampling.max_tokens, self.context)
        self.prompt_tokens[request.prompt] = n_prompt

    def check_prompt(self, completion: Completion, server: Server) -> None:
        """Check that a prompt which nobody could count before was one that the context holds.

        Raises:
            EngineError: it was not, and the server went on all the same.
        """
        n_prompt = completion.n_prompt_tokens or 0
        if server.kind.takes_any_prompt and self.context is not None and n_prompt >= self.context:
            raise EngineError(
                f"{server.address.shown} went on beyond the model's context of {self.context}: the "
                f"prompt has {n_prompt} tokens and leaves no room for a completion"
            )

    async def adjust(
        self,
        request: Request,
        body: Mapping[str, Any],
        server: Server,
        refusal: Refusal,
        *,
        answered: bool,
    ) -> None:
        """Adjust the next try to a refusal, so that it differs from the refused one.

        Args:
            request: the sample.
            body: as it was sent.
            server: that refused it.
            refusal: its reply.
            answered: whether a request of this run has succeeded before.

        Raises:
            EngineDown: no request can succeed.
            EngineError: this one cannot.
        """
        where = server.address
        if refusal.status == 401 or (refusal.status == 403 and not answered):
            raise wrong_key(where, refusal)
        if refusal.status == 402 or "insufficient_quota" in refusal.text:
            raise EngineDown(f"{where.shown}: the account's quota is used up ({refusal})")
        if is_model_unknown(refusal):
            raise await unknown_model_now(server.client.session, where, self._model, refusal)
        if wants_other_cap(refusal.text) and "max_tokens" in body:
            self.cap_field = OTHER_CAP
            return
        fit = context_refusal(refusal.text)
        if fit is not None:
            self._fit(request, body, server, refusal, fit)
            return
        plain = await self._try_plain(request, body, server)
        if plain is not None:
            raise EngineDown(f"{where.shown} refuses every request of this run: {plain}")
        raise EngineError(f"{where.shown} refuses this prompt: {refusal}")

    async def close(self) -> None:
        """Cancel the trials in progress."""
        for task in self._trials.values():
            task.cancel()
        await asyncio.gather(*self._trials.values(), return_exceptions=True)

    def _fit(
        self,
        request: Request,
        body: Mapping[str, Any],
        server: Server,
        refusal: Refusal,
        fit: tuple[int | None, int | None],
    ) -> None:
        """Lower the cap to what the refusal's (context, prompt tokens) leave."""
        context, prompt = fit[0] or self.context, fit[1]
        cap, sent = request.sampling.max_tokens, body.get(self.cap_field, 0)
        known = self.prompt_tokens.get(request.prompt, 0)
        if context is not None and prompt is None and sent >= context:
            self.context = context  # the next try requests less than all of it
            return
        if context is not None and prompt is not None and known:
            # Versions 0.15 to 0.20 of vLLM count up to the first token too many and no further.
            prompt = max(prompt, 2 * known if sent <= context - known else known)
        if context is None or prompt is None or not 0 < context - prompt < sent:
            what, fix = "prompt does", ""
            if cap is not None:
                what = f"prompt and up to {cap} tokens do"
                fix = "use a smaller --max-tokens, or "
            raise EngineError(
                f"{server.address.shown}: the {what} not fit the context ({refusal}); {fix}serve "
                "the model with a longer context"
            )
        self.context = context
        self.prompt_tokens[request.prompt] = prompt

    async def _try_plain(
        self, request: Request, body: Mapping[str, Any], server: Server
    ) -> Refusal | None:
        """The refusal of a plain prompt under the same sampling, if it is refused; tried once."""
        key = request.sampling
        if key not in self._trials:
            turns = [*body["messages"][:-1], {"role": "user", "content": "Say OK."}]
            self._trials[key] = asyncio.create_task(_refusal({**body, "messages": turns}, server))
        return await asyncio.shield(self._trials[key])


async def _refusal(body: Mapping[str, Any], server: Server) -> Refusal | None:
    try:
        await server.post(body, request_seconds(None))
    except Refusal as refusal:
        return refusal
    except (TransientError, Unreachable):
        return None
    return None
