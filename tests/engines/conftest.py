"""What tests with a real vLLM, Ray or lm-eval share: the environment, and one of each per session.

A start of vLLM takes tens of seconds, so tests share one engine, one `vllm serve` and one Ray
cluster; the few that kill an engine start their own, or come last.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines.settings import EngineSettings
from harness.registry import tasks
from harness.types import Prompt
from tests.support.endpoint import quicken
from tests.support.engines import VLLM_ARGS, Loop, Served
from tests.support.mock_server import Running
from tests.support.processes import none_left

# Small engines side by side on a few cores, offline; read when vLLM is imported. Without the last
# one the CPU build starts a worker process beside each engine's own, as no GPU build does for one
# GPU; it takes as long to start as the engine.
for name, value in {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
}.items():
    os.environ.setdefault(name, value)


def pytest_configure(config: pytest.Config) -> None:
    """Let vLLM leave its sockets' context to the end of the process."""
    config.addinivalue_line("filterwarnings", "ignore:Unclosed context:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let other people's packages warn: their warnings are no failures of ours."""
    for item in items:
        if item.get_closest_marker("engines"):
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Lets destructors of other packages complain before warnings are errors again."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture(scope="session")
def late(practice_model: Path) -> str:
    """The practice checkpoint that was trained longest."""
    return str(practice_model / "late")


@pytest.fixture(scope="session")
def practice_prompts() -> list[Prompt]:
    """The prompts of the integer problems."""
    task = tasks()["practice_integer"]
    return [render(task.prompt, problem) for problem in load_problems(task, None)]


@pytest.fixture(scope="session")
def vllm_notices() -> list[str]:
    """What the session's vLLM engine notified."""
    return []


@pytest.fixture(scope="session")
def vllm(late: str, vllm_notices: list[str]) -> Iterator[Loop]:
    """The session's vLLM engine. Nothing of it is left afterwards."""
    pytest.importorskip("vllm")
    from harness.engines.vllm.engine import VllmEngine
    from harness.engines.vllm.process import cores

    settings = EngineSettings(
        engine="vllm", model=late, options=VLLM_ARGS, notify=vllm_notices.append
    )
    loop = Loop(VllmEngine.single(settings))
    yield loop
    loop.close()
    assert cores() == []


@pytest.fixture(scope="session")
def embedded(late: str) -> Iterator[Loop]:
    """The transformers engine that the others are held against."""
    from harness.engines.hf.engine import TransformersEngine
    from harness.engines.hf.options import Options

    loop = Loop(TransformersEngine(late, options=Options(dtype="float32", device="cpu")))
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def served(late: str) -> Iterator[Served]:
    """The session's `vllm serve`, and the engine that started it. Nothing of it is left afterwards."""
    pytest.importorskip("vllm")
    with none_left("guardian.py", " serve "):
        server = Served(late)
        yield server
        server.close()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """The session's Ray cluster: a head with four CPUs, to which nodes can be added."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with none_left("raylet/raylet", "gcs_server"):
        made = Cluster(
            initialize_head=True, head_node_args={"num_cpus": 4, "include_dashboard": False}
        )
        yield made
        made.shutdown()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits of the endpoint engine."""
    quicken(monkeypatch)


@pytest.fixture
def server() -> Iterator[Running]:
    """A server of ours that answers at once."""
    with Running() as running:
        yield running
