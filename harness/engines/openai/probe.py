"""The first words with a server: is it there, does it know the model, what does it say of itself."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from harness.data.reasoning import opening_tag
from harness.engines.openai.server import (
    COMPLETIONS,
    Address,
    Fault,
    Refusal,
    Server,
    Unreachable,
    exchange,
    open_session,
)
from harness.engines.repetition import detection
from harness.errors import EngineDown, UsageError

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.chat import Chat
    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings

_SECONDS = 10.0
_COMPLETION_SECONDS = 60.0  # a server may load the model for the first one
_TRIES = 3
_SHOWN_MODELS = 8
_NO_MODEL = re.compile(r"unknown model|models?\b.*(?:not found|not exist|unknown)", re.I)


@dataclass(slots=True)
class Greeting:
    """What is known of the servers before the first sample.

    Args:
        facts: for the fingerprint: max_model_len, root, owned_by and versions, where they say so.
        context: tokens that prompt and completion may have together, where that is known.
        opens_reasoning: whether the chat template ends inside open reasoning, as far as can be seen.
        absent: servers that do not answer while another one does.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    context: int | None = None
    opens_reasoning: bool = False
    absent: list[tuple[Server, Exception]] = field(default_factory=list)


async def greet(
    servers: Sequence[Server],
    model: str,
    settings: EngineSettings,
    options: Options,
    chat: Chat | None,
) -> Greeting:
    """Look at every server.

    Raises:
        EngineDown: none answers, or one refuses the key or does not serve the model.
        UsageError: one cannot keep the repetition guard.
    """
    session = open_session()
    try:
        looks = await asyncio.gather(
            *(_look(session, server.address, model, settings, options) for server in servers),
            return_exceptions=True,
        )
        greeting = Greeting()
        entries: list[tuple[Server, Mapping[str, Any]]] = []
        for server, look in zip(servers, looks, strict=True):
            if isinstance(look, Unreachable | Fault):
                greeting.absent.append((server, look))
            elif isinstance(look, BaseException):
                raise look
            else:
                server.is_vllm = look.get("owned_by") == "vllm"
                entries.append((server, look))
        if not entries:
            shown = " and ".join(server.address.shown for server in servers)
            raise EngineDown(
                f"{shown} does not answer ({greeting.absent[0][1]}): start the server, or check "
                "--base-url"
            )
        if greeting.absent and settings.repetition_guard is not None:
            server, why = greeting.absent[0]
            raise EngineDown(
                f"{server.address.shown} does not answer ({why}): with --repetition-guard every "
                "server is asked at the start whether it can; start it, or leave it out"
            )
        await _describe(session, greeting, *entries[0], settings, options, chat)
        for server, _ in greeting.absent:
            server.is_vllm = entries[0][0].is_vllm  # as far as one can tell
    finally:
        await session.close()
    if len(servers) > 1 and not settings.seeded:
        settings.notify(
            f"{len(servers)} servers: each must have been started with a seed of its own, or they "
            "may repeat each other's samples (vLLM's default is the same for all); --seeded sends "
            "one per sample"
        )
    return greeting


async def _look(
    session: ClientSession,
    address: Address,
    model: str,
    settings: EngineSettings,
    options: Options,
) -> Mapping[str, Any]:
    """What /models says of the model; empty where there is no such list."""
    listed = await _list_models(session, address)
    entry = next((entry for entry in listed if entry.get("id") == model), None)
    if entry is None:
        await _try_model(session, address, model, options, listed)
    if settings.repetition_guard is not None:
        await _check_guard(session, address, model, options)
    return entry or {}


async def _list_models(session: ClientSession, address: Address) -> list[Mapping[str, Any]]:
    try:
        answer = await _patiently(session, address, "/models")
    except Refusal as refusal:
        if refusal.status in (401, 403):
            raise wrong_key(address, refusal) from refusal
        if refusal.status == 404:
            await _suggest_v1(session, address)
        return []
    return _entries(answer)


def _entries(answer: Any) -> list[Mapping[str, Any]]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


async def _try_model(
    session: ClientSession,
    address: Address,
    model: str,
    options: Options,
    listed: Sequence[Mapping[str, Any]],
) -> None:
    """Ask for one token: not every server lists all that it serves, or has a list."""
    try:
        await _complete(session, address, probe_body(model, options.cap_field, options.body))
    except Fault as fault:
        if not fault.limited:  # it is there, and busy
            raise
    except Refusal as refusal:
        if is_model_unknown(refusal):
            raise unknown_model(address, model, refusal, listed) from refusal


async def _complete(session: ClientSession, address: Address, body: Mapping[str, Any]) -> None:
    """Ask for a completion at the start; EngineDown where the key is refused."""
    try:
        await _patiently(session, address, COMPLETIONS, orjson.dumps(body), _COMPLETION_SECONDS)
    except Refusal as refusal:
        if refusal.status in (401, 403):
            raise wrong_key(address, refusal) from refusal
        raise


