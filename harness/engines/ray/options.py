"""`--engine-arg` of the ray engine: what a replica reserves on its node, and what its engine gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

from harness.engines.ray.cluster import Node
from harness.engines.vllm.args import PARALLEL, plain_name
from harness.errors import UsageError

_EXECUTOR = "distributed_executor_backend"


@dataclass(frozen=True, slots=True)
class Needs:
    """What one replica reserves on its node.

    Args:
        gpus: a share of one GPU, or a whole number of them.
        cpus: CPU cores.
    """

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


def split_options(given: Mapping[str, str], nodes: Sequence[Node]) -> tuple[Needs, dict[str, str]]:
    """What a replica reserves, and the options of the engine in it.

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
        rest.setdefault(_EXECUTOR, "mp")  # inside an actor vLLM might choose Ray by itself
    return needs, rest


def _number(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise UsageError(f"--engine-arg {name}={text}: a number from 0 on")
    return value
