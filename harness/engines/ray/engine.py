"""Replicas as actors on a Ray cluster: `--engine ray`, on one node or many.

    this process                               nodes of the cluster
      Replicas  -> RemoteEngine  ~~ Ray ~~>  Host -> vllm or transformers engine
                -> RemoteEngine  ~~ Ray ~~>  Host -> ...

`ray:NAME` names the engine in the actors; vllm is the default. An actor gets `gpus` GPUs of one
node, and vLLM's tensor parallelism works among them by processes of its own: a replica does not
span nodes. Where a node is lost, its replicas start anew, with new draws, wherever there is room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from math import prod
from pathlib import Path
from typing import Any

from harness.engines.chat import Chat
from harness.engines.ray.actor import Facts, Needs, RemoteEngine
from harness.engines.ray.cluster import Cluster, Node, import_ray
from harness.engines.replicas import Replicas
from harness.engines.settings import EngineSettings
from harness.engines.vllm.args import PARALLEL, plain_name
from harness.errors import DataError, EngineDown, EngineError, UsageError
from harness.interfaces import Engine

INNER = ("vllm", "transformers")
"""Engines that an actor may hold."""

_FOLDERS = ("lora", "tokenizer")  # options of engines that may name a folder
_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 20.0  # before the user is told what the start waits for
_EXECUTOR = "distributed_executor_backend"


def split_options(given: Mapping[str, str], nodes: Sequence[Node]) -> tuple[Needs, dict[str, str]]:
    """What a replica takes, and the options of the engine in it.

    Without `gpus`, as many as the engine spreads over where the cluster has any; without `cpus`
    none, so that a replica never waits for the graders on its node.

    Raises:
        UsageError: a number that cannot be read, or more than any node has.
    """
    rest = {plain_name(written): text for written, text in given.items()}
    spread = prod(_number(name, rest.get(name) or "1") for name in PARALLEL)
    have = any(node.gpus for node in nodes)
    gpus = _number("gpus", rest.pop("gpus", "") or f"{spread if have else 0:g}")
    needs = Needs(gpus, _number("cpus", rest.pop("cpus", "") or "0"))
    if gpus > 1 and gpus % 1:
        raise UsageError(f"--engine-arg gpus={gpus:g}: above 1, a whole number")
    if not any(needs.room(node) for node in nodes):
        largest = max(nodes, key=lambda node: (node.gpus, node.cpus))
        raise UsageError(
            f"a replica takes {needs} of one node, and the largest of the cluster, {largest.name}, "
            f"has {largest.gpus} and {largest.cpus}: lower --engine-arg gpus, cpus or "
            "tensor_parallel_size"
        )
    if spread > 1:
        rest.setdefault(_EXECUTOR, "mp")  # inside an actor vLLM might choose Ray of its own accord
    return needs, rest


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"--engine-arg {name}={text}: a number from 0 on")
    return value


class RayEngine(Replicas):
    """Replicas on a cluster, and the hold of the cluster that ends with them.

    Args:
        cluster: connected.
        start: starts the replicas; some of them wait in it already.
        settings: of the run.
        n: replicas.
    """

    def __init__(self, cluster: Cluster, start: Start, settings: EngineSettings, n: int) -> None:
        facts = start.first.facts
        super().__init__(
            start,
            n,
            each=facts.concurrency,
            opens_reasoning=facts.opens_reasoning,
            fingerprint=_fingerprint(settings, facts),
            count_tokens=_counter(settings),
            notify=settings.notify,
        )
        self._cluster, self._early = cluster, start

    async def close(self) -> None:
        """End every actor, and what was started here of the cluster."""
        await super().close()
        self._early.kill()
        await asyncio.to_thread(self._cluster.close)


class Start:
    """Starts lives of replicas; the first life of each begins at once, and all load together.

    Args:
        settings: of the engines in the actors.
        needs: what each takes.
        n: replicas.
        here: the settings of the run, for whom to tell and whether it was interrupted.
    """

    def __init__(
        self, settings: EngineSettings, needs: Needs, n: int, here: EngineSettings
    ) -> None:
        self._settings, self._needs, self._here = settings, needs, here
        self._early = {number: self._begin(number, 0) for number in range(n)}
        try:
            self.first = self._wait()
        except BaseException:
            self.kill()
            raise

    async def __call__(self, replica: int, restart: int) -> Engine:
        """One life of one replica, ready. Raises what its start raised."""
        engine = self._early.pop(replica, None) or self._begin(replica, restart)
        try:
            await engine.up()
        except BaseException:
            engine.kill()
            raise
        return engine

    def kill(self) -> None:
        """End those that nobody has asked for yet."""
        for engine in self._early.values():
            engine.kill()

    def _begin(self, replica: int, restart: int) -> RemoteEngine:
        return RemoteEngine(self._settings, self._needs, replica, restart, self._here.notify)

    def _wait(self) -> RemoteEngine:
        """The replica that is up first.

        Raises:
            UsageError, DataError: of the first that could not start.
            EngineDown: none came up, or the run was interrupted.
        """
        ray, lost = import_ray(), ""
        told = time.monotonic()
        while self._early:
            if self._here.stopped():
                raise EngineDown("interrupted while the replicas start")
            opening = {engine.opening: number for number, engine in self._early.items()}
            done, _ = ray.wait(list(opening), num_returns=1, timeout=_LOOK_SECONDS)
            if not done:
                if time.monotonic() - told > _PATIENCE_SECONDS:
                    told = time.monotonic()
                    self._notify_waiting(ray.available_resources())
                continue
            engine = self._early[opening[done[0]]]
            try:
                engine.settle()
                return engine
            except EngineError as error:  # of this actor or its node
                lost = str(error)
                engine.kill()
                del self._early[opening[done[0]]]  # `Replicas` starts it anew
        raise EngineDown(f"no replica came up on the Ray cluster: {lost}")

    def _notify_waiting(self, free: Mapping[str, float]) -> None:
        short = free.get("GPU", 0) < self._needs.gpus or free.get("CPU", 0) < self._needs.cpus
        if short:
            self._here.notify(
                f"waiting for the Ray cluster: a replica takes {self._needs}, and "
                f"{free.get('GPU', 0):g} and {free.get('CPU', 0):g} are free"
            )


def open_engine(settings: EngineSettings) -> RayEngine:
    """The engine as `harness.engines.make_engine` asks for it: one replica runs on return."""
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
            model=_for_any_folder(settings.model),
            options={
                name: _for_any_folder(text) if name in _FOLDERS else text
                for name, text in options.items()
            },
            replicas=None,
            ray_address=None,
        )
        return RayEngine(cluster, Start(remote, needs, n, settings), settings, n)
    except BaseException:
        cluster.close()
        raise


def _for_any_folder(name: str) -> str:
    """A folder's whole path: an actor's working folder is not this one."""
    folder = Path(name)
    return str(folder.resolve()) if folder.is_dir() else name


def _fingerprint(settings: EngineSettings, facts: Facts) -> dict[str, Any]:
    versions = {**facts.fingerprint.get("versions", {}), "ray": version("ray")}
    engine = f"ray:{facts.fingerprint['engine']}"
    return {**facts.fingerprint, "engine": engine, "versions": versions}


def _counter(settings: EngineSettings) -> Callable[[str], int | None]:
    """Counts tokens where the model's tokenizer can be read here."""
    try:
        return Chat(settings.model, settings.revision, settings.think_end).count
    except (DataError, ImportError) as error:
        settings.notify(f"tokens of reasoning are not counted: {error}")
        return lambda text: None
