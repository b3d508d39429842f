"""Probes the servers before the first sample: they answer, serve the model, and describe it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from harness.engines.openai.charges import listed_price
from harness.engines.openai.kinds import VLLM, listed_kind, named_kind
from harness.engines.openai.models import (
    ModelEntry,
    exchange_with_retries,
    is_model_unknown,
    list_models,
    optional_exchange,
    unknown_model,
    wrong_key,
)
from harness.engines.openai.reasoning import (
    check_budget_field,
    check_effort_field,
    check_rendered,
    efforts_to_render,
)
from harness.engines.openai.rendering import Rendering
from harness.engines.openai.server import (
    COMPLETIONS,
    Refusal,
    Server,
    TransientError,
    Unreachable,
    open_session,
)
from harness.engines.repetition import detection
from harness.errors import EngineDown, UsageError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.chat import Chat
    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings

_COMPLETION_SECONDS = 60.0  # a server may load the model for the first one
_ASKED_AT_START = ("repetition_guard", "effort", "reasoning_budget")


@dataclass(slots=True)
class ServerInfo:
    """What is known of the servers before the first sample.

    Args:
        facts: for the fingerprint: max_model_len, root, owned_by, price and versions, where known.
        context: tokens of prompt and completion together, where that is known.
        opens_reasoning: whether the chat template ends inside open reasoning, as far as is known.
        n_opened: tokens of the prompt after the tag that opens reasoning there, likewise.
        absent: servers that do not answer while another one does, and why.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    context: int | None = None
    opens_reasoning: bool = False
    n_opened: int = 0
    absent: list[tuple[Server, Exception]] = field(default_factory=list)


async def probe_servers(
    servers: Sequence[Server],
    model: str,
    settings: EngineSettings,
    options: Options,
    chat: Chat | None,
) -> ServerInfo:
    """Probe every server, and set its `kind`.

    Args:
        servers: one or more.
        model: the name that they know the model by.
        settings: of the engine.
        options: of the engine.
        chat: the model's tokenizer, where one was given.

    Raises:
        EngineDown: none answers, or one refuses the key or does not serve the model.
        UsageError: one cannot keep the repetition guard, the effort or the reasoning budget.
    """
    session = open_session()
    try:
        probes = [_Probe(session, server, model, settings, options) for server in servers]
        results = await asyncio.gather(*(p.model_entry() for p in probes), return_exceptions=True)
        found: list[tuple[_Probe, ModelEntry]] = []
        absent: list[tuple[Server, Exception]] = []
        for probe, result in zip(probes, results, strict=True):
            if isinstance(result, Unreachable | TransientError):
                absent.append((probe.server, result))
            elif isinstance(result, BaseException):
                raise result
            else:
                found.append((probe, result))
        _check_absent(servers, absent, settings)
        first, entry = found[0]
        info = await first.describe(entry, chat)
        info.absent = absent
        for server, _ in absent:
            server.kind = first.server.kind  # assumed: the servers of a run are alike
    finally:
        await session.close()
    if len(servers) > 1 and not settings.seeded:
        settings.notify(
            f"{len(servers)} servers: each must have been started with a seed of its own, or they "
            "may repeat each other's samples (vLLM's default is the same for all); --seeded sends "
            "one per sample"
        )
    return info


def _check_absent(
    servers: Sequence[Server],
    absent: Sequence[tuple[Server, Exception]],
    settings: EngineSettings,
) -> None:
    """EngineDown where no server answers, or one does not and has to be asked what it can do."""
    if len(absent) == len(servers):
        shown = " and ".join(server.address.shown for server in servers)
        raise EngineDown(
            f"{shown} does not answer ({absent[0][1]}): start the server, or check --base-url"
        )
    asked = [name for name in _ASKED_AT_START if getattr(settings, name) is not None]
    if absent and asked:
        server, why = absent[0]
        raise EngineDown(
            f"{server.address.shown} does not answer ({why}): with --{asked[0].replace('_', '-')} "
            "every server is asked at the start whether it can; start it, or leave it out"
        )


