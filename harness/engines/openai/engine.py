"""Any OpenAI-compatible server, or several: `vllm serve`, SGLang, a hosted API.

One request per sample, through aiohttp. What the server's moment spoils (429, 5xx, broken or cut
connections, time limits) is tried again; a sample that fails for good ends in `error`, never in a
wrong answer. A server that goes down is waited for.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engines.checkpoint import weights_hash
from harness.engines.openai.completions import (
    VLLM_UNSTATED,
    BadAnswer,
    read_completion,
    request_body,
)
from harness.engines.openai.dispatch import Dispatch
from harness.engines.openai.options import Options, parse_options
from harness.engines.openai.probe import Greeting, greet, is_model_unknown, probe_body
from harness.engines.openai.rate_limit import TokenRate, estimate_tokens
from harness.engines.openai.refusals import Refusals
from harness.engines.openai.retries import Tries, request_seconds
from harness.engines.openai.serve import VllmServer, serve_arguments
from harness.engines.openai.server import (
    Address,
    Client,
    Fault,
    Refusal,
    Server,
    Unreachable,
    raise_file_limit,
)
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError, UsageError
from harness.interfaces import Completion, Request

if TYPE_CHECKING:
    from harness.engines.chat import Chat

_PROBE_SECONDS = 60.0
_LONG_WAIT = 60.0  # that a server asks for, and a user should know of
# What keeps a server busy. vLLM takes 256 sequences at once by default and queues the rest; a
# hosted API answers with 429 to more than a few dozen from a new account.
_VLLM_AT_ONCE = 256
_OTHERS_AT_ONCE = 64


class OpenAIEngine:
    """Samples from servers that speak the chat-completions protocol; see `harness.interfaces.Engine`.

    Args:
        settings: of the engine.
        options: of this engine.
        servers: where they are.
        greeting: what the first of them said of itself.
        served: the server that was started for this run, if one was.
        chat: the model's tokenizer, where one is at hand.
    """

    def __init__(
        self,
        settings: EngineSettings,
        options: Options,
        servers: Sequence[Server],
        greeting: Greeting,
        served: VllmServer | None = None,
        chat: Chat | None = None,
    ) -> None:
        self._settings, self._options, self._greeting = settings, options, greeting
        self._served, self._chat = served, chat
        self._client = servers[0].client
        self._refusals = Refusals(
            settings, _name(settings, options), options.cap_field, greeting.context
        )
        self._model = _name(settings, options)
        self._random = random.Random(settings.seed)
        self._rate = TokenRate(settings.tokens_per_minute)
        self._limited = settings.tokens_per_minute is not None
        self._dispatch = Dispatch(
            servers,
            self._probe,
            # One of our own is waited for as long as it may take to start.
            max(options.patience, options.serve_seconds if served else 0.0),
            settings.notify,
            # Who starts a server again may give it the seed that it had.
            returned="" if served else "; if it was started anew, let its seed be another one",
            absent=greeting.absent,
        )
        self._splits = False  # whether reasoning ever came in a field of its own
        self._answered = self._told_short = self._told_wait = False
        self._most = raise_file_limit()

    @property
    def concurrency(self) -> int:
        """What keeps the servers busy; `--concurrency` says otherwise."""
        servers = self._dispatch.servers
        wanted = (_VLLM_AT_ONCE if server.is_vllm else _OTHERS_AT_ONCE for server in servers)
        return min(self._most, sum(wanted))

    @property
    def opens_reasoning(self) -> bool:
        """Whether the chat template opens reasoning, where the server does not split it off."""
        return self._greeting.opens_reasoning and not self._splits

    def fingerprint(self) -> Mapping[str, Any]:
        """Where the samples come from, without anything secret."""
        servers = "started for the run" if self._served else [
            server.address.shown for server in self._dispatch.servers
        ]  # fmt: skip
        return {
            "engine": "openai",
            "revision": self._settings.revision,
            "servers": servers,
            "opens_reasoning": self._greeting.opens_reasoning,
            **self._greeting.facts,
            **self._options.recorded(),
            **self._weights(),
        }

    def _weights(self) -> Mapping[str, Any]:
        """What is known of the model behind a server of our own."""
        if self._served is None or self._chat is None:
            return {}
        weights = weights_hash(Path(self._settings.model))
        return {"chat_template": self._chat.template_hash, "weights": weights}

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text, where a tokenizer was given."""
        return self._chat.count(text) if self._chat else None

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            EngineError: it failed for good: too many faults, or the server refuses this prompt.
            EngineDown: no sample can succeed: a wrong key or model, a server that stays away.
        """
        tries = Tries(self._options.tries, self._random)
        while True:
            cap = self._refusals.cap(request)
            body = request_body(
                request, self._model, cap, self._refusals.cap_field, self._options.body
            )
            taken = await self._take(request, cap)
            server = await self._dispatch.pick()
            if server.is_vllm:
                body = {**VLLM_UNSTATED, **body}
            try:
                seconds = self._options.timeout or request_seconds(cap or self._refusals.context)
                completion = await self._ask(server, body, seconds)
            except Unreachable as error:
                self._rate.settle(taken, 0)
                self._dispatch.lost(server, error)
            except Fault as fault:
                self._rate.settle(taken, 0)
                await asyncio.sleep(self._count(tries, server, fault))
            except Refusal as refusal:
                self._rate.settle(taken, 0)
                if self._answered and is_model_unknown(refusal):  # a router without its servers
                    await asyncio.sleep(self._count(tries, server, Fault(str(refusal))))
                else:
                    await self._refusals.learn(
                        request, body, server, refusal, answered=self._answered
                    )
            else:
                self._dispatch.answered(server)
                self._note(server, completion, taken, cap)
                return completion

    async def close(self) -> None:
        """Close the connections, and stop the server that was started for the run."""
        await self._dispatch.close()
        await self._refusals.close()
        await self._client.close()
        if self._served is not None:
            await asyncio.to_thread(self._served.stop)

    async def _ask(self, server: Server, body: Mapping[str, Any], seconds: float) -> Completion:
        began = time.monotonic()
        answer = await server.post(body, seconds)
        try:
            return read_completion(answer, time.monotonic() - began)
        except BadAnswer as error:
            raise Fault(server.address.hide(str(error))) from error

    async def _take(self, request: Request, cap: int | None) -> int:
        """Wait for the rate limit; returns what the request is expected to use."""
        if not self._limited:
            return 0
        text = (request.prompt.system or "") + request.prompt.user
        known = self._refusals.prompt_tokens.get(request.prompt) or estimate_tokens(text)
        expected = known + self._rate.expected(cap)
        await self._rate.take(expected)
        return expected

    def _note(self, server: Server, completion: Completion, taken: int, cap: int | None) -> None:
        self._answered = True
        self._splits = self._splits or completion.reasoning is not None
        n_tokens = completion.n_tokens
        if n_tokens is None:
            return
        short = completion.finish_reason == "length" and n_tokens < (cap or 0)
        if short and not completion.looped and not self._told_short:
            self._told_short = True  # newer versions of vLLM lower the cap without a word
            self._settings.notify(
                f"{server.address.shown} cut a completion at {n_tokens} tokens, below the {cap} "
                f"asked for: {self._context()}"
            )
        if self._limited:
            used = (completion.n_prompt_tokens or 0) + n_tokens
            self._rate.settle(taken, used, n_tokens)

    def _context(self) -> str:
        context = self._refusals.context
        if context is None:
            return "it has a cap of its own"
        return f"prompt and completion share its context of {context}"

    def _count(self, tries: Tries, server: Server, fault: Fault) -> float:
        """Count a fault; seconds until the next try. EngineError when there is none."""
        if (fault.wait or 0.0) > _LONG_WAIT and not self._told_wait:
            self._told_wait = True
            self._settings.notify(
                f"{server.address.shown} asks to wait {fault.wait:.0f} s: {fault}"
            )
        if fault.limited:
            tries.limited += 1
            return self._dispatch.limited(server, fault, tries.wait(fault.wait))
        self._dispatch.failed(server, fault)
        if not tries.fail(timed_out=fault.timed_out):
            raise EngineError(
                f"{server.address.shown} failed {tries.failures} times, at last: {fault}"
            )
        return tries.wait(fault.wait)

    async def _probe(self, server: Server) -> None:
        """Ask for one token: whether a server that went down is back with this model."""
        if self._served is not None:
            await asyncio.to_thread(self._served.revive)
        body = probe_body(self._model, self._refusals.cap_field, self._options.body)
        try:
            await self._ask(server, body, _PROBE_SECONDS)
        except Refusal as refusal:
            if is_model_unknown(refusal):
                raise Fault(str(refusal)) from refusal
        except EngineDown:
            raise
        except EngineError:
            pass  # the answer of a content filter is one
        if self._served is not None:
            self._served.came_up()


def open_engine(settings: EngineSettings) -> OpenAIEngine:
    """The engine as `harness.engines.make_engine` asks for it, its servers looked at.

    Blocks, and runs a loop of its own for that: call it from a thread without one.
    """
    options = parse_options(settings)
    if not settings.serve:
        return _connect(settings, options, _urls(settings), None)
    served = VllmServer(settings, serve_arguments(options.serve), options.serve_seconds)
    try:
        served.wait_until_ready()
        return _connect(settings, options, [served.url], served)
    except BaseException:
        served.stop(keep_log=True)
        raise


def _connect(
    settings: EngineSettings,
    options: Options,
    urls: Sequence[str],
    served: VllmServer | None,
) -> OpenAIEngine:
    chat = _load_chat(settings, options)
    key = None if served else os.environ.get("OPENAI_API_KEY", "").strip()
    client = Client()
    servers = [Server(Address.parse(url, key, options.headers), client) for url in urls]
    greeting = asyncio.run(greet(servers, _name(settings, options), settings, options, chat))
    return OpenAIEngine(settings, options, servers, greeting, served, chat)


def _name(settings: EngineSettings, options: Options) -> str:
    """The name that the server knows the model by."""
    return options.serve.get("served_model_name", settings.model)


def _urls(settings: EngineSettings) -> list[str]:
    given = settings.base_url or os.environ.get("OPENAI_BASE_URL") or ""
    urls = [url.strip() for url in given.split(",") if url.strip()]
    if not urls:
        raise UsageError(
            "--engine openai needs --base-url URL (or OPENAI_BASE_URL), or --serve to start a "
            "server of its own"
        )
    return urls


def _load_chat(settings: EngineSettings, options: Options) -> Chat | None:
    """The tokenizer that counts the tokens of reasoning, where one is at hand."""
    path = options.tokenizer or (settings.model if settings.serve else None)
    if path is None:
        return None
    from harness.engines.chat import Chat

    return Chat(path, settings.revision if settings.serve else None, settings.think_end)
