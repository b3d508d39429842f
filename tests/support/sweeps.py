"""A sweep in a folder, around an engine that answers at once."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import harness.workflows.evaluate as evaluate_module
import harness.workflows.sweep as sweep_module
from harness.data.datasets import load_problems
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.stats.effects import Effect
from harness.workflows.run_settings import RunSettings
from harness.workflows.sweep import Sweep, draw_samples, lay_out, measure_effects
from harness.workflows.sweep_config import read_sweep
from tests.support.fakes import FakeEngine, InlinePool

TASK = "practice_integer"
BASE = {"model": "m", "tasks": TASK, "k": 6, "limit": 8, "max_tokens": 100, "temperature": 0.6}


def silent(runs: Sequence[TaskRun]) -> Observer:
    return lambda event, task, verdict: None


def reply(request: Request) -> Completion:
    """Right or wrong and long or short by problem and index alone, cut at the cap, in words."""
    mark = sum(request.problem_id.encode()) + 7 * request.index
    answers = {problem.id: problem.answer for problem in PROBLEMS}
    answer = answers[request.problem_id] if mark % 3 else "998"
    reasoning = ["so"] * (mark % 50)
    words = ["<think>", *reasoning, "</think>", f"\\boxed{{{answer}}}"]
    cap = request.sampling.max_tokens or len(words)
    text, whole = " ".join(words[:cap]), len(words) <= cap
    return Completion(text, "stop" if whole else "length", 3, min(len(words), cap), seconds=0.01)


PROBLEMS = load_problems(find_tasks(TASK)[0], None, 8)


class Bench:
    """A sweep in a folder, with an engine that counts what it is asked for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.engines: list[FakeEngine] = []
        self.opened: list[RunSettings] = []  # the settings that each engine was opened with
        self.reply: Callable[[Request], Completion] = reply

        async def load(settings: RunSettings, seed: int, *_: Any) -> FakeEngine:
            self.opened.append(settings)
            self.engines.append(FakeEngine(lambda request: self.reply(request)))
            return self.engines[-1]

        monkeypatch.setattr(sweep_module, "open_engine", load)
        monkeypatch.setattr(evaluate_module, "GradingPool", InlinePool)

    def elsewhere(self) -> Bench:
        """The same in a new folder."""
        self.folder = Path(tempfile.mkdtemp(dir=self.folder))
        return self

    def lay_out(self, vary: dict[str, Any], **base: Any) -> Sweep:
        config = self.folder / "sweep.yaml"
        config.write_text(json.dumps({"base": {**BASE, **base}, "vary": vary}))
        settings, variants = read_sweep(config, self.folder / "sweep", {})
        return lay_out(find_tasks(settings.tasks), settings, variants)

    def run(self, vary: dict[str, Any], **base: Any) -> dict[str, Effect]:
        planned = self.lay_out(vary, **base)
        asyncio.run(draw_samples(planned, observe=silent))
        found = asyncio.run(measure_effects(planned, observe=silent))
        return {f"{e.factor}={e.value}".rstrip("="): e for e in found}

    @property
    def asked(self) -> int:
        """Samples that were asked of any engine."""
        return sum(len(engine.requests) for engine in self.engines)
