"""Stages whose last samples are slow: what is drawn meanwhile, and what becomes of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import harness.pipeline.runner as runner_module
from harness.errors import EngineError
from harness.interfaces import Completion, Request
from harness.pipeline.drawing import Drawing
from harness.pipeline.grading_pool import GradingPool
from harness.pipeline.pending import Place, Plan, TaskRun
from harness.pipeline.runner import Runner
from harness.pipeline.schedule import Lengths
from harness.pipeline.stages import Stages
from harness.storage.files import write_lines
from tests.support.fakes import FakeEngine, InlinePool
from tests.support.runs import PROBLEMS, Rule, in_stages, make_run, right

Decided = Callable[[TaskRun, int], bool]


class SlowEngine(FakeEngine):
    """Answers when the test says so for the samples that are named, and else at once."""

    def __init__(self, slow: set[tuple[str, int]], concurrency: int) -> None:
        super().__init__(right, concurrency=concurrency)
        self.release = asyncio.Event()
        self.called_off: list[tuple[str, int]] = []
        self.slow = slow

    async def generate(self, request: Request) -> Completion:
        if (request.problem_id, request.index) in self.slow:
            self.requests.append(request)
            try:
                await self.release.wait()
            except asyncio.CancelledError:
                self.called_off.append((request.problem_id, request.index))
                raise
            return right(request)
        return await super().generate(request)


async def settle() -> None:
    for _ in range(200):
        await asyncio.sleep(0)


def indices(run: TaskRun) -> Mapping[str, Sequence[int]]:
    found: dict[str, list[int]] = {problem.id: [] for problem in PROBLEMS}
    for sample in run.folder.samples():
        found[sample.problem_id].append(sample.index)
    return {id: sorted(rows) for id, rows in found.items()}


def test_no_lane_waits_for_the_last_sample_of_a_stage(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=8)
    looks = []

    def decided(_: TaskRun, stage: int) -> bool:
        looks.append(stage)
        return False

    async def work() -> None:
        engine = SlowEngine({("0", 0)}, concurrency=7)
        running = asyncio.create_task(in_stages(run, engine, decided))
        await settle()
        assert looks == []
        assert len(engine.requests) == 5 * 8
        engine.release.set()
        await running

    asyncio.run(work())
    assert looks == list(range(1, 9))
    assert set(map(tuple, indices(run).values())) == {tuple(range(8))}


def test_a_decision_calls_off_what_is_in_flight_and_keeps_its_stages_alone(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=8)
    engines = []

    async def work() -> dict[str, object]:
        # Problem 1 is slow in every stage after the second one, which decides.
        engine = SlowEngine({("0", 1), *(("1", index) for index in range(2, 8))}, concurrency=9)
        engines.append(engine)
        running = asyncio.create_task(in_stages(run, engine, lambda _, stage: stage == 2))
        await settle()
        assert any(index > 1 for rows in indices(run).values() for index in rows)
        asyncio.get_running_loop().call_soon(engine.release.set)
        engine.slow.discard(("0", 1))
        return (await running)[0]

    result = asyncio.run(work())
    assert result.k == 2
    assert result.complete is True
    assert set(map(tuple, indices(run).values())) == {(0, 1)}
    assert {grade.index for grade in run.folder.grades()} == {0, 1}


def test_what_is_in_flight_of_a_decided_task_is_called_off(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=4)

    async def work() -> SlowEngine:
        engine = SlowEngine({(problem.id, 1) for problem in PROBLEMS}, concurrency=10)
        await asyncio.wait_for(in_stages(run, engine, lambda _, number: True), 10)
        return engine

    engine = asyncio.run(work())
    assert sorted(engine.called_off) == [(problem.id, 1) for problem in PROBLEMS]
    assert set(map(tuple, indices(run).values())) == {(0,)}


def test_an_interrupt_ends_the_stages(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=4)

    async def work() -> None:
        engine = SlowEngine({("3", 1)}, concurrency=10)
        running = asyncio.create_task(in_stages(run, engine, lambda *_: False))
        await settle()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(running, 10)

    asyncio.run(work())
    assert len(list(run.folder.samples())) > 5


def test_a_resumed_run_analyses_the_stored_stages_before_it_draws(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=4)
    asyncio.run(in_stages(run, FakeEngine(right), lambda *_: False))
    looks: list[int] = []
    larger = make_run(tmp_path, k=8)
    engine = FakeEngine(right)

    def decided(_: TaskRun, number: int) -> bool:
        looks.append(number)
        return number == 3

    (result,) = asyncio.run(in_stages(larger, engine, decided))
    assert (looks, engine.requests, result.k) == ([1, 2, 3], [], 3)


def test_a_failed_sample_ends_with_its_stage(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=3)

    def reply(request: Request) -> Completion:
        if (request.problem_id, request.index) == ("2", 1):
            raise EngineError("refused")
        return right(request)

    (result,) = asyncio.run(in_stages(run, FakeEngine(reply), lambda *_: False))
    assert (result.errors, result.k, result.pending) == (1, 3, 0)


def test_a_fault_of_the_grading_ends_stages_that_wait_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(tmp_path, k=3)

    def fail(event: str, *_: object) -> None:
        if event == "graded":
            raise ZeroDivisionError

    drawing = Drawing(rule=Rule(lambda *_: False))
    runner = Runner([run], FakeEngine(right), GradingPool(1), drawing=drawing, observe=fail)
    with pytest.raises(ZeroDivisionError):
        asyncio.run(asyncio.wait_for(runner.run(), 60))


@given(
    st.lists(
        st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), min_size=1, max_size=3),
        min_size=1, max_size=3,
    ),
    st.integers(1, 9),
    st.randoms(use_true_random=False),
)  # fmt: skip
def test_every_sample_is_taken_once_and_none_of_a_later_stage_while_one_is_left(
    steps: Sequence[Sequence[Sequence[int]]], lanes: int, rng: random.Random
) -> None:
    """`steps`: by task and problem, the samples that each stage adds."""
    ends: dict[str, list[dict[str, int]]] = {}
    missing: dict[Place, Sequence[int]] = {}
    for t, problems in enumerate(steps):
        n_stages = max(map(len, problems))
        counts = {
            f"p{p}": list(accumulate([*added, *[0] * (n_stages - len(added))]))
            for p, added in enumerate(problems)
        }
        ends[f"t{t}"] = [{id: at[s] for id, at in counts.items()} for s in range(n_stages)]
        missing |= {(f"t{t}", id): range(at[-1]) for id, at in counts.items()}
    left = {place: set(rows) for place, rows in missing.items()}
    stages = Stages(Plan(missing, Lengths(), {}), ends)
    in_flight: list[tuple[Place, int]] = []
    while stages.waiting:
        while len(in_flight) < lanes and (new := stages.take()) is not None:
            (task, id), index = new
            waited = {
                t: any(i < ends[t][n - 1][p] for (own, p), rows in left.items() if own == t
                       for i in rows)
                for t, n in stages.waiting.items()
            }  # fmt: skip
            ahead = index >= ends[task][stages.waiting[task] - 1][id]
            assert not (ahead and any(waited.values()))
            left[task, id].remove(index)
            in_flight.append(new)
        if in_flight:
            place, index = in_flight.pop(rng.randrange(len(in_flight)))
            stages.record(place, rng.randrange(100))
            stages.end(place, index)
        for task in list(stages.waiting):
            while task in stages.waiting and stages.has_ended(task):
                assert not any(i < ends[task][stages.waiting[task] - 1][id]
                               for (own, id), rows in left.items() if own == task
                               for i in rows)  # fmt: skip
                stages.close(task) if stages.is_last(task) else stages.advance(task)
    assert not any(left.values())


def test_the_longest_go_first_over_all_samples_of_a_stage() -> None:
    lengths: Lengths[Place] = Lengths()
    lengths.assume({("t", "a"): 10.0, ("t", "b"): 90.0})
    missing: dict[Place, Sequence[int]] = {("t", "a"): range(4), ("t", "b"): range(4)}
    stages = Stages(Plan(missing, lengths, {}), {"t": [{"a": 2, "b": 2}, {"a": 4, "b": 4}]})
    taken = [found[0][1] for _ in range(8) if (found := stages.take())]
    assert "".join(taken) == "bbaabbaa"


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_kill_while_the_rest_is_thrown_away_leaves_no_grade_without_its_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    run = make_run(tmp_path, k=8)
    left = [written]

    def write(path: Path, rows: Iterable[object]) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        write_lines(path, rows)

    async def work() -> None:
        engine = SlowEngine({("0", 0)}, concurrency=7)
        running = asyncio.create_task(in_stages(run, engine, lambda *_: True))
        await settle()
        engine.release.set()
        await running

    with monkeypatch.context() as patched:
        patched.setattr(runner_module, "write_lines", write)
        with suppress(KeyboardInterrupt):
            asyncio.run(work())
    sampled = {sample.key for sample in run.folder.samples()}
    assert {grade.key for grade in run.folder.grades()} <= sampled
    (result,) = asyncio.run(Runner([run], FakeEngine(right), InlinePool()).run())
    assert (result.complete, result.scores[0].n) == (True, 5 * 8)
    assert sum(1 for _ in run.folder.grades()) == 5 * 8
