"""Which models a server lists, and the errors for a model or a key that it does not accept."""

from __future__ import annotations

import asyncio
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from harness.engines.openai.address import Address
from harness.engines.openai.server import Refusal, TransientError, Unreachable, exchange
from harness.errors import EngineDown

if TYPE_CHECKING:
    from aiohttp import ClientSession

SECONDS = 10.0
"""Time limit of a small request."""

_TRIES = 3
_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 60.0  # a window of a minute, of which most rate limits are
_SHOWN_MODELS = 8
# "Invalid model name" is LiteLLM's, "Server is pinned to" that of transformers serve.
_NO_MODEL = re.compile(
    r"unknown model|models?\b.*(?:not found|not exist|unknown)|invalid model name|server is pinned to",
    re.I,
)

ModelEntry = Mapping[str, Any]
"""One entry of a server's /models, as JSON: id, and with vLLM owned_by, root and max_model_len."""


async def exchange_with_retries(
    session: ClientSession,
    address: Address,
    path: str,
    body: bytes | None = None,
    *,
    seconds: float = SECONDS,
) -> Any:
    """One small exchange, retried a few times; raises what `exchange` raises.

    A server that asks to wait for up to a minute is asked again after that.

    Args:
        session: the connections.
        address: of the server.
        path: below the address.
        body: JSON to be posted.
        seconds: time limit of each try.
    """
    for number in range(_TRIES):
        try:
            return await exchange(session, address, path, seconds, body)
        except (Unreachable, TransientError) as error:
            wait = (error.wait or 0.0) if isinstance(error, TransientError) else 0.0
            if number == _TRIES - 1 or wait > _LONGEST_PAUSE_SECONDS:
                raise
            await asyncio.sleep(max(_PAUSE_SECONDS, wait))
    raise AssertionError


async def optional_exchange(
    session: ClientSession, address: Address, path: str, body: Mapping[str, Any] | None = None
) -> Any:
    """The JSON of an optional path of a server; None where it does not answer.

    Args:
        session: the connections.
        address: of the server.
        path: below the address.
        body: JSON to be posted.
    """
    sent = None if body is None else orjson.dumps(body)
    try:
        return await exchange_with_retries(session, address, path, sent)
    except (Unreachable, TransientError, Refusal):
        return None


async def list_models(session: ClientSession, address: Address) -> list[ModelEntry]:
    """The models that a server lists; none where it has no list, or is too busy to show it.

    A server that answers anything at all may still serve completions, which is for these to show.

    Raises:
        EngineDown: it refuses the key, or the API is under /v1 and the base URL lacks that.
        Unreachable, TransientError: it does not answer.
    """
    try:
        answer = await exchange_with_retries(session, address, "/models")
    except Refusal as refusal:
        if refusal.status in (401, 403):
            raise wrong_key(address, refusal) from refusal
        if refusal.status == 404:
            await _check_v1(session, address)
        return []
    except TransientError as error:
        if error.status is None:
            raise
        return []
    return _entries(answer)


def _entries(answer: Any) -> list[ModelEntry]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []


async def _check_v1(session: ClientSession, address: Address) -> None:
    """EngineDown where the API is under /v1 and the base URL lacks that."""
    longer = replace(address, shown=address.shown + "/v1")
    try:
        await exchange(session, longer, "/models", SECONDS)
    except (Unreachable, TransientError, Refusal):
        return
    raise EngineDown(f"{address.shown} has no /models, {longer.shown} has: use that as --base-url")


def is_model_unknown(refusal: Refusal) -> bool:
    """Whether a server refuses a request because it does not serve the model."""
    return refusal.status == 404 or _NO_MODEL.search(refusal.text) is not None


def wrong_key(address: Address, refusal: Refusal) -> EngineDown:
    """The error for a key that is missing or refused."""
    return EngineDown(
        f"{address.shown} refuses the key ({refusal}): set OPENAI_API_KEY to one that it accepts"
    )


def unknown_model(
    address: Address, model: str, refusal: Refusal, listed: Sequence[ModelEntry]
) -> EngineDown:
    """The error for a model that a server does not serve; it names similar ones that it serves.

    Args:
        address: of the server.
        model: as it was asked for.
        refusal: of the request.
        listed: the models that the server lists.
    """
    names = [str(entry.get("id")) for entry in listed]
    if not names or model in names:
        return EngineDown(f"{address.shown} does not serve {model} ({refusal}): check --model")
    near = difflib.get_close_matches(model, names, _SHOWN_MODELS, 0.5) or names[:_SHOWN_MODELS]
    rest = len(names) - len(near)
    more = f" and {rest} more" if rest else ""
    return EngineDown(
        f"{address.shown} does not serve {model}: --model is one of {', '.join(near)}{more}"
    )


def refused_at_start(
    address: Address, model: str, refusal: Refusal, listed: Sequence[ModelEntry]
) -> EngineDown:
    """The error for a server that refuses what it is asked before the first sample.

    Args:
        address: of the server.
        model: as it was asked for.
        refusal: of the request.
        listed: the models that the server lists.
    """
    if is_model_unknown(refusal):
        return unknown_model(address, model, refusal, listed)
    if refusal.status in (401, 403):
        return wrong_key(address, refusal)
    return EngineDown(
        f"{address.shown} refuses a request for one token, sampled as the run is ({refusal}): "
        "check --base-url, --model and each --engine-arg"
    )


async def unknown_model_now(
    session: ClientSession, address: Address, model: str, refusal: Refusal
) -> EngineDown:
    """`unknown_model` with the list that the server gives at this moment.

    Args:
        session: the connections.
        address: of the server.
        model: as it was asked for.
        refusal: of the request.
    """
    listed = _entries(await optional_exchange(session, address, "/models"))
    return unknown_model(address, model, refusal, listed)
