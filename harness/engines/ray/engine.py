"""One replica as the run's own process sees it: an engine whose calls go to an actor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import harness
from harness.engines.ray.actor import EngineInfo, Host
from harness.engines.ray.cluster import import_ray
from harness.engines.ray.options import Needs
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.errors import EngineError, HarnessError, UsageError
from harness.interfaces import Completion, Fingerprint, Request

_CALLS = 1 << 16  # in flight at one actor; `Replicas` keeps them far below
_CLOSE_SECONDS = 20.0  # for vLLM to end its processes


class RemoteEngine:
    """One start of one replica, in an actor; see `harness.interfaces.Engine`.

    The actor starts at once; `ready` and `wait_until_ready` wait for its engine.

    Args:
        settings: of the engine in the actor.
        needs: what the actor reserves.
        replica: number of the replica.
        restart: how often it was restarted before.
        notify: called with each notice of the engine.
    """

    def __init__(
        self,
        settings: EngineSettings,
        needs: Needs,
        *,
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
        self._info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo:
        """What the actor reported when its engine was ready.

        Raises:
            ReplicaLost: it is not ready.
        """
        if self._info is None:
            raise ReplicaLost("this actor is not ready")
        return self._info

    @property
    def concurrency(self) -> int:
        """Calls in flight that keep it busy."""
        return self.info.concurrency

    @property
    def opens_reasoning(self) -> bool:
        """Whether the prompt as rendered opens reasoning."""
        return self.info.opens_reasoning

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the engine in the actor."""
        return self.info.fingerprint

    def count_tokens(self, text: str) -> None:
        """None: the tokenizer is on the actor's node."""
        return

    def wait_until_ready(self) -> None:
        """Block until the engine is ready. Raises what its start raised."""
        try:
            self._accept(import_ray().get(self.opening))
        except import_ray().exceptions.RayError as error:
            raise engine_error(error) from error

    async def ready(self) -> None:
        """Wait until the engine is ready. Raises what its start raised."""
        if self._info is None:
            try:
                self._accept(await self.opening)
            except import_ray().exceptions.RayError as error:
                raise engine_error(error) from error

    async def generate(self, request: Request) -> Completion:
        """One sample.

        Raises:
            ReplicaLost: actor, node or engine is gone.
            EngineError: the engine failed on this sample.
        """
        try:
            call = self._actor.generate.remote(request)
            completion, notices = await call
        except asyncio.CancelledError:  # the caller has gone: free its place in the actor
            import_ray().cancel(call)
            raise
        except import_ray().exceptions.RayError as error:
            raise engine_error(error) from error
        for text in notices:
            self._notify(text)
        return completion  # type: ignore[no-any-return]

    async def close(self) -> None:
        """Let the engine end its processes, then end the actor."""
        try:
            await asyncio.wait_for(self._actor.close.remote(), _CLOSE_SECONDS)
        except (import_ray().exceptions.RayError, TimeoutError):
            pass  # it is gone, or does not answer
        finally:
            self.kill()

    def kill(self) -> None:
        """End the actor at once, started or not."""
        import_ray().kill(self._actor)

    def _accept(self, info: EngineInfo) -> None:
        if info.harness != harness.__version__:
            raise UsageError(
                f"a node of the cluster has harness {info.harness}, this one "
                f"{harness.__version__}: install the same version on all of them"
            )
        self._info = info
        for text in info.notices:
            self._notify(text)


def engine_error(error: Exception) -> HarnessError:
    """What an error of Ray's means: the engine's own error, or that the replica is lost."""
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
        # Not its repr: for a missing file that does not hold the name.
        why = (str(cause).strip().splitlines() or ["no more is known"])[0]
        return EngineError(f"the engine in a Ray actor failed: {type(cause).__name__}: {why}")
    return ReplicaLost((text.strip().splitlines() or [type(error).__name__])[0])
