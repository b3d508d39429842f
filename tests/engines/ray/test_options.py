"""What `--engine ray` takes of a cluster's nodes; none of it needs Ray."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.ray import cluster
from harness.engines.ray import engine as ray_engine
from harness.engines.ray import start as ray_start
from harness.engines.ray.cluster import Cluster, Node, import_ray
from harness.engines.ray.engine import RemoteEngine
from harness.engines.ray.options import Needs, split_options
from harness.engines.ray.start import ReplicaStarter
from harness.engines.replicas import ReplicaLost
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError, UsageError
from harness.interfaces import Request
from harness.sampling import Sampling
from harness.types import Prompt

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


def test_words_of_an_argument_may_be_joined_by_either_sign() -> None:
    needs, rest = split_options({"tensor-parallel-size": "4", "max-model-len": "9"}, GPU_NODES)
    assert needs == Needs(4, 0)
    assert rest == {
        "tensor_parallel_size": "4", "max_model_len": "9", "distributed_executor_backend": "mp",
    }  # fmt: skip


def test_context_parallelism_takes_gpus_too() -> None:
    needs, _ = split_options({"prefill_context_parallel_size": "2"}, GPU_NODES)
    assert needs == Needs(2, 0)


def test_parts_of_gpus_above_one_are_refused() -> None:
    with pytest.raises(UsageError, match=r"--engine-arg gpus=1\.5: above 1, a whole number"):
        split_options({"gpus": "1.5"}, GPU_NODES)


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
    """Ray as far as an address is checked."""

    @staticmethod
    def is_initialized() -> bool:
        return False


@pytest.mark.parametrize(
    ("address", "error", "message"),
    [
        ("127.0.0.1:1", EngineDown, "no Ray head node answers there"),
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


class FakeActors:
    """Ray as far as a start waits for it: every actor's end is the one that its number stands for."""

    def __init__(self, ends: Sequence[Exception | None]) -> None:
        self.ends = ends
        self.killed: list[int] = []
        self.exceptions = SimpleNamespace(RayError=RuntimeError)

    def engine(self, settings: object, needs: object, *, replica: int, **rest: object) -> Any:
        def wait_until_ready() -> None:
            if error := self.ends[replica]:
                raise error

        return SimpleNamespace(
            opening=replica,
            wait_until_ready=wait_until_ready,
            kill=lambda: self.killed.append(replica),
        )

    def wait(self, openings: list[int], **_: object) -> tuple[list[int], list[int]]:
        return openings[:1], openings[1:]

    def available_resources(self) -> dict[str, float]:
        return {}


def begin(
    monkeypatch: pytest.MonkeyPatch, fake: FakeActors, stopped: Callable[[], bool] = lambda: False
) -> ReplicaStarter:
    monkeypatch.setattr(ray_start, "import_ray", lambda: fake)
    monkeypatch.setattr(ray_start, "RemoteEngine", fake.engine)
    settings = EngineSettings(engine="ray", model="m", stopped=stopped)
    return ReplicaStarter(settings, Needs(1, 0), len(fake.ends), settings)


def test_an_actor_that_fails_leaves_the_start_to_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failure = EngineError("the engine in a Ray actor failed: no such file: weights")
    fake = FakeActors([failure, None])
    assert begin(monkeypatch, fake).first.opening == 1
    assert fake.killed == [0]
    with pytest.raises(EngineDown, match=r"no replica started on the Ray cluster: .*weights"):
        begin(monkeypatch, FakeActors([failure, failure]))


def test_a_start_that_waits_for_the_cluster_ends_with_the_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeActors([None])
    monkeypatch.setattr(fake, "wait", lambda openings, **_: ([], openings))
    polls = iter([False, False, True])
    with pytest.raises(EngineDown, match="interrupted"):
        begin(monkeypatch, fake, lambda: next(polls))
    assert fake.killed == [0]


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_9.2\r\n", b""], ids=["ssh", "silent"])
def test_a_port_of_something_else_is_an_error_at_once(
    monkeypatch: pytest.MonkeyPatch, banner: bytes
) -> None:
    monkeypatch.setitem(sys.modules, "ray", FakeRay)
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(Cluster, f"127.0.0.1:{server.getsockname()[1]}")
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(banner)
            with pytest.raises(EngineDown, match=r"no Ray head node answers there \("):
                asked.result(5)


def remote_engine(
    monkeypatch: pytest.MonkeyPatch, generate: Callable[[Request], Any], **ray: Any
) -> RemoteEngine:
    """An engine whose actor is `generate`, on a Ray that has these names besides."""
    method = SimpleNamespace(remote=lambda *given: None)
    actor = SimpleNamespace(open=method, generate=SimpleNamespace(remote=generate))
    handle = SimpleNamespace(options=lambda **given: SimpleNamespace(remote=lambda: actor))
    fake = SimpleNamespace(remote=lambda host: handle, **ray)
    monkeypatch.setattr(ray_engine, "import_ray", lambda: fake)
    settings = EngineSettings(engine="vllm", model="m")
    return RemoteEngine(settings, Needs(0, 0), replica=0, restart=0, notify=str)


def test_a_cancelled_sample_is_cancelled_in_its_actor(monkeypatch: pytest.MonkeyPatch) -> None:
    cancelled: list[object] = []

    async def work() -> None:
        call = asyncio.get_running_loop().create_future()
        engine = remote_engine(
            monkeypatch,
            lambda request: call,
            cancel=cancelled.append,
            exceptions=SimpleNamespace(RayError=RuntimeError),
        )
        request = Request("p", 0, Prompt("x"), Sampling())
        drawing = asyncio.create_task(engine.generate(request))
        await asyncio.sleep(0)
        drawing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await drawing
        assert cancelled == [call]

    asyncio.run(work())


def test_a_sample_that_ray_does_not_take_is_drawn_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Gone(Exception):
        pass

    def refuse(request: Request) -> None:
        raise Gone("the node is gone")

    exceptions = SimpleNamespace(RayError=Gone, RayTaskError=KeyError)
    engine = remote_engine(monkeypatch, refuse, exceptions=exceptions)
    with pytest.raises(ReplicaLost, match="the node is gone"):
        asyncio.run(engine.generate(Request("p", 0, Prompt("x"), Sampling())))


class Exited(Exception):
    pass


def test_a_head_node_that_is_gone_ends_the_process_with_exit_code_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def leave(code: int) -> None:
        raise Exited(code)

    monkeypatch.setattr(cluster, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(cluster, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr("os._exit", leave)
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as head, ThreadPoolExecutor() as pool:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        watching = pool.submit(cluster.watch_head, address, ended)
        time.sleep(0.5)
        assert not watching.done()
        head.close()
        with pytest.raises(Exited) as left:
            watching.result(20)
    assert left.value.args == (4,)
    assert f"the Ray head node at {address} does not answer any more" in capsys.readouterr().err


def test_a_connection_that_ends_is_watched_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    ended = threading.Event()
    with ThreadPoolExecutor() as pool:
        watching = pool.submit(cluster.watch_head, "127.0.0.1:1", ended)  # nobody answers there
        assert not watching.done()
        ended.set()
        assert watching.result(20) is None
    assert capsys.readouterr().err == ""
