"""A run whose draws are all equal stops: nothing it had would be k draws."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import EngineDown
from harness.interfaces import Completion, Request
from harness.pipeline.equal_draws import remedy
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Runner
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.storage.manifest import Manifest, Start
from harness.storage.run_folder import RunWriter
from harness.tasks.kinds import KINDS
from harness.types import Problem
from tests.support.fakes import FakeEngine, InlinePool
from tests.support.runs import keys

PROBLEMS = [Problem(str(i), f"What is {i}+{i}?", answer=str(2 * i)) for i in range(40)]
LONG = "so the sum of it is two times the number " * 90


def make_run(path: Path, *, k: int = 4, temperature: float | None = 0.6) -> TaskRun:
    task = replace(KINDS["integer"], prompt="{statement}")
    sampling = Sampling(k=k, temperature=temperature)
    protocol = make_protocol(task, PROBLEMS, sampling)
    with RunWriter(path) as writer:
        writer.begin(Manifest(model="m", fingerprint={"engine": "fake"}), Start())
        folder = writer.add_task(protocol, PROBLEMS, k)
    return TaskRun(task, protocol, {p.id: p for p in PROBLEMS}, sampling, folder)


def greedy(request: Request) -> Completion:
    """The same text for every draw of a problem, whatever the temperature."""
    return Completion(f"{LONG}{request.problem_id}", "stop", 9, 3000)


def sampled(request: Request) -> Completion:
    return Completion(f"{LONG}{request.problem_id} {request.index}", "stop", 9, 3000)


def draw(
    run: TaskRun, reply: Callable[[Request], Completion], notes: list[str], *, lanes: int = 8
) -> FakeEngine:
    engine = FakeEngine(reply, concurrency=lanes)
    asyncio.run(Runner([run], engine, InlinePool(), notify=notes.append).run())
    return engine


def test_a_greedy_engine_is_stopped_early_and_its_samples_are_kept(tmp_path: Path) -> None:
    run, notes = make_run(tmp_path), []
    with pytest.raises(EngineDown) as stopped:
        draw(run, greedy, notes, lanes=1)
    assert "integer: all draws of 14 prompts are equal at temperature 0.6" in str(stopped.value)
    assert f"another folder (-o), as {tmp_path} would keep" in str(stopped.value)
    assert "\n" not in str(stopped.value)
    assert stopped.value.exit_code == 4
    assert 40 < len(keys(run.folder)) <= 40 + 14 * 3  # the first draws of all go first
    assert not notes


def test_a_mended_engine_is_not_added_to_equal_samples(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    with pytest.raises(EngineDown):
        draw(run, greedy, [])
    before = keys(run.folder)
    again = FakeEngine(sampled)
    with pytest.raises(EngineDown, match="another folder"):
        asyncio.run(Runner([run], again, InlinePool()).run())
    assert not again.requests
    assert keys(run.folder) == before


def test_a_resumed_run_counts_what_was_drawn_before(tmp_path: Path) -> None:
    def few(request: Request) -> Completion:
        if len(engine.requests) > 60:
            raise EngineDown("stopped")
        return greedy(request)

    run, engine = make_run(tmp_path), FakeEngine(few, concurrency=1)
    with pytest.raises(EngineDown, match=r"^stopped$"):
        asyncio.run(Runner([run], engine, InlinePool()).run())
    stored = len(keys(run.folder))
    with pytest.raises(EngineDown, match="all draws of 14 prompts"):
        draw(run, greedy, [], lanes=1)
    assert len(keys(run.folder)) < stored + 14 * 3


def test_one_draw_a_problem_and_published_responses_are_not_compared(tmp_path: Path) -> None:
    notes: list[str] = []
    assert len(draw(make_run(tmp_path / "one", k=1), greedy, notes).requests) == 40

    class Recorded(FakeEngine):
        def fingerprint(self) -> dict[str, str]:
            return {"engine": "recorded"}

    run = make_run(tmp_path / "published", temperature=None)
    asyncio.run(Runner([run], Recorded(greedy), InlinePool(), notify=notes.append).run())
    assert len(keys(run.folder)) == 160
    assert not notes


@pytest.mark.parametrize("temperature", [0.1, 0.3])
def test_at_a_low_temperature_equal_draws_are_only_said(tmp_path: Path, temperature: float) -> None:
    run, notes = make_run(tmp_path, temperature=temperature), []

    def short(request: Request) -> Completion:
        return Completion(f"\\boxed{{{request.problem_id}}}", "stop", 9, 35)

    draw(run, short, notes)
    assert len(keys(run.folder)) == 160
    (note,) = notes
    assert f"all draws of 40 prompts are equal at temperature {temperature}" in note
    assert "its sampling error is 0" in note


def test_an_engine_that_samples_is_never_stopped(tmp_path: Path) -> None:
    run, notes = make_run(tmp_path), []
    draw(run, sampled, notes)
    assert len(keys(run.folder)) == 160
    assert not notes


def test_draws_of_one_prompt_are_compared_and_those_of_other_orders_are_not(
    tmp_path: Path,
) -> None:
    """A greedy engine that is shown the choices in another order each time says other things."""
    run = make_run(tmp_path)
    shuffled = {(p.id, index): (index, 0) for p in PROBLEMS for index in range(4)}
    notes: list[str] = []
    draw(replace(run, orders=shuffled), greedy, notes)
    assert not notes


@pytest.mark.parametrize(
    ("fingerprint", "words"),
    [
        ({"engine": "openai", "server_kind": "unknown"}, "--engine-arg server=transformers"),
        ({"engine": "openai", "server_kind": "litellm"}, "switch off caches"),
        ({"engine": "openai", "server_kind": "transformers"}, "set do_sample there"),
        ({"engine": "openai", "server_kind": "vllm"}, "switch off caches in front of the server"),
        ({"engine": "lm_eval"}, "do_sample=true"),
        ({"engine": "transformers"}, "a failed merge or adapter"),
    ],
)
def test_the_remedy_is_that_of_the_engine(fingerprint: dict[str, str], words: str) -> None:
    assert words in remedy(fingerprint)
