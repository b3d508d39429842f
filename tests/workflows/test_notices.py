"""What a run says beside its results is kept, however it ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

import harness.workflows.engine_loading as engine_loading
from harness.errors import EngineDown
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.storage.run_folder import RunFolder
from harness.workflows.evaluate import evaluate
from harness.workflows.notices import Notices
from harness.workflows.run_settings import RunSettings
from tests.support.fakes import FakeEngine, answer


def silent(runs: Sequence[TaskRun]) -> Observer:
    return lambda event, task, verdict: None


def test_what_was_said_is_kept_when_the_engine_goes_down(
    inline_grading: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def load(
        settings: RunSettings, seed: int, notices: Notices, *_: object, **__: object
    ) -> FakeEngine:
        def reply(request: Request) -> Completion:
            notices.add("completions are capped at 9 tokens")
            if request.index:
                raise EngineDown("the server is gone")
            return answer("1")

        return FakeEngine(reply, concurrency=1)

    monkeypatch.setattr(engine_loading, "load_engine", load)
    task, run = "practice_integer", tmp_path / "run"
    settings = RunSettings(model="m", tasks=task, output=run, limit=2, k=2)
    with pytest.raises(EngineDown):
        asyncio.run(evaluate(find_tasks(task), settings, observe=silent))
    assert capsys.readouterr().err == "completions are capped at 9 tokens\n"
    (start,) = RunFolder(run).manifest().starts
    assert start.notices == ("completions are capped at 9 tokens",)
    assert start.seconds > 0


def test_what_was_said_while_loading_is_stored_before_the_first_sample(
    inline_grading: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, run = "practice_integer", tmp_path / "run"
    stored = []

    def load(
        settings: RunSettings, seed: int, notices: Notices, *_: object, **__: object
    ) -> FakeEngine:
        notices.add("the context is 9 tokens")

        def reply(request: Request) -> Completion:
            stored.append(RunFolder(run).manifest().starts[0].notices)
            return answer("1")

        return FakeEngine(reply, concurrency=1)

    monkeypatch.setattr(engine_loading, "load_engine", load)
    settings = RunSettings(model="m", tasks=task, output=run, limit=1, k=1)
    asyncio.run(evaluate(find_tasks(task), settings, observe=silent))
    assert stored == [("the context is 9 tokens",)]


def test_a_model_that_loads_for_long_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_loading, "LOADING_SECONDS", 0.05)
    monkeypatch.setattr(engine_loading, "load_engine", lambda *_, **__: time.sleep(1))
    settings = RunSettings(model="big", tasks="aime24", output=Path("run"), engine="vllm")
    asyncio.run(engine_loading.open_engine(settings, 0, Notices()))
    assert "vllm is still loading big after 0 s" in capsys.readouterr().err
    server = settings.model_copy(update={"engine": "openai", "serve": True})  # says so itself
    asyncio.run(engine_loading.open_engine(server, 0, Notices()))
    assert capsys.readouterr().err == ""
