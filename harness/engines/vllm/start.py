"""Starts the replicas of the vllm engine, each on GPUs of its own."""

from __future__ import annotations

import asyncio
import threading

from harness.engines.replicas import Replicas
from harness.engines.settings import EngineSettings
from harness.engines.vllm.args import EngineArgs, assign_devices, read_engine_args
from harness.engines.vllm.engine import VllmEngine
from harness.engines.vllm.process import Processes, visible_devices

_POLL_SECONDS = 0.2  # for an interruption while the first model is loaded


class ReplicaStarter:
    """Starts replicas, each on GPUs of its own; the first one is started at once.

    Args:
        settings: of the run.

    Raises:
        UsageError: vLLM is missing, refuses its arguments, or lacks memory or GPUs.
        DataError: the model cannot be loaded.
    """

    def __init__(self, settings: EngineSettings) -> None:
        self._settings, self._args = settings, read_engine_args(settings)
        self._devices = _devices(settings, self._args)
        self._engines: dict[int, VllmEngine] = {0: self._build_first()}

    @property
    def first(self) -> VllmEngine:
        """The engine of replica 0."""
        return self._engines[0]

    async def __call__(self, replica: int, restart: int) -> VllmEngine:
        """One replica, ready to generate. Raises what its start raised.

        Args:
            replica: its number.
            restart: how often it was restarted before.
        """
        if (replica, restart) == (0, 0):
            return self._engines[0]
        if replica in self._engines:  # its GPUs are free only after it has ended
            await self._engines[replica].close()
        own, loop = Processes(), asyncio.get_running_loop()
        building = loop.run_in_executor(None, self._build, replica, restart, own)
        try:
            engine = await asyncio.shield(building)
        except asyncio.CancelledError:
            own.end()
            building.add_done_callback(_shut_down)
            raise
        self._engines[replica] = engine
        return engine

    def _build_first(self) -> VllmEngine:
        """Build replica 0; its start fails at once when the run is interrupted meanwhile."""
        own, over = Processes(), threading.Event()

        def watch() -> None:
            while not over.wait(_POLL_SECONDS):
                if self._settings.stopped():
                    own.end()
                    return

        threading.Thread(target=watch, daemon=True).start()
        try:
            return self._build(0, 0, own)
        finally:
            over.set()

    def _build(self, replica: int, restart: int, own: Processes) -> VllmEngine:
        devices = self._devices[replica] if self._devices else None
        seed = self._settings.draw_seed(replica, restart)
        return VllmEngine(self._settings, self._args, seed=seed, devices=devices, processes=own)


def open_engine(settings: EngineSettings) -> Replicas:
    """The vllm engine, with its first replica ready.

    Raises:
        UsageError: vLLM is missing, refuses its arguments, or lacks memory or GPUs.
        DataError: the model cannot be loaded.
    """
    start = ReplicaStarter(settings)
    return Replicas(
        start,
        settings.replicas or 1,
        each=start.first.concurrency,
        opens_reasoning=start.first.opens_reasoning,
        fingerprint=start.first.fingerprint(),
        count_tokens=start.first.count_tokens,
        notify=settings.notify,
    )


def _devices(settings: EngineSettings, args: EngineArgs) -> list[list[str]] | None:
    """The GPUs of each replica; a single one takes those that vLLM chooses."""
    replicas = settings.replicas or 1
    visible = visible_devices() if replicas > 1 else None
    return None if visible is None else assign_devices(replicas, args.gpus, visible)


def _shut_down(building: asyncio.Future[VllmEngine]) -> None:
    """Shut down an engine that became ready after the run was cancelled."""
    if not building.cancelled() and building.exception() is None:
        building.result().shutdown()
