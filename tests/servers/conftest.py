"""What tests with real servers share: one of each per session, and what the engine in this process draws."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.pipeline.runner import silent
from harness.registry import tasks
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.fakes import InlinePool
from tests.support.server_facts import TITLES
from tests.support.server_runs import Drawn, Reference, stored
from tests.support.servers import MODELS, RECIPES, ROOT, RealServer


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of these, and let other people's packages warn."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore"))


@pytest.fixture(scope="session", autouse=True)
def inline() -> Iterator[None]:
    """Grades in this process, and no key from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.workflows.evaluate.GradingPool", InlinePool)
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", params=list(TITLES))
def server(request: pytest.FixtureRequest) -> Iterator[RealServer]:
    """Each server in turn, with the late checkpoint. Nothing of it is left afterwards."""
    name: str = request.param
    environment = ROOT / RECIPES[name].environment
    assert environment.is_dir(), f"{environment} is not there: make servers builds it"
    with RealServer(name) as running:
        yield running


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Reference:
    """What the transformers engine in this process draws, by task and settings; each once."""
    known: dict[tuple[str, float | None, int | None], Drawn] = {}

    def draw(task: str, temperature: float | None = None, max_tokens: int | None = None) -> Drawn:
        key = (task, temperature, max_tokens)
        if key not in known:
            given = RunSettings(
                model=str(MODELS / "late"), tasks=task, output=tmp_path_factory.mktemp("reference"),
                k=4, temperature=temperature, max_tokens=max_tokens,
            )  # fmt: skip
            asyncio.run(evaluate([tasks()[task]], given, observe=lambda runs: silent))
            known[key] = stored(given.output)[task]
        return known[key]

    return draw
