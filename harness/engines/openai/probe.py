"""Probes one server before the first sample: it answers, serves the model, and describes it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from harness.engines.checkpoint import CheckpointFacts, checkpoint_facts
from harness.engines.openai.charges import listed_price
from harness.engines.openai.identify import (
    Shown,
    check_name,
    chosen_kind,
    identify,
    kind_by_reply,
)
from harness.engines.openai.kinds import (
    OPENAI,
    TRANSFORMERS,
    UNKNOWN,
    VLLM,
    ServerKind,
    named_kind,
)
from harness.engines.openai.models import (
    is_model_unknown,
    optional_exchange,
    refused_at_start,
)
from harness.engines.openai.one_token import OneToken
from harness.engines.openai.own_sampling import (
    check_batching,
    check_passed_on,
    neutral_fields,
    remark,
)
from harness.engines.openai.reasoning import (
    check_budget_field,
    check_effort_field,
    check_rendered,
    efforts_to_render,
)
from harness.engines.openai.rendering import Rendering
from harness.engines.openai.seeds import seed_facts
from harness.engines.openai.server import (
    Refusal,
    Server,
    TransientError,
)
from harness.engines.repetition import detection
from harness.errors import UsageError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.chat import Chat
    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings


@dataclass(slots=True)
class ServerInfo:
    """What is known of the servers before the first sample.

    Args:
        facts: for the fingerprint: max_model_len, root, owned_by, price and versions, where known.
        context: tokens of prompt and completion together, where that is known.
        opens_reasoning: whether the chat template ends inside open reasoning; None where nothing
            tells.
        n_opened: tokens of the prompt after the tag that opens reasoning there, likewise.
        absent: servers that do not answer while another one does, and why.
        counter: the model's tokenizer, where the server takes prompts that its context does not hold.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    context: int | None = None
    opens_reasoning: bool | None = None
    n_opened: int = 0
    absent: list[tuple[Server, Exception]] = field(default_factory=list)
    counter: Chat | None = None


def _file_name(text: str) -> str:
    """A path without its folders, which another machine or day may have elsewhere."""
    return PurePath(text).name if text.startswith("/") else text


