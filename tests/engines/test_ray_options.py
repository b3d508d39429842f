"""What `--engine ray` takes of a cluster's nodes; none of it needs Ray."""

from __future__ import annotations

import sys

import pytest

from harness.cluster import Cluster, Node, import_ray
from harness.engines import make_engine
from harness.engines.ray import split_options
from harness.engines.ray_actor import Needs
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, UsageError

GPU_NODES = [Node(f"{n:06}", f"gpu{n}", 64, 8, n == 0) for n in range(8)]
CPU_NODE = [Node("abcdef12", "alone", 2, 0, True)]


def room(needs: Needs, nodes: list[Node]) -> int:
    return sum(needs.room(node) for node in nodes)


@pytest.mark.parametrize(
    ("options", "nodes", "needs", "replicas"),
    [
        ({}, GPU_NODES, Needs(1, 0), 64),
        ({"tensor_parallel_size": "4"}, GPU_NODES, Needs(4, 0), 16),
        ({"tensor_parallel_size": "2", "pipeline_parallel_size": "4"}, GPU_NODES, Needs(8, 0), 8),
        ({"tensor_parallel_size": "3"}, GPU_NODES, Needs(3, 0), 16),  # two GPUs of a node stay idle
        ({"gpus": "0.5", "cpus": "16"}, GPU_NODES, Needs(0.5, 16), 32),
        ({}, CPU_NODE, Needs(0, 0), 1),
        ({"cpus": "1"}, CPU_NODE, Needs(0, 1), 2),
    ],
)
def test_replicas_fill_the_nodes(
    options: dict[str, str], nodes: list[Node], needs: Needs, replicas: int
) -> None:
    found, _ = split_options(options, nodes)
    assert (found, room(found, nodes)) == (needs, replicas)


def test_what_the_engine_itself_takes_goes_on_to_it() -> None:
    _, rest = split_options({"gpus": "1", "cpus": "2", "dtype": "bfloat16"}, GPU_NODES)
    assert rest == {"dtype": "bfloat16"}


def test_tensor_parallelism_stays_inside_the_actor() -> None:
    _, rest = split_options({"tensor_parallel_size": "2"}, GPU_NODES)
    assert rest == {"tensor_parallel_size": "2", "distributed_executor_backend": "mp"}


def test_more_than_a_node_has_is_refused() -> None:
    with pytest.raises(UsageError, match=r"16 GPUs .* gpu0 \(000000\), has 8 and 64"):
        split_options({"tensor_parallel_size": "16"}, GPU_NODES)
    with pytest.raises(UsageError, match="1 GPUs and 0 CPUs"):
        split_options({"gpus": "1"}, CPU_NODE)


@pytest.mark.parametrize("text", ["two", "-1", "nan", "inf"])
def test_a_number_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(UsageError, match=f"--engine-arg cpus={text}"):
        split_options({"cpus": text}, CPU_NODE)


def test_an_engine_that_no_actor_can_hold_is_refused() -> None:
    with pytest.raises(UsageError, match="one of vllm, transformers"):
        make_engine(EngineSettings(engine="ray:openai", model="m"))


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'reasoning-harness\[ray\]'"):
        import_ray()
    with pytest.raises(UsageError, match="Ray is not installed"):
        make_engine(EngineSettings(engine="ray", model="m"))


class FakeRay:
    """Ray as far as an address is looked at."""

    @staticmethod
    def is_initialized() -> bool:
        return False


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("127.0.0.1:1", EngineDown, "nothing answers there"),
        ("ray://head:10001", UsageError, "HOST:PORT of the head node, or auto"),
        ("head", UsageError, "HOST:PORT"),
    ],
)
def test_an_address_without_a_cluster_is_an_error_at_once(
    monkeypatch: pytest.MonkeyPatch, address: str, error: type[Exception], message: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", FakeRay)
    with pytest.raises(error, match=message):
        Cluster(address)
