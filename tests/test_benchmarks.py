"""The benchmarks call the harness as it is: what a long run would find only at its end."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_the_makespan_follows_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    take, record = load("makespan", monkeypatch).scheduled([[5, 7], [9, 3]])
    record(0, 5)
    taken = [take() for _ in range(5)]
    assert sorted(taken[:4]) == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert taken[4] is None


def test_the_grading_compares_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    compare = load("grading", monkeypatch)._ours()
    pair = {"gold": "1/2", "prediction": "0.5", "form": "answer"}
    assert compare(pair)
    assert not compare({**pair, "prediction": "0.6"})