async def _check_guard(
    session: ClientSession, address: Address, model: str, options: Options
) -> None:
    """Raise UsageError unless the server has vLLM's repetition detection.

    One that has it takes what is right and refuses what cannot be read. Older versions of vLLM and
    many other servers ignore a field that they do not know, others refuse it in any form.
    """
    body = probe_body(model, options.cap_field, options.body)
    for value, due in ((detection(2), True), ({"min_count": "none"}, False)):
        why = None
        try:
            await _complete(session, address, {**body, "repetition_detection": value})
        except Refusal as refusal:
            why = refusal
        if (why is None) is not due:
            raise UsageError(
                f"--repetition-guard: {address.shown} does not have vLLM's repetition detection"
                f"{f' ({why})' if why else ''}; serve the model with a newer version of vLLM, or "
                "leave the guard out"
            )


async def _patiently(
    session: ClientSession,
    address: Address,
    path: str,
    body: bytes | None = None,
    seconds: float = _SECONDS,
) -> Any:
    for number in range(_TRIES):
        try:
            return await exchange(session, address, path, seconds, body)
        except (Unreachable, Fault):
            if number == _TRIES - 1:
                raise
            await asyncio.sleep(0.5)
    raise AssertionError


async def _suggest_v1(session: ClientSession, address: Address) -> None:
    """EngineDown where the API lies under /v1 and the base URL left that out."""
    longer = replace(address, shown=address.shown + "/v1")
    try:
        await exchange(session, longer, "/models", _SECONDS)
    except (Unreachable, Fault, Refusal):
        return
    raise EngineDown(f"{address.shown} has no /models, {longer.shown} has: use that as --base-url")


async def _describe(
    session: ClientSession,
    greeting: Greeting,
    server: Server,
    entry: Mapping[str, Any],
    settings: EngineSettings,
    options: Options,
    chat: Chat | None,
) -> None:
    facts = {name: entry[name] for name in ("max_model_len", "root", "owned_by") if entry.get(name)}
    length = entry.get("max_model_len")
    greeting.context = length if isinstance(length, int) else None
    if server.is_vllm:
        answer = await _aside(session, server.address.root, "/version")
        if isinstance(answer, dict) and isinstance(answer.get("version"), str):
            facts["versions"] = {"vllm": answer["version"]}
    if chat is not None:
        # Where a parser splits reasoning off, a text without one is a response.
        greeting.opens_reasoning = chat.opens_reasoning and "reasoning_parser" not in options.serve
    elif server.is_vllm:
        greeting.opens_reasoning = await _opens_reasoning(
            session, server.address, settings, options
        )
    greeting.facts = facts


async def _opens_reasoning(
    session: ClientSession, address: Address, settings: EngineSettings, options: Options
) -> bool:
    """Whether the chat template of a vLLM server ends inside open reasoning, as it renders it."""
    body: dict[str, Any] = {"model": settings.model, "messages": [{"role": "user", "content": "x"}]}
    if "chat_template_kwargs" in options.body:
        body["chat_template_kwargs"] = options.body["chat_template_kwargs"]
    found = await _aside(session, address.root, "/tokenize", body)
    tokens = found.get("tokens") if isinstance(found, dict) else None
    if not tokens:
        return False
    body = {"model": settings.model, "tokens": tokens}
    found = await _aside(session, address.root, "/detokenize", body)
    text = str(found.get("prompt", "")) if isinstance(found, dict) else ""
    return text.rfind(opening_tag(settings.think_end)) > text.rfind(settings.think_end)


async def _aside(
    session: ClientSession, address: Address, path: str, body: Mapping[str, Any] | None = None
) -> Any:
    """What a server may tell; None where it does not."""
    sent = None if body is None else orjson.dumps(body)
    try:
        return await _patiently(session, address, path, sent)
    except (Unreachable, Fault, Refusal):
        return None


def probe_body(model: str, cap_field: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """A request for next to nothing."""
    turn = {"role": "user", "content": "Say OK."}
    return {"model": model, "messages": [turn], cap_field: 1, **extra}


def is_model_unknown(refusal: Refusal) -> bool:
    """Whether a server refuses a request because it does not serve the model."""
    return refusal.status == 404 or _NO_MODEL.search(refusal.text) is not None


def wrong_key(address: Address, refusal: Refusal) -> EngineDown:
    """The error for a key that is missing or refused."""
    return EngineDown(
        f"{address.shown} refuses the key ({refusal}): set OPENAI_API_KEY to one that it accepts"
    )


def unknown_model(
    address: Address, model: str, refusal: Refusal, listed: Sequence[Mapping[str, Any]]
) -> EngineDown:
    """The error for a model that a server does not serve, with those that it does."""
    names = [str(entry.get("id")) for entry in listed]
    if not names or model in names:
        return EngineDown(f"{address.shown} does not serve {model} ({refusal}): check --model")
    near = difflib.get_close_matches(model, names, _SHOWN_MODELS, 0.5) or names[:_SHOWN_MODELS]
    rest = len(names) - len(near)
    more = f" and {rest} more" if rest else ""
    return EngineDown(
        f"{address.shown} does not serve {model}: --model is one of {', '.join(near)}{more}"
    )


async def explain_model(
    session: ClientSession, address: Address, model: str, refusal: Refusal
) -> EngineDown:
    """`unknown_model` with the list that the server gives now."""
    listed = _entries(await _aside(session, address, "/models"))
    return unknown_model(address, model, refusal, listed)
