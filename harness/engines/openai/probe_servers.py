"""Probes the servers of a run together: at least one answers, and they serve one model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.engines.openai.identify import Shown, other_model
from harness.engines.openai.probe import Probe, ServerInfo
from harness.engines.openai.server import Server, TransientError, Unreachable, open_session
from harness.errors import EngineDown

if TYPE_CHECKING:
    from harness.engines.chat import Chat
    from harness.engines.openai.options import Options
    from harness.engines.settings import EngineSettings

_PLACES = ("root", "file")
_ASKED_AT_START = ("repetition_guard", "effort", "reasoning_budget")


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
        probes = [Probe(session, server, model, settings, options) for server in servers]
        results = await asyncio.gather(*(p.identify() for p in probes), return_exceptions=True)
        found: list[tuple[Probe, Shown]] = []
        absent: list[tuple[Server, Exception]] = []
        for probe, result in zip(probes, results, strict=True):
            if isinstance(result, Unreachable | TransientError):
                absent.append((probe.server, result))
            elif isinstance(result, BaseException):
                raise result
            else:
                found.append((probe, result))
        _check_absent(servers, absent, settings)
        _check_alike([probe.server for probe, _ in found])
        first, shown = found[0]
        info = await first.describe(shown, chat)
        info.absent = absent
        for server, _ in absent:  # assumed: the servers of a run are alike
            server.kind, server.neutral = first.server.kind, first.server.neutral
            server.slots = first.server.slots
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
            "every server is asked at the start whether it can; start it, or leave it out of --base-url"
        )


def _check_alike(servers: Sequence[Server]) -> None:
    """EngineDown where two servers show that they serve different models."""
    first = servers[0]
    for server in servers[1:]:
        # One model may lie in another folder on every machine.
        sides = ({n: v for n, v in s.model.items() if n not in _PLACES} for s in (first, server))
        if difference := other_model(*sides):
            raise EngineDown(
                f"{first.address.shown} and {server.address.shown} serve different models "
                f"({difference}): a run has one; leave the other out of --base-url"
            )
