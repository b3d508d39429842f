"""Checkpoints that are as good as their config.json says, without a model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.datasets import load_problems
from harness.errors import DataError, EngineError
from harness.interfaces import Completion, Request
from harness.registry import find_tasks
from harness.stats.seeds import derive_seed
from tests.support.fakes import FakeEngine, answer

TASK = "practice_integer"
(INTEGER,) = find_tasks(TASK)
ANSWERS = {problem.id: str(problem.answer) for problem in load_problems(INTEGER, None, None)}


class Trained(FakeEngine):
    """A checkpoint as good as its config.json says; one that says nothing cannot be loaded."""

    def __init__(self, model: str) -> None:
        self._config = json.loads((Path(model) / "config.json").read_text())
        if "accuracy" not in self._config:
            raise DataError(f"{model}: the model cannot be loaded")
        self._seed = str(model)
        super().__init__(self._answer)

    def fingerprint(self) -> Mapping[str, Any]:
        return {"engine": "fake", "chat_template": self._config.get("chat_template", "plain")}

    def _answer(self, request: Request) -> Completion:
        if self._config.get("broken"):
            raise EngineError("the engine failed")
        draw = derive_seed("fake", self._seed, request.problem_id, request.index) % 1000 / 1000
        right = draw < self._config["accuracy"]
        return answer(ANSWERS[request.problem_id] if right else "999")


def save(name: str, accuracy: float | None = 0.8, **config: Any) -> Path:
    """What a training run leaves behind."""
    folder = Path("out") / name
    folder.mkdir(parents=True, exist_ok=True)
    values = config if accuracy is None else {"accuracy": accuracy, **config}
    (folder / "config.json").write_text(json.dumps(values))
    return folder
