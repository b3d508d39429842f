"""Starts replicas as actors on a Ray cluster: `--engine ray`, on one node or many.

    this process                               nodes of the cluster
      Replicas  -> RemoteEngine  ~~ Ray ~~>  Host -> vllm or transformers engine
                -> RemoteEngine  ~~ Ray ~~>  Host -> ...

`ray:NAME` names the engine in the actors; vllm is the default. An actor gets `gpus` GPUs of one
node, over which vLLM's tensor parallelism spreads with processes of its own: a replica does not
span nodes. When a node is lost, its replicas restart, with new draws, wherever there is room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.engines.chat import Chat
from harness.engines.ray.actor import EngineInfo
from harness.engines.ray.cluster import Cluster, import_ray
from harness.engines.ray.engine import RemoteEngine
from harness.engines.ray.options import Needs, split_options
from harness.engines.replicas import Replicas
from harness.engines.settings import EngineSettings
from harness.errors import DataError, EngineDown, EngineError, UsageError
from harness.interfaces import Engine

INNER = ("vllm", "transformers")
"""Engines that an actor may hold."""

_FOLDERS = ("lora", "tokenizer")  # options of engines that may name a folder
_POLL_SECONDS = 0.5
_NOTICE_SECONDS = 20.0  # without a ready replica, before the user reads what the start waits for


class ReplicaStarter:
    """Starts replicas; the first start of each begins at once, and all load side by side.

    Args:
        settings: of the engines in the actors.
        needs: what each reserves.
        n: replicas.
        here: the settings of the run, for its `notify` and `stopped`.

    Raises:
        UsageError, DataError: of the first replica whose start was refused.
        EngineDown: no replica could start, or the run was interrupted.
    """

    def __init__(
        self, settings: EngineSettings, needs: Needs, n: int, here: EngineSettings
    ) -> None:
        self._settings, self.needs, self._here = settings, needs, here
        self._unclaimed = {number: self._create(number, 0) for number in range(n)}
        try:
            self.first = self._wait_for_first()
        except BaseException:
            self.kill()
            raise

    async def __call__(self, replica: int, restart: int) -> Engine:
        """One replica, ready to generate. Raises what its start raised.

        Args:
            replica: its number.
            restart: how often it was restarted before.
        """
        engine = self._unclaimed.pop(replica, None) or self._create(replica, restart)
        try:
            await engine.ready()
        except BaseException:
            engine.kill()
            raise
        return engine

    def kill(self) -> None:
        """End the replicas that were started and not asked for yet."""
        for engine in self._unclaimed.values():
            engine.kill()

    def _create(self, replica: int, restart: int) -> RemoteEngine:
        return RemoteEngine(
            self._settings,
            self.needs,
            replica=replica,
            restart=restart,
            notify=self._here.notify,
        )

    def _wait_for_first(self) -> RemoteEngine:
        """The replica that is ready first."""
        ray, lost = import_ray(), ""
        notified = time.monotonic()
        while self._unclaimed:
            if self._here.stopped():
                raise EngineDown("interrupted while the replicas start")
            opening = {engine.opening: number for number, engine in self._unclaimed.items()}
            done, _ = ray.wait(list(opening), num_returns=1, timeout=_POLL_SECONDS)
            if not done:
                if time.monotonic() - notified > _NOTICE_SECONDS:
                    notified = time.monotonic()
                    self._notify_waiting(ray.available_resources())
                continue
            engine = self._unclaimed[opening[done[0]]]
            try:
                engine.wait_until_ready()
                return engine
            except EngineError as error:  # of this actor or its node
                lost = str(error)
                engine.kill()
                del self._unclaimed[opening[done[0]]]  # `Replicas` starts it again
        raise EngineDown(f"no replica started on the Ray cluster: {lost}")

    def _notify_waiting(self, free: Mapping[str, float]) -> None:
        short = free.get("GPU", 0) < self.needs.gpus or free.get("CPU", 0) < self.needs.cpus
        if short:
            self._here.notify(
                f"waiting for the Ray cluster: a replica takes {self.needs}, and "
                f"{free.get('GPU', 0):g} and {free.get('CPU', 0):g} are free"
            )


class ClusterReplicas(Replicas):
    """Replicas on a cluster, and the connection to the cluster, which ends with them.

    Args:
        cluster: connected.
        start: starts the replicas; one of them is ready.
        settings: of the run.
        n: replicas.
    """

    def __init__(
        self, cluster: Cluster, start: ReplicaStarter, settings: EngineSettings, n: int
    ) -> None:
        info = start.first.info
        super().__init__(
            start,
            n,
            each=info.concurrency,
            opens_reasoning=info.opens_reasoning,
            fingerprint={**_fingerprint(info), "gpus": start.needs.gpus},
            count_tokens=_token_counter(settings),
            notify=settings.notify,
        )
        self._cluster, self._starter = cluster, start

    async def close(self) -> None:
        """End every actor, and the cluster where it was started for this run."""
        await super().close()
        self._starter.kill()
        await asyncio.to_thread(self._cluster.close)


def open_engine(settings: EngineSettings) -> ClusterReplicas:
    """The ray engine, with one replica ready.

    Raises:
        UsageError: an inner engine that no actor holds, an option that cannot be honoured, or a
            missing package, here or on a node.
        DataError: the model cannot be loaded.
        EngineDown: no cluster answers, or no replica starts.
    """
    inner = settings.engine.partition(":")[2] or "vllm"
    if inner not in INNER:
        raise UsageError(f"--engine ray:{inner}: an actor holds one of {', '.join(INNER)}")
    cluster = Cluster(settings.ray_address)
    try:
        nodes = cluster.nodes()
        needs, options = split_options(settings.options, nodes)
        room = sum(needs.room(node) for node in nodes)
        n = settings.replicas or (room if needs.gpus else 1)
        if n > room and (needs.gpus or needs.cpus):
            settings.notify(
                f"{n} replicas are asked for and the cluster holds {room}: the others start where "
                "nodes join"
            )
        remote = replace(
            settings.for_another_process(),
            engine=inner,
            model=_absolute_folder(settings.model),
            options={
                name: _absolute_folder(text) if name in _FOLDERS else text
                for name, text in options.items()
            },
            replicas=None,
            ray_address=None,
        )
        return ClusterReplicas(cluster, ReplicaStarter(remote, needs, n, settings), settings, n)
    except BaseException:
        cluster.close()
        raise


def _absolute_folder(name: str) -> str:
    """The whole path of a folder, since an actor has another working folder; else the name."""
    folder = Path(name)
    return str(folder.resolve()) if folder.is_dir() else name


def _fingerprint(info: EngineInfo) -> dict[str, Any]:
    versions = {**info.fingerprint.get("versions", {}), "ray": version("ray")}
    engine = f"ray:{info.fingerprint['engine']}"
    return {**info.fingerprint, "engine": engine, "versions": versions}


def _token_counter(settings: EngineSettings) -> Callable[[str], int | None]:
    """Counts tokens where the model's tokenizer can be read on this node."""
    try:
        return Chat(settings.model, settings.revision, settings.think_end).count
    except (DataError, ImportError) as error:
        settings.notify(f"tokens of reasoning are not counted: {error}")
        return lambda text: None
