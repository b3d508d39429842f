"""Grading on the CPUs of a Ray cluster, beside the processes here.

A worker is an actor with one CPU, bound to its node. It takes samples only once it has started, so a
full node delays nothing. A node that joins later adds workers; one that leaves takes its own with it.
A node is checked before it grades anything: it must have this version of the harness, and what its
graders need, such as a sandbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import harness
from harness.engines.ray.cluster import Cluster, Node, import_ray
from harness.errors import first_line
from harness.interfaces import Grader
from harness.pipeline.grading_pool import Worker, default_workers
from harness.pipeline.grading_process import Chunk, WorkerLost, grade_chunk
from harness.problem_tests import portable
from harness.types import Grade

_POLL_SECONDS = 5.0  # between two lists of the nodes
_CHECK_SECONDS = 120.0  # for the check of a node, whose first process starts with it
_MAX_STARTS = 3  # of a worker without a graded chunk in between, before it is abandoned
_CPUS_PER_GPU = 2  # left to the engines of a node


class GradingActor:
    """What runs on the node."""

    def ready(self) -> None:
        """Return once the process is up."""

    def grade(self, chunk: Chunk) -> list[Grade]:
        """Grade a chunk; see `harness.pipeline.grading_process.grade_chunk`."""
        return grade_chunk(chunk)


def check_node(graders: Sequence[Grader]) -> str:
    """The harness's version on this node. Raises what a grader lacks there."""
    for grader in graders:
        grader.ready()
    return harness.__version__


class RayWorker:
    """One worker on one node; its actor is restarted while the node is up.

    Args:
        cluster: connected.
        node: where it runs.
    """

    def __init__(self, cluster: Cluster, node: Node) -> None:
        self._cluster, self._node = cluster, node
        self._actor: Any = None
        self._up = False
        self._failures = 0

    async def ready(self) -> bool:
        """Wait until its actor is up; False when the node has left, or actors keep failing there."""
        errors = import_ray().exceptions
        while not self._up:
            if self._failures >= _MAX_STARTS or not await self._node_is_up():
                return False
            self._start()
            try:
                await self._actor.ready.remote()
                self._up = True
            except errors.RayError:
                self._end()
        return True

    async def grade(self, chunk: Chunk, seconds: float) -> list[Grade]:
        """Grade a chunk. WorkerLost when the actor or node stopped, or did not answer in time."""
        ray = import_ray()
        try:
            call = self._actor.grade.remote(
                [(grader, portable(problem), sample) for grader, problem, sample in chunk]
            )
            async with asyncio.timeout(seconds):
                grades: list[Grade] = await call
        except TimeoutError:
            self._end()
            what = f"the grader did not answer within {seconds:.0f} s"
            raise WorkerLost(what, ended=False) from None
        except ray.exceptions.RayError as error:
            self._end()
            raise WorkerLost(
                f"the grading worker on {self._node.name} stopped ({first_line(error)})"
            ) from error
        self._failures = 0
        return grades

    def kill(self) -> None:
        """End its actor."""
        if self._actor is not None:
            import_ray().kill(self._actor)
        self._actor, self._up = None, False

    def _start(self) -> None:
        actor = import_ray().remote(GradingActor)
        self._actor = actor.options(
            num_cpus=1, max_restarts=0, scheduling_strategy=_on(self._node)
        ).remote()

    def _end(self) -> None:
        self._failures += 1
        self.kill()

    async def _node_is_up(self) -> bool:
        try:
            nodes = await asyncio.to_thread(self._cluster.nodes)
        except Exception:  # the cluster has gone; `RayGrading` reports that
            return False
        return any(node.id == self._node.id for node in nodes)


class RayGrading:
    """The workers of a cluster; see `harness.pipeline.grading_pool.Elsewhere`.

    Args:
        address: as in `harness.engines.ray.cluster.Cluster`, whose errors it raises.
        graders: that a node must be able to run.
        notify: gets a notice of each node that grades nothing, with the reason.
        local: processes that grade on this node beside them.
    """

    def __init__(
        self,
        address: str | None,
        graders: Sequence[Grader],
        notify: Callable[[str], None],
        *,
        local: int | None = None,
    ) -> None:
        self._graders, self._notify = graders, notify
        self._local = default_workers() if local is None else local
        self._cluster = Cluster(address)
        self._workers: list[RayWorker] = []

    async def workers(self) -> AsyncIterator[Worker]:
        """Yield the workers of every node that can grade, as nodes join."""
        found: asyncio.Queue[RayWorker | None] = asyncio.Queue()
        watching = asyncio.create_task(self._watch_nodes(found))
        try:
            while worker := await found.get():
                yield worker
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)

    async def close(self) -> None:
        """End the actors, and disconnect from the cluster."""
        for worker in self._workers:
            worker.kill()
        await asyncio.to_thread(self._cluster.close)

    async def _watch_nodes(self, found: asyncio.Queue[RayWorker | None]) -> None:
        known: set[str] = set()
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    for node in await asyncio.to_thread(self._cluster.nodes):
                        if node.id not in known:
                            known.add(node.id)
                            group.create_task(self._add_node(node, found))
                    await asyncio.sleep(_POLL_SECONDS)
        except ExceptionGroup as group:  # samples are still graded by the processes here
            self._notify(f"the Ray cluster grades no more: {group.exceptions[0]}")
            found.put_nowait(None)

    async def _add_node(self, node: Node, found: asyncio.Queue[RayWorker | None]) -> None:
        reason = await _lacks(node, self._graders)
        if reason is not None:
            self._notify(f"node {node.name} grades nothing: {reason}")
            return
        for _ in range(worker_count(node, self._local)):
            worker = RayWorker(self._cluster, node)
            self._workers.append(worker)
            found.put_nowait(worker)


def worker_count(node: Node, local: int) -> int:
    """Workers of a node: its CPUs, less what its engines and the processes here take."""
    taken = _CPUS_PER_GPU * node.gpus + (local if node.here else 0)
    return max(0 if node.here else 1, node.cpus - taken) if node.cpus else 0


async def _lacks(node: Node, graders: Sequence[Grader]) -> str | None:
    """What a node lacks for these graders, in one line; None when it can grade."""
    ray = import_ray()
    check = ray.remote(check_node).options(num_cpus=0, max_retries=0, scheduling_strategy=_on(node))
    try:
        call = check.remote(list(graders))
        async with asyncio.timeout(_CHECK_SECONDS):
            there = await call
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:.0f} s"
    except ray.exceptions.RayError as error:
        return first_line(getattr(error, "cause", None) or error)
    if there != harness.__version__:
        return f"it has harness {there}, this one {harness.__version__}"
    return None


def _on(node: Node) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node.id, soft=False)
