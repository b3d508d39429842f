"""What tests with a real vLLM, Ray or lm-eval share: their environment and their warnings."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.registry import tasks
from harness.types import Prompt
from tests.support.endpoint import quicken
from tests.support.mock_server import Running

# Small engines side by side on a few cores, offline; read when vLLM is imported.
for name, value in {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HF_HUB_OFFLINE": "1",
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


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits of the endpoint engine."""
    quicken(monkeypatch)


@pytest.fixture
def server() -> Iterator[Running]:
    """A server of ours that answers at once."""
    with Running() as running:
        yield running
