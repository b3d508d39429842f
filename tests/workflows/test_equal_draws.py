"""Draws of a practice checkpoint: those at a low temperature are honest, and a greedy engine is not."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import harness.workflows.engine_loading as engine_loading
from harness.engines.hf.engine import TransformersEngine
from harness.errors import EngineDown
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.storage.run_folder import RunFolder
from harness.workflows.engine_loading import load_engine
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings

TASK = "practice_choice"


def silent(runs: Sequence[TaskRun]) -> Observer:
    return lambda event, task, verdict: None


def draw(model: str, run: Path, temperature: float, *, at_once: int | None = None) -> None:
    settings = RunSettings(model=model, tasks=TASK, output=run, k=4, temperature=temperature,
                           concurrency=at_once)  # fmt: skip
    asyncio.run(evaluate(find_tasks(TASK), settings, observe=silent))


def equal_problems(run: Path) -> int:
    """Problems all of whose draws are equal."""
    texts: dict[str, set[str]] = {}
    for sample in RunFolder(run).task(TASK).samples():
        texts.setdefault(sample.problem_id, set()).add(sample.text)
    return sum(len(found) == 1 for found in texts.values())


@pytest.mark.parametrize("temperature", [0.1, 0.3])
def test_a_checkpoint_that_is_sure_at_a_low_temperature_is_not_stopped(
    practice_model: Path, tmp_path: Path, temperature: float
) -> None:
    draw(str(practice_model / "late"), tmp_path / "run", temperature)
    assert RunFolder(tmp_path / "run").task(TASK).scores().complete
    assert equal_problems(tmp_path / "run") > 30


def test_a_checkpoint_behind_a_greedy_engine_is_stopped_before_the_end(
    practice_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `transformers serve` draws at any temperature, unless it is told to sample."""

    class Greedy(TransformersEngine):
        async def generate(self, request: Request) -> Completion:
            return await super().generate(
                replace(request, sampling=replace(request.sampling, k=1, temperature=0.0))
            )

    def load(*args: object, **more: object) -> object:
        engine = load_engine(*args, **more)  # type: ignore[arg-type]
        engine.__class__ = Greedy  # type: ignore[assignment]
        return engine

    monkeypatch.setattr(engine_loading, "load_engine", load)
    said = r"all draws of [23]\d prompts are equal at temperature 1\.3"
    with pytest.raises(EngineDown, match=said):
        draw(str(practice_model / "late"), tmp_path / "run", 1.3, at_once=16)
    assert 0 < sum(1 for _ in RunFolder(tmp_path / "run").task(TASK).samples()) < 160
