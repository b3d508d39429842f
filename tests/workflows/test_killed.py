"""Killed at any of its writes, every command that writes comes to the same end when it is called again."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.reports.page.site import build_site
from harness.storage.run_folder import RunFolder
from tests.support.checkpoints import TASK, save
from tests.support.kills import Kills, every_kill, with_fakes
from tests.support.run_folders import C, W, WriteRun

SWEEP = """\
base: {model: out/m, tasks: practice_integer, k: 2, limit: 2, max_tokens: 100}
vary: {temperature: [0.3], max_tokens: [50], k: [3]}
"""
NIGHT = """\
checkpoints: out/*
run: {tasks: practice_integer, k: 2, limit: 3}
"""
RESPONSES = [
    {
        "id": f"p{i}",
        "problem": f"{i}+1?",
        "answer": str(i + 1),
        "responses": [rf"\boxed{{{i + 1}}}", "none"],
    }
    for i in range(3)
]
ROOT = Path(__file__).parents[2]
_PASSING = {"time", "seconds", "content", "since"}
"""What differs from call to call: clocks, and a digest over the checkpoint's files is left in."""


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with_fakes(monkeypatch)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    save("m")


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


class Case:
    """A command in its folder, and what stands there before it."""

    def __init__(self, folder: str, *command: str, code: int = 0) -> None:
        self.folder, self.command, self.code = Path(folder), command, code
        self._before = Path("before")
        shutil.rmtree(self._before, ignore_errors=True)
        if self.folder.exists():
            shutil.copytree(self.folder, self._before)

    def anew(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._before.exists():
            shutil.copytree(self._before, self.folder)

    def call(self) -> int:
        return run_command(list(self.command))

    def undisturbed(self) -> dict[str, Any]:
        self.anew()
        assert self.call() == self.code
        return state(self.folder)

    def check(self, kills: Kills, stride: int) -> list[str]:
        """Kill it at its steps. Called again, it must come to the undisturbed end; returns the steps."""
        whole, steps = self.undisturbed(), []
        for step, last in every_kill(kills, self.anew, self.call, stride):
            steps.append(step)
            assert last == self.code, step
            assert state(self.folder) == whole, step
        return steps


def sweep() -> Case:
    Path("sweep.yaml").write_text(SWEEP)
    return Case("s", "sweep", "sweep.yaml", "-o", "s")


def night(**more: object) -> Case:
    """A night with a baseline and two new checkpoints, the second one worse."""
    shutil.rmtree("out")
    Path("night.yaml").write_text(NIGHT + "".join(f"{k}: {v}\n" for k, v in more.items()))
    save("step-1", 0.9)
    assert run_command(["nightly", "night.yaml"]) == 0
    assert run_command(["accept", "runs/step-1"]) == 0
    save("step-2", 0.9)
    save("step-3", 0.0)
    return Case("runs", "nightly", "night.yaml", code=1)


def decided_night() -> Case:
    """The same with `until: decided`."""
    return night(until="decided")


def imported() -> Case:
    Path("r.jsonl").write_text("".join(json.dumps(row) + "\n" for row in RESPONSES))
    return Case("i", "import", "r.jsonl", "--task", "integer", "-o", "i")


def graded() -> Case:
    imported().call()
    path = Path("i/integer/grades.jsonl")
    path.write_text(path.read_text().replace("correct", "wrong_answer"))
    Path("i/integer/scores.json").unlink()
    return Case("i", "grade", "i")


def scored() -> Case:
    imported().call()
    Path("i/integer/scores.json").unlink()
    return Case("i", "score", "i")


def accepted() -> Case:
    night()
    return Case("runs", "accept", "runs/step-1", "--note", "again")


CASES = {
    "sweep": (sweep, 9), "night": (night, 10), "decided night": (decided_night, 17), "import": (imported, 2),
    "grade": (graded, 1), "score": (scored, 1), "accept": (accepted, 1),
}  # fmt: skip
"""By name, what makes it, and how many of its steps the default set leaves out between two."""


@pytest.mark.parametrize("name", CASES)
def test_it_comes_to_the_same_end(
    name: str, kills: Kills, capsys: pytest.CaptureFixture[str]
) -> None:
    make, stride = CASES[name]
    assert make().check(kills, stride)


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_it_does_so_at_every_single_step(
    name: str, kills: Kills, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name][0]()
    steps = case.check(kills, 1)
    words = {"sweep": "replace sweep.json", "night": "write history.jsonl", "grade": "replace grades.jsonl",
             "decided night": "replace stopping.json", "import": "write samples.jsonl",
             "score": "replace scores.json", "accept": "replace accepted.json"}  # fmt: skip
    assert any(words[name] in step for step in steps)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sweep", "night", "import"])
def test_it_does_so_when_the_process_is_killed(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name][0]()
    whole = case.undisturbed()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for step in count(1, 9):
        case.anew()
        killed = subprocess.run(
            [sys.executable, "-m", "tests.support.kills", str(step), *case.command],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if killed.returncode != -signal.SIGKILL:
            assert killed.returncode == case.code, killed.stderr
            assert step > 1
            return
        assert case.call() == case.code, step
        assert state(case.folder) == whole, step


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


@pytest.mark.slow
def test_a_site(kills: Kills, write_run: WriteRun, tmp_path: Path) -> None:
    """Of two runs, then of one of them changed and the other gone."""
    runs, site = Path("runs"), Path("site")
    for name in ("one", "two"):
        write_run([[C, W], [C, C]], name=f"work/runs/{name}")
    first, second = tmp_path / "first", tmp_path / "second"

    def build() -> None:
        build_site(runs, site, draw=lambda results, published: {})

    def whole(place: Path) -> dict[str, Any]:
        shutil.rmtree(site, ignore_errors=True)
        if place.exists():
            shutil.copytree(place, site)
        build()
        return state(site)

    def check(place: Path, stride: int) -> None:
        expected = whole(place)
        for step in count(1, stride):
            shutil.rmtree(site, ignore_errors=True)
            if place.exists():
                shutil.copytree(place, site)
            if not kills.run(build, at=step):
                assert step > stride
                return
            build()
            assert state(site) == expected, f"step {step}: {kills.steps[-1]}"

    check(first, 3)
    shutil.copytree(site, second)
    shutil.rmtree(runs / "two")
    path = runs / "one" / TASK / "grades.jsonl"
    path.write_text(path.read_text().replace('"correct"', '"wrong_answer"', 1))
    assert run_command(["score", str(runs / "one")]) == 0
    check(second, 3)
