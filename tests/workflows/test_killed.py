"""Killed at any of its writes, every command that writes comes to the same end when it is called again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.storage.run_folder import RunFolder
from tests.support.checkpoints import TASK, Trained, save
from tests.support.kills import Kills, every_kill

SWEEP = """\
base: {model: out/m, tasks: practice_integer, k: 2, limit: 2, max_tokens: 100}
vary: {temperature: [0.3], max_tokens: [50], k: [3]}
"""
NIGHT = """\
checkpoints: out/*
run: {tasks: practice_integer, k: 2, limit: 3}
"""
_PASSING = {"time", "seconds", "content", "since"}
"""What differs from call to call: clocks, and a digest over the checkpoint's files is left in."""


@pytest.fixture(autouse=True)
def _folder(inline_grading: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(
        "harness.workflows.engine_loading.make_engine", lambda settings: Trained(settings.model)
    )
    monkeypatch.setattr("harness.workflows.regrade.GradingPool", _inline())
    for name in ("sweep.write_figures", "style.write_plots"):
        monkeypatch.setattr(f"harness.reports.figures.{name}", lambda *_: [])
    monkeypatch.setattr("harness.workflows.provenance._git_revision", lambda: None)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    save("m")


def _inline() -> type:
    from tests.support.fakes import InlinePool

    return InlinePool


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Kills:
    return Kills(monkeypatch, tmp_path / "work")


def state(folder: Path) -> dict[str, Any]:
    """What a folder holds, clocks and the order of samples left out."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or path.name.startswith(".") or path.name == "manifest.json":
            continue
        if path.suffix == ".jsonl":
            rows = [json.loads(line) for line in path.read_text().splitlines()]
            found[name] = sorted(json.dumps(timeless(row), sort_keys=True) for row in rows)
            if path.name == "history.jsonl":
                found[name] = [timeless(row) for row in rows]
        elif path.suffix == ".json":
            found[name] = timeless(json.loads(path.read_text()))
        else:
            found[name] = path.read_text()
    for path in folder.rglob("manifest.json"):
        found[str(path.relative_to(folder))] = RunFolder(path.parent).manifest().k
    return found


def timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: timeless(item) for name, item in value.items() if name not in _PASSING}
    return [timeless(item) for item in value] if isinstance(value, list) else value


def check(
    kills: Kills, folder: Path, before: Callable[[], None], *command: str, code: int = 0
) -> list[str]:
    """Kill a command at each step; its steps. Called again, it must come to the undisturbed end."""

    def anew() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        before()

    def call() -> int:
        return run_command(list(command))

    anew()
    assert call() == code
    whole = state(folder)
    steps = []
    for step, last in every_kill(kills, anew, call):
        steps.append(step)
        assert last == code, step
        assert state(folder) == whole, step
    return steps


def nothing() -> None:
    pass


def test_a_sweep(kills: Kills, capsys: pytest.CaptureFixture[str]) -> None:
    Path("sweep.yaml").write_text(SWEEP)
    steps = check(kills, Path("s"), nothing, "sweep", "sweep.yaml", "-o", "s")
    assert len(steps) > 40
    assert sum("replace scores.json" in step for step in steps) == 2
    assert any("replace sweep.json" in step for step in steps)


def test_a_sweep_that_was_killed_before_its_base_was_scored_needs_no_engine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("sweep.yaml").write_text(SWEEP)
    assert run_command(["sweep", "sweep.yaml", "-o", "s"]) == 0
    base = RunFolder(Path("s/base")).task(TASK).path
    scores = base / "scores.json"
    grades = base / "grades.jsonl"
    whole = scores.read_text(), sorted(grades.read_text().splitlines())

    def unloaded(settings: object) -> None:
        raise AssertionError("a model is loaded for nothing")

    monkeypatch.setattr("harness.workflows.engine_loading.make_engine", unloaded)
    scores.unlink()
    grades.write_text("".join(grades.read_text().splitlines(keepends=True)[1:]))
    assert run_command(["sweep", "sweep.yaml", "-o", "s"]) == 0
    found = scores.read_text(), sorted(grades.read_text().splitlines())
    assert state_of(found[0]) == state_of(whole[0])
    assert len(found[1]) == len(whole[1])
    scores.write_text(scores.read_text().replace('"k": 3', '"k": 2'))  # before k was extended
    assert run_command(["sweep", "sweep.yaml", "-o", "s"]) == 0
    assert json.loads(scores.read_text())["k"] == 3


def state_of(text: str) -> Any:
    return timeless(json.loads(text))


def accepted_night() -> None:
    """A night and its baseline, and two new checkpoints, the second one worse."""
    shutil.rmtree("out")
    save("step-1", 0.9)
    assert run_command(["nightly", "night.yaml"]) == 0
    assert run_command(["accept", "runs/step-1"]) == 0
    save("step-2", 0.9)
    save("step-3", 0.1)


def test_a_night(kills: Kills, capsys: pytest.CaptureFixture[str]) -> None:
    Path("night.yaml").write_text(NIGHT)
    steps = check(kills, Path("runs"), accepted_night, "nightly", "night.yaml", code=1)
    assert sum("write history.jsonl" in step for step in steps) == 2