class Probe:
    """The small requests to one server before the first sample.

    Args:
        session: the connections.
        server: whose `kind` and `neutral` fields it sets.
        model: the name that it knows the model by.
        settings: of the engine.
        options: of the engine.
    """

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
        self._one_token = OneToken(session, server, model, settings, options)
        self._rendering = Rendering(session, server.address, model, settings, options)

    async def identify(self) -> Shown:
        """What the server shows of itself; sets what is known of it, and checks what is asked of it.

        Raises:
            EngineDown: it refuses the key, the model, or whatever it is asked for.
            UsageError: it cannot keep what the run asks for.
            Unreachable, TransientError: it does not answer.
        """
        server, where = self.server, self._address.shown
        began = time.monotonic()
        shown = await identify(self._session, self._address, self._model)
        server.rate.round_trip = min(1.0, max(0.01, time.monotonic() - began))
        check_name(shown, self._model, where)
        server.model, server.slots = shown.model, shown.slots
        try:
            await self._settle_kind(shown)
            await self._check(shown)
        except Refusal as refusal:
            raise refused_at_start(self._address, self._model, refusal, shown.listed) from refusal
        return shown

    async def _settle_kind(self, shown: Shown) -> None:
        """Set the server's kind and neutral fields, by what it shows and what the user says."""
        server, given, facts = self.server, self._options.server, self._checkpoint_facts()
        if given:  # before the first completion, which some servers keep to
            server.neutral = neutral_fields(named_kind(given), facts)
        evident = await self._behind(shown) if shown.kind.proxy else shown.kind
        server.kind = chosen_kind(evident, given, self._address.shown)
        server.neutral = neutral_fields(server.kind, facts)

    async def _check(self, shown: Shown) -> None:
        """Check that it serves the model, and can do what the run asks for."""
        server, where = self.server, self._address.shown
        if shown.entry.get("id") != self._model and not server.kind.any_name:
            await self._try_model()
        if server.kind is TRANSFORMERS:
            await self._check_batching()
        if server.kind is not shown.kind:
            await check_passed_on(self._one_token.request_once, server.kind, where)
        if self._settings.repetition_guard is not None:
            await self._check_guard()
        await self._check_reasoning()

    async def _behind(self, shown: Shown) -> ServerKind:
        """The kind of the server behind a proxy, or the proxy's where its reply does not show it."""
        try:
            reply = await self._one_token.request({})
        except Refusal as refusal:
            if is_model_unknown(refusal):
                raise
            return shown.kind
        except TransientError:
            return shown.kind
        found = kind_by_reply(reply)
        return shown.kind if found is UNKNOWN else found

    async def describe(self, shown: Shown, chat: Chat | None) -> ServerInfo:
        """What the server reports of itself and of the model."""
        kind, entry, where = self.server.kind, shown.entry, self._address.shown
        names = ("max_model_len", "root", "owned_by")
        info = ServerInfo({name: entry[name] for name in names if entry.get(name)})
        info.facts["server_kind"] = kind.name
        if shown.kind is not kind and shown.kind.proxy:
            info.facts["proxy"] = shown.kind.name
        served = {n: _file_name(text) for n, text in shown.model.items() if n != "root"}
        if served and served != {"model": self._model}:
            info.facts["served"] = served
        own = kind.sampling_of_its_own(self._settings.samplings)
        if own is not None:
            info.facts["server_sampling"] = own
        if line := remark(kind, shown.kind, own, where):
            self._settings.notify(line)
        info.context = shown.context
        if kind.takes_any_prompt:
            info.context = info.context or self._checkpoint_facts().context
            info.counter = chat or self._rendering.local_chat()
        if (price := listed_price(entry)) is not None:
            info.facts["price"] = {"prompt": price.prompt, "completion": price.completion}
        if kind is VLLM:
            answer = await optional_exchange(self._session, self._address.root, "/version")
            if isinstance(answer, dict) and isinstance(answer.get("version"), str):
                info.facts["versions"] = {"vllm": answer["version"]}
        await self._describe_reasoning(info, chat)
        if self._settings.seeded:
            ask, cap_field = self._one_token.request_once, self._options.cap_field
            info.facts |= await seed_facts(ask, self._settings, cap_field, where)
        return info

    async def _describe_reasoning(self, info: ServerInfo, chat: Chat | None) -> None:
        """Whether the prompt opens reasoning: by a tokenizer at hand, or as the server renders it."""
        if chat is not None:
            # Where a parser splits reasoning off, a text without one is a response.
            info.opens_reasoning = chat.opens_reasoning and (
                "reasoning_parser" not in self._options.serve
            )
            info.n_opened = chat.n_opened
            return
        if self.server.kind is OPENAI:  # its models never show their reasoning
            info.opens_reasoning = False
            return
        info.opens_reasoning, info.n_opened = await self._rendering.opening()

    def _checkpoint_facts(self) -> CheckpointFacts:
        return checkpoint_facts(self._options.tokenizer or self._settings.model)

    async def _check_batching(self) -> None:
        where, samplings = self._address.shown, self._settings.samplings
        facts = self._checkpoint_facts()
        if await check_batching(self._one_token.request_once, samplings, facts, where):
            self._settings.notify(
                f"{where} batches continuously and draws as the first request since its start said: "
                "if it has answered others before this run, restart it"
            )
        else:
            self.server.slots = 1

    async def _try_model(self) -> None:
        """Request one token: not every server lists all that it serves, or has a list."""
        try:
            await self._one_token.request({})
        except TransientError as error:
            if not error.limited:  # it answers, and is busy
                raise
        except Refusal as refusal:
            if is_model_unknown(refusal):
                raise

    async def _check_guard(self) -> None:
        """Raise UsageError unless the server has vLLM's repetition detection.

        One that has it accepts a valid field and refuses an invalid one. Older versions of vLLM and
        many other servers ignore a field that they do not know, others refuse it in any form.
        """
        for value, accepted in ((detection(2), True), ({"min_count": "none"}, False)):
            why = None
            try:
                await self._one_token.request({"repetition_detection": value})
            except Refusal as refusal:
                why = refusal
            if (why is None) is not accepted:
                raise UsageError(
                    f"--repetition-guard: {self._address.shown} does not have vLLM's repetition "
                    f"detection{f' ({why})' if why else ''}; serve the model with a newer version "
                    "of vLLM, or leave the guard out"
                )

    async def _check_reasoning(self) -> None:
        """Raise UsageError unless the server can keep the effort and the reasoning budget."""
        effort, where = self._settings.effort, self._address.shown
        if effort is not None:
            await check_effort_field(self._one_token.request, effort, where)
            if self.server.kind is VLLM:
                prompts = {
                    asked: await self._rendering.tokens(asked)
                    for asked in efforts_to_render(effort)
                }
                if None not in prompts.values():
                    check_rendered(effort, prompts, where, self._model)
        if self._settings.reasoning_budget is not None:
            await check_budget_field(self._one_token.request, where, self._settings.think_end)
