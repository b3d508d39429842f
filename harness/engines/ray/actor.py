"""The actor on a node of the cluster: it holds one engine and forwards calls to it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import harness
from harness.engines import make_engine
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.errors import DataError, EngineDown, UsageError
from harness.interfaces import Completion, Engine, Request


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What an actor reports about its engine once that is ready.

    Args:
        fingerprint: of the engine.
        concurrency: calls in flight that keep it busy.
        opens_reasoning: whether the prompt as rendered opens reasoning.
        harness: version of the harness on the actor's node.
        notices: lines for the user, from the start of the engine.
    """

    fingerprint: Mapping[str, Any]
    concurrency: int
    opens_reasoning: bool
    harness: str
    notices: tuple[str, ...]


class Host:
    """The actor: holds one engine and forwards calls to it.

    The engine's notices to the user travel back with what it returns.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._notices: list[str] = []

    async def open(self, settings: EngineSettings, replica: int, restart: int) -> EngineInfo:
        """Load the engine.

        Args:
            settings: of the engine.
            replica: number of the replica.
            restart: how often it was restarted before.

        Raises:
            UsageError, DataError, EngineDown: those of the engine, with this node's name.
        """
        settings = replace(settings, notify=self._notices.append)
        try:
            self._engine = engine = await asyncio.to_thread(_build, settings, replica, restart)
        except (UsageError, DataError, EngineDown) as error:
            raise type(error)(f"on node {socket.gethostname()}: {error}") from error
        return EngineInfo(
            dict(engine.fingerprint()),
            engine.concurrency,
            bool(engine.opens_reasoning),  # vLLM in this process always knows
            harness.__version__,
            self._take_notices(),
        )

    async def generate(self, request: Request) -> tuple[Completion, tuple[str, ...]]:
        """One sample, and the notices since the last call.

        Raises:
            ReplicaLost: this actor holds no engine.
        """
        if self._engine is None:
            raise ReplicaLost("this actor holds no engine")
        return await self._engine.generate(request), self._take_notices()

    async def close(self) -> None:
        """Free what the engine holds."""
        if self._engine is not None:
            await self._engine.close()

    def _take_notices(self) -> tuple[str, ...]:
        notices = tuple(self._notices)
        self._notices.clear()
        return notices


def _build(settings: EngineSettings, replica: int, restart: int) -> Engine:
    """The engine of one start of one replica; `Replicas` restarts it, also where it is vLLM."""
    if settings.engine == "vllm":
        from harness.engines.vllm.engine import VllmEngine

        return VllmEngine.single(settings, replica, restart)
    return make_engine(replace(settings, seed=settings.draw_seed(replica, restart)))
