"""One engine in a Ray actor, seen from both sides: the actor that holds it, and its driver's end."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import harness
from harness.engines import make_engine
from harness.engines.ray.cluster import Node, import_ray
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.errors import DataError, EngineDown, EngineError, HarnessError, UsageError
from harness.interfaces import Completion, Engine, Request

_CALLS = 1 << 16  # at one actor at once: `Replicas` keeps them far below
_CLOSE_SECONDS = 20.0  # for vLLM to end its processes


@dataclass(frozen=True, slots=True)
class Needs:
    """What one replica takes of its node."""

    gpus: float
    cpus: float

    def room(self, node: Node) -> int:
        """How many such replicas an idle node holds."""
        limits = [int(have / need) for have, need in self._pairs(node) if need]
        return min(limits) if limits else 1

    def _pairs(self, node: Node) -> list[tuple[int, float]]:
        return [(node.gpus, self.gpus), (node.cpus, self.cpus)]

    def __str__(self) -> str:
        return f"{self.gpus:g} GPUs and {self.cpus:g} CPUs"


@dataclass(frozen=True, slots=True)
class Facts:
    """What an actor says of its engine once it is up."""

    fingerprint: Mapping[str, Any]
    concurrency: int
    opens_reasoning: bool
    harness: str
    told: tuple[str, ...]


class Host:
    """The actor: holds one engine and hands calls on to it.

    What the engine would tell the user travels back with what it returns.
    """

    def __init__(self) -> None:
        self._engine: Engine | None = None
        self._notices: list[str] = []

    async def open(self, settings: EngineSettings, replica: int, restart: int) -> Facts:
        """Load the engine. Its errors name this node."""
        settings = replace(settings, notify=self._notices.append)
        try:
            self._engine = engine = await asyncio.to_thread(_build, settings, replica, restart)
        except (UsageError, DataError, EngineDown) as error:
            raise type(error)(f"on node {socket.gethostname()}: {error}") from error
        return Facts(
            dict(engine.fingerprint()),
            engine.concurrency,
            engine.opens_reasoning,
            harness.__version__,
            self._take_notices(),
        )

    async def generate(self, request: Request) -> tuple[Completion, tuple[str, ...]]:
        """One sample, and what the user should be told."""
        if self._engine is None:
            raise ReplicaLost("this actor holds no engine")
        return await self._engine.generate(request), self._take_notices()

    async def close(self) -> None:
        """Free what the engine holds."""
        if self._engine is not None:
            await self._engine.close()

    def _take_notices(self) -> tuple[str, ...]:
        told = tuple(self._notices)
        self._notices.clear()
        return told


def _build(settings: EngineSettings, replica: int, restart: int) -> Engine:
    """The engine of one life of one replica. vLLM's own restarts are left to `Replicas`."""
    if settings.engine == "vllm":
        from harness.engines.vllm.engine import VllmEngine

        return VllmEngine.single(settings, replica, restart)
    return make_engine(replace(settings, seed=settings.draw_seed(replica, restart)))


class RemoteEngine:
    """One life of one replica as this process sees it; see `harness.interfaces.Engine`.

    Args:
        settings: of the engine in the actor.
        needs: what the actor takes.
        replica: its number.
        life: of the replica.
        notify: told what the engine tells.
    """

    def __init__(
        self,
        settings: EngineSettings,
        needs: Needs,
        replica: int,
        restart: int,
        notify: Callable[[str], None],
    ) -> None:
        self._notify = notify
        actor = import_ray().remote(Host)
        self._actor = actor.options(
            num_gpus=needs.gpus,
            num_cpus=needs.cpus,
            max_concurrency=_CALLS,
            max_restarts=0,
            scheduling_strategy="SPREAD",
        ).remote()
        self.opening = self._actor.open.remote(settings, replica, restart)
        self._facts: Facts | None = None

    @property
    def facts(self) -> Facts:
        """What is known since it is up."""
        if self._facts is None:
            raise ReplicaLost("this actor is not up")
        return self._facts

    @property
    def concurrency(self) -> int:
        """Calls in flight that keep it busy."""
        return self.facts.concurrency

    @property
    def opens_reasoning(self) -> bool:
        """Whether the prompt as rendered opens reasoning."""
        return self.facts.opens_reasoning

    def fingerprint(self) -> Mapping[str, Any]:
        """Of the engine in the actor."""
        return self.facts.fingerprint

    def count_tokens(self, text: str) -> None:
        """Unknown: the tokenizer is elsewhere."""
        return

    def settle(self) -> None:
        """Take the facts, waiting for them. Raises what the start raised."""
        try:
            self._accept(import_ray().get(self.opening))
        except import_ray().exceptions.RayError as error:
            raise fault(error) from error

    async def up(self) -> None:
        """Wait until the engine is ready. Raises what its start raised."""
        if self._facts is None:
            try:
                self._accept(await self.opening)
            except import_ray().exceptions.RayError as error:
                raise fault(error) from error

    async def generate(self, request: Request) -> Completion:
        """One sample. ReplicaLost when actor, node or engine is gone."""
        try:
            call = self._actor.generate.remote(request)
            completion, told = await call
        except asyncio.CancelledError:  # nobody wants it any more: its place is another's
            import_ray().cancel(call)
            raise
        except import_ray().exceptions.RayError as error:
            raise fault(error) from error
        for text in told:
            self._notify(text)
        return completion  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Let the engine end its processes, then end the actor."""
        try:
            await asyncio.wait_for(self._actor.close.remote(), _CLOSE_SECONDS)
        except (import_ray().exceptions.RayError, TimeoutError):
            pass  # it is dead, or does not answer
        finally:
            self.kill()

    def kill(self) -> None:
        """End the actor at once, started or not."""
        import_ray().kill(self._actor)

    def _accept(self, facts: Facts) -> None:
        if facts.harness != harness.__version__:
            raise UsageError(
                f"a node of the cluster has harness {facts.harness}, this one "
                f"{harness.__version__}: install the same version on all of them"
            )
        self._facts = facts
        for text in facts.told:
            self._notify(text)


def fault(error: Exception) -> HarnessError:
    """What an error of Ray's means: the engine's own error, or that the replica is gone."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, HarnessError):
        return cause
    text = str(error)
    if "No module named 'harness" in text:
        return UsageError(
            "a node of the cluster cannot import harness: install it there, in the environment "
            "that `ray start` runs in"
        )
    if isinstance(error, import_ray().exceptions.RayTaskError):
        # Not its repr: that of a file which is missing does not name it.
        why = (str(cause).strip().splitlines() or ["no more is known"])[0]
        return EngineError(f"the engine in a Ray actor failed: {type(cause).__name__}: {why}")
    return ReplicaLost((text.strip().splitlines() or [type(error).__name__])[0])
