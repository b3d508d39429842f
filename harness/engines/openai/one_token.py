"""Requests for one token: what is tried on a server, sampled as the run's samples are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from harness.engines.openai.completions import request_body
from harness.engines.openai.models import exchange_with_retries, wrong_key
from harness.engines.openai.server import COMPLETIONS, Refusal, Server, exchange
from harness.interfaces import Request
from harness.sampling import Sampling
from harness.stats.seeds import SEEDS
from harness.types import Prompt

if TYPE_CHECKING:
    from aiohttp import ClientSession

    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings

_SECONDS = 60.0  # a server may load the model for the first one


@dataclass(frozen=True, slots=True)
class OneToken:
    """Requests of one token each to one server.

    Args:
        session: the connections.
        server: with what is known of its kind by then.
        model: the name that it knows the model by.
        settings: of the engine.
        options: of the engine.
    """

    session: ClientSession
    server: Server
    model: str
    settings: EngineSettings
    options: Options

    async def request(self, fields: Mapping[str, Any]) -> Any:
        """Request one token with further fields, a few times where it fails; returns the reply.

        Raises:
            EngineDown: the key is refused.
            Refusal, Unreachable, TransientError: as `exchange` does.
        """
        address = self.server.address
        try:
            return await exchange_with_retries(
                self.session, address, COMPLETIONS, self._body(fields), seconds=_SECONDS
            )
        except Refusal as refusal:
            if refusal.status in (401, 403):
                raise wrong_key(address, refusal) from refusal
            raise

    async def request_once(self, fields: Mapping[str, Any]) -> Any:
        """The same, tried once: what is expected to fail is not tried again.

        Raises:
            Refusal, Unreachable, TransientError: as `exchange` does.
        """
        body = self._body(fields)
        return await exchange(self.session, self.server.address, COMPLETIONS, _SECONDS, body)

    def _body(self, fields: Mapping[str, Any]) -> bytes:
        options = self.options
        body = probe_body(self.settings, self.model, options.cap_field, options.body)
        return orjson.dumps({**self.server.neutral, **body, **fields})


def probe_body(
    settings: EngineSettings, model: str, cap_field: str, extra: Mapping[str, Any]
) -> dict[str, Any]:
    """A request for one token, sampled as the run samples: some servers keep to their first one.

    Args:
        settings: of the engine.
        model: the name that the server knows the model by.
        cap_field: the name of the cap.
        extra: further fields.
    """
    first = next(iter(settings.samplings), Sampling())
    # What not every server has is tried by itself.
    plain = replace(first, repetition_guard=None, reasoning_budget=None, effort=None)
    seed = settings.seed % SEEDS if settings.seeded else None
    request = Request("", 0, Prompt("Say OK."), plain, seed)
    return request_body(request, model, 1, cap_field, extra)
