"""Where a run takes the expected lengths of its samples from, and what its manifest says of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.workflows.engine_loading as engine_loading
from harness.errors import UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.stats.allocation import counts_at, uniform
from harness.storage.manifest import ExpectedSamples
from harness.storage.run_folder import RunFolder
from harness.workflows.evaluate import evaluate
from harness.workflows.run_settings import RunSettings
from tests.support.fakes import FakeEngine, answer

TASKS = "practice_integer,practice_math"


def silent(runs: Sequence[TaskRun]) -> Observer:
    return lambda event, task, verdict: None


def length(request: Request) -> int:
    """Long or short by the problem alone."""
    return 20 + sum(request.problem_id.encode()) % 97


class Bench:
    """Runs with an engine that keeps what it was asked, in order."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.asked: list[Request] = []
        monkeypatch.setattr(engine_loading, "load_engine", self.load)

    def load(self, *_: object, **__: object) -> FakeEngine:
        def reply(request: Request) -> Completion:
            self.asked.append(request)
            return replace(answer("1"), n_tokens=length(request))

        return FakeEngine(reply, concurrency=1)

    def run(
        self,
        name: str,
        known: Mapping[str, Path] | None = None,
        tasks: str = TASKS,
        **settings: Any,
    ) -> Mapping[str, ExpectedSamples]:
        """Complete a run of six problems a task; returns the plan in its manifest."""
        self.asked.clear()
        path = self.folder / name
        asked = RunSettings(model="m", tasks=tasks, output=path, limit=6,
                            **{"k": 2, **settings})  # fmt: skip
        found = find_tasks(tasks)
        asyncio.run(evaluate(found, asked, observe=silent, lengths=known))
        plan = RunFolder(path).manifest().starts[-1].plan
        assert plan is not None
        return plan.tasks

    def in_order(self) -> bool:
        """Whether the longest were asked for first, over all tasks."""
        lengths = [length(request) for request in self.asked]
        return lengths == sorted(lengths, reverse=True)


@pytest.fixture
def bench(inline_grading: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_without_any_lengths_one_sample_of_every_problem_shows_them(bench: Bench) -> None:
    plan = bench.run("first")
    assert plan["practice_integer"] == ExpectedSamples(samples=12)
    assert len({request.problem_id for request in bench.asked[:12]}) == 12
    rest = [length(request) for request in bench.asked[12:]]
    assert rest == sorted(rest, reverse=True)


def test_a_resumed_run_knows_the_lengths_of_its_own_samples(bench: Bench) -> None:
    bench.run("run")
    plan = bench.run("run", k=4)
    assert bench.in_order() and len(bench.asked) == 24
    expected = sum(facts.tokens or 0 for facts in plan.values())
    assert expected == sum(length(request) for request in bench.asked)
    assert {facts.lengths_from for facts in plan.values()} == {"this run"}


@pytest.mark.parametrize("named", [True, False])
def test_an_earlier_run_tells_the_lengths(bench: Bench, named: bool) -> None:
    bench.run("old", k=3, tasks="practice_integer")
    old = bench.folder / "old"
    known = {"practice_integer": old}
    plan = bench.run("new", lengths=old) if named else bench.run("new", known)
    assert plan["practice_math"].lengths_from is None
    facts = plan["practice_integer"]
    assert (facts.lengths_from, facts.samples, facts.problems_known) == (
        str(old), 12, "6 of 6",
    )  # fmt: skip
    problems = RunFolder(old).task("practice_integer").problems()
    integer = [length(request) for request in bench.asked if request.problem_id in problems]
    assert integer == sorted(integer, reverse=True)
    assert (facts.tokens, facts.longest_tokens) == (sum(integer), max(integer))


def test_the_run_to_be_held_against_tells_the_lengths_of_stages(bench: Bench) -> None:
    bench.run("base", k=4)
    plan = bench.run("new", until="decided", base=bench.folder / "base", k=3)
    assert {facts.lengths_from for facts in plan.values()} == {str(bench.folder / "base")}
    for folder in RunFolder(bench.folder / "new").tasks():
        stopping, problems = folder.stopping(), folder.problems()
        assert stopping is not None
        counts = counts_at(uniform(problems, 3), stopping.shares[0])
        own = [request for request in bench.asked if request.problem_id in problems]
        first = own[: sum(counts.values())]
        assert all(request.index < counts[request.problem_id] for request in first)
        lengths = [length(request) for request in first]
        assert lengths == sorted(lengths, reverse=True)


def test_a_run_of_other_tasks_is_refused(bench: Bench) -> None:
    bench.run("old", tasks="practice_math")
    with pytest.raises(UsageError, match="old: that run has none of practice_integer"):
        bench.run("new", tasks="practice_integer", lengths=bench.folder / "old")
    assert not (bench.folder / "new").exists()