class _Probe:
    """The small requests to one server before the first sample."""

    def __init__(
        self,
        session: ClientSession,
        server: Server,
        model: str,
        settings: EngineSettings,
        options: Options,
    ) -> None:
        self.server = server
        self._session, self._address, self._model = session, server.address, model
        self._settings, self._options = settings, options
        self._rendering = Rendering(session, server.address, model, settings, options)

    async def model_entry(self) -> ModelEntry:
        """The server's /models entry of the model, empty where it has no such list; sets its kind."""
        listed = await list_models(self._session, self._address)
        entry = next((entry for entry in listed if entry.get("id") == self._model), None)
        if entry is None:
            await self._try_model(listed)
        entry = entry or {}
        given = self._options.server
        self.server.kind = named_kind(given) if given else listed_kind(entry)
        if self._settings.repetition_guard is not None:
            await self._check_guard()
        await self._check_reasoning()
        return entry

    async def describe(self, entry: ModelEntry, chat: Chat | None) -> ServerInfo:
        """What the server reports of itself and of the model."""
        names = ("max_model_len", "root", "owned_by")
        info = ServerInfo({name: entry[name] for name in names if entry.get(name)})
        length = entry.get("max_model_len")
        info.context = length if isinstance(length, int) else None
        if (price := listed_price(entry)) is not None:
            info.facts["price"] = {"prompt": price.prompt, "completion": price.completion}
        if self.server.kind is VLLM:
            answer = await optional_exchange(self._session, self._address.root, "/version")
            if isinstance(answer, dict) and isinstance(answer.get("version"), str):
                info.facts["versions"] = {"vllm": answer["version"]}
        if chat is not None:
            # Where a parser splits reasoning off, a text without one is a response.
            info.opens_reasoning = chat.opens_reasoning and (
                "reasoning_parser" not in self._options.serve
            )
            info.n_opened = chat.n_opened
        elif self.server.kind is VLLM:
            opened = await self._rendering.opened_reasoning()
            info.opens_reasoning = opened is not None
            if opened and self._settings.reasoning_budget is not None:
                plain = {"prompt": opened, "add_special_tokens": False}
                info.n_opened = len(await self._rendering.tokenize(plain) or ())
        return info

    async def _try_model(self, listed: Sequence[ModelEntry]) -> None:
        """Request one token: not every server lists all that it serves, or has a list."""
        try:
            await self._complete({})
        except TransientError as error:
            if not error.limited:  # it answers, and is busy
                raise
        except Refusal as refusal:
            if is_model_unknown(refusal):
                raise unknown_model(self._address, self._model, refusal, listed) from refusal

    async def _check_guard(self) -> None:
        """Raise UsageError unless the server has vLLM's repetition detection.

        One that has it accepts a valid field and refuses an invalid one. Older versions of vLLM and
        many other servers ignore a field that they do not know, others refuse it in any form.
        """
        for value, accepted in ((detection(2), True), ({"min_count": "none"}, False)):
            why = None
            try:
                await self._complete({"repetition_detection": value})
            except Refusal as refusal:
                why = refusal
            if (why is None) is not accepted:
                raise UsageError(
                    f"--repetition-guard: {self._address.shown} does not have vLLM's repetition "
                    f"detection{f' ({why})' if why else ''}; serve the model with a newer version "
                    "of vLLM, or leave the guard out"
                )

    async def _complete(self, fields: Mapping[str, Any]) -> None:
        """Request one token with further fields; EngineDown where the key is refused."""
        body = probe_body(self._model, self._options.cap_field, self._options.body)
        sent = orjson.dumps({**body, **fields})
        try:
            await exchange_with_retries(
                self._session, self._address, COMPLETIONS, sent, seconds=_COMPLETION_SECONDS
            )
        except Refusal as refusal:
            if refusal.status in (401, 403):
                raise wrong_key(self._address, refusal) from refusal
            raise

    async def _check_reasoning(self) -> None:
        """Raise UsageError unless the server can keep the effort and the reasoning budget."""
        effort, where = self._settings.effort, self._address.shown
        if effort is not None:
            await check_effort_field(self._complete, effort, where)
            if self.server.kind is VLLM:
                prompts = {
                    asked: await self._rendering.tokens(asked)
                    for asked in efforts_to_render(effort)
                }
                if None not in prompts.values():
                    check_rendered(effort, prompts, where, self._model)
        if self._settings.reasoning_budget is not None:
            await check_budget_field(self._complete, where, self._settings.think_end)


def probe_body(model: str, cap_field: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """A request for one token.

    Args:
        model: the name that the server knows the model by.
        cap_field: the name of the cap.
        extra: further fields.
    """
    turn = {"role": "user", "content": "Say OK."}
    return {"model": model, "messages": [turn], cap_field: 1, **extra}
