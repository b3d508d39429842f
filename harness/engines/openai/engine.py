"""Any OpenAI-compatible server, or several: `vllm serve`, SGLang, a hosted API.

One request per sample, through aiohttp. Transient errors (429, 5xx, broken or cut connections, time
limits) are retried; a sample that fails for good ends in `error`, never in a wrong answer. A server
that goes down is waited for.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.checkpoint import weights_hash
from harness.engines.openai.completions import BadReply, read_completion, request_body
from harness.engines.openai.dispatch import Dispatch, Turn
from harness.engines.openai.identify import confirm_model
from harness.engines.openai.learned_rate import LONGEST_HOLD_SECONDS
from harness.engines.openai.models import is_model_unknown
from harness.engines.openai.one_token import probe_body
from harness.engines.openai.options import Options
from harness.engines.openai.probe import ServerInfo
from harness.engines.openai.rate_limit import TokenRate, estimate_tokens
from harness.engines.openai.reasoning import BudgetCheck, reasoning_facts, reasoning_fields
from harness.engines.openai.refusals import Refusals
from harness.engines.openai.retries import Tries, request_seconds
from harness.engines.openai.serve import VllmServer, gpus_served
from harness.engines.openai.server import (
    Refusal,
    Server,
    TransientError,
    Unreachable,
    raise_file_limit,
)
from harness.engines.openai.stops import cut_at_stop
from harness.engines.opening import Opening
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError
from harness.interfaces import Completion, Fingerprint, Request

if TYPE_CHECKING:
    from harness.engines.chat import Chat

_PROBE_SECONDS = 60.0
_LONG_WAIT_SECONDS = 60.0  # a server that asks for more gets a notice


class OpenAIEngine:
    """Samples from servers that speak the chat-completions protocol; see `harness.interfaces.Engine`.

    Args:
        settings: of the run.
        options: of this engine.
        servers: one or more, with one `Client`.
        info: what their probe found.
        served: the server that was started for this run, if one was.
        chat: the model's tokenizer, where one was given.
    """

    def __init__(
        self,
        settings: EngineSettings,
        options: Options,
        servers: Sequence[Server],
        info: ServerInfo,
        *,
        served: VllmServer | None = None,
        chat: Chat | None = None,
    ) -> None:
        self._settings, self._options, self._info = settings, options, info
        self.served, self._chat = served, chat
        self._budgets = BudgetCheck(settings, chat)
        self._client = servers[0].client
        self._model = options.model_name(settings)
        self._refusals = Refusals(
            settings, self._model, options.cap_field, info.context, info.counter
        )
        self._random = random.Random(settings.seed)
        self._rate = TokenRate(settings.tokens_per_minute)
        self._limited = settings.tokens_per_minute is not None
        self._dispatch = Dispatch(
            servers,
            self._probe,
            # A server of the run may take as long to restart as it may to start.
            patience=max(options.patience, options.serve_seconds if served else 0.0),
            notify=settings.notify,
            # A server that the user restarts may get the seed that it had.
            returned="" if served else "; if it was restarted, it needs another seed than before",
            absent=info.absent,
            outlasts_failures=settings.outlasts_failures,
            requests_per_minute=settings.requests_per_minute,
        )
        self._opening = Opening(info.opens_reasoning, settings.think_end)
        self._answered = self._notified_short = self._notified_wait = False
        self._most = raise_file_limit()

    @property
    def concurrency(self) -> int:
        """Requests in flight that keep the servers busy, as far as open files allow."""
        servers = self._dispatch.servers
        return min(self._most, sum(server.at_once for server in servers))

    @property
    def opens_reasoning(self) -> bool | None:
        """Whether a text without a tag is reasoning that the prompt opened, as far as is known.

        Where the server splits reasoning off, it is not.
        """
        return self._opening.known

    def fingerprint(self) -> Fingerprint:
        """Servers, model facts and options, without anything secret."""
        servers = "started for the run" if self.served else [
            server.address.shown for server in self._dispatch.servers
        ]  # fmt: skip
        return {
            "engine": "openai",
            "revision": self._settings.revision,
            "servers": servers,
            "opens_reasoning": self._info.opens_reasoning,
            **self._info.facts,
            **reasoning_facts(self._settings, self._info.n_opened),
            **self._options.recorded(),
            **self._weights(),
        }

    def _weights(self) -> Mapping[str, Any]:
        """Hashes of template and weights, and the GPUs, where the server was started for the run."""
        if self.served is None or self._chat is None:
            return {}
        weights = weights_hash(Path(self._settings.model))
        return {
            "chat_template": self._chat.template_hash,
            "weights": weights,
            "gpus": gpus_served(self._options.serve),
        }

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text; None without a tokenizer."""
        return self._chat.count(text) if self._chat else None

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            EngineError: it failed for good: too many transient errors, or a refused prompt.
            EngineDown: no sample can succeed: a wrong key or model, a server that stays away or
                does not keep to the reasoning budget.
        """
        self._refusals.count_prompt(request)
        tries = Tries(self._options.tries, self._random)
        fields = reasoning_fields(request.sampling, self._info.n_opened)
        extra = {**fields, **self._options.body}
        while True:
            cap = self._refusals.cap(request)
            body = request_body(request, self._model, cap, self._refusals.cap_field, extra)
            taken = await self._take(request, cap)
            turn = await self._dispatch.pick()
            server = turn.server
            body = {**server.neutral, **body}
            try:
                seconds = self._options.timeout or request_seconds(cap or self._refusals.context)
                completion = await self._complete(server, body, seconds)
                self._dispatch.answered(turn)
                if server.doubted:
                    await confirm_model(server, self._model)
            except Unreachable as error:
                self._rate.settle(taken, 0)
                self._dispatch.lost(server, error)
            except TransientError as error:
                self._rate.settle(taken, 0)
                server.doubted = server.doubted or not error.limited
                await asyncio.sleep(self._count(tries, turn, error))
            except Refusal as refusal:
                self._rate.settle(taken, 0)
                if self._answered and is_model_unknown(refusal):  # a router without its servers
                    server.doubted, transient = True, TransientError(str(refusal))
                    await asyncio.sleep(self._count(tries, turn, transient))
                else:
                    await self._refusals.adjust(
                        request, body, server, refusal, answered=self._answered
                    )
            else:
                self._refusals.check_prompt(completion, server)
                completion = cut_at_stop(completion, request.sampling.stop)
                self._record(server, completion, taken, cap)
                return self._budgets.checked(
                    request,
                    self._opening.placed(completion),
                    opened=bool(self.opens_reasoning),
                    where=server.address.shown,
                )

    async def close(self) -> None:
        """Close the connections, and stop the server that was started for the run."""
        await self._dispatch.close()
        await self._refusals.close()
        await self._client.close()
        if self.served is not None:
            await asyncio.to_thread(self.served.stop)

    async def _complete(
        self, server: Server, body: Mapping[str, Any], seconds: float
    ) -> Completion:
        began = time.monotonic()
        reply = await server.post(body, seconds)
        try:
            return read_completion(reply, time.monotonic() - began)
        except BadReply as error:
            raise TransientError(server.address.hide(str(error))) from error

    async def _take(self, request: Request, cap: int | None) -> int:
        """Wait for the rate limit; returns the tokens that the request is expected to use."""
        if not self._limited:
            return 0
        text = (request.prompt.system or "") + request.prompt.user
        known = self._refusals.prompt_tokens.get(request.prompt) or estimate_tokens(text)
        expected = known + self._rate.expected(cap)
        await self._rate.take(expected)
        return expected

    def _record(self, server: Server, completion: Completion, taken: int, cap: int | None) -> None:
        self._answered = True
        self._opening.observe(completion)
        n_tokens = completion.n_tokens
        if n_tokens is None:
            return
        short = completion.finish_reason == "length" and n_tokens < (cap or 0)
        if short and not completion.looped and not self._notified_short:
            self._notified_short = True  # newer versions of vLLM lower the cap without a message
            self._settings.notify(
                f"{server.address.shown} cut a completion at {n_tokens} tokens, below the {cap} "
                f"asked for: {self._cut_reason()}"
            )
        if self._limited:
            used = (completion.n_prompt_tokens or 0) + n_tokens
            self._rate.settle(taken, used, n_tokens)

    def _cut_reason(self) -> str:
        context = self._refusals.context
        if context is None:
            return "it has a cap of its own"
        return f"prompt and completion share its context of {context}"

    def _count(self, tries: Tries, turn: Turn, error: TransientError) -> float:
        """Count a failed try; seconds until the next one. EngineError when there is none."""
        server = turn.server
        if (error.wait or 0.0) > _LONG_WAIT_SECONDS and not self._notified_wait:
            self._notified_wait = True
            self._settings.notify(
                f"{server.address.shown} asks to wait {error.wait:.0f} s: {error}"
                + (" (it is asked again every hour)" * ((error.wait or 0.0) > LONGEST_HOLD_SECONDS))
            )
        if error.limited:
            self._dispatch.limited(turn, error)
            return 0.0
        self._dispatch.failed(server, error)
        if not tries.fail(timed_out=error.timed_out):
            raise EngineError(
                f"{server.address.shown} failed {tries.failures} times, at last: {error}"
            )
        return tries.wait(error.wait)

    async def _probe(self, server: Server) -> None:
        """Request one token: whether a server that was down is back with this model."""
        if self.served is not None:
            await asyncio.to_thread(self.served.restart_if_exited)
        body = probe_body(self._settings, self._model, self._refusals.cap_field, self._options.body)
        try:
            await self._complete(server, {**server.neutral, **body}, _PROBE_SECONDS)
        except Refusal as refusal:
            if is_model_unknown(refusal):
                server.doubted = True
                await confirm_model(server, self._model)
                raise TransientError(str(refusal)) from refusal
        except EngineDown:
            raise
        except EngineError:
            pass  # a content filter's cut is a reply too
        server.doubted = True
        await confirm_model(server, self._model)
        if self.served is not None:
            self.served.reset_exits()
