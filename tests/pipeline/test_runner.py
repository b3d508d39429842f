"""The pipeline around an engine that answers at once."""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import DataError, EngineDown, EngineError
from harness.interfaces import Completion, Request
from harness.pipeline.grading_pool import GradingPool, Job
from harness.pipeline.pending import TaskRun, Unit, make_plan, make_request, make_sample
from harness.protocol import make_protocol
from harness.sampling import Sampling
from harness.storage.run_folder import TaskFolder
from harness.tasks.kinds import KINDS
from harness.types import Grade, Problem, Sample, Verdict
from tests.support.fakes import FakeEngine
from tests.support.runs import (
    PROBLEMS,
    FragileGrader,
    complete,
    complete_inline,
    keys,
    make_run,
    right,
)


def units(run: TaskRun) -> list[Unit]:
    """What a run lacks, in the order in which it is taken."""
    taken = iter(make_plan([run]).schedule().take, None)
    return [Unit(run, run.problems[id], index) for (_, id), index in taken]


ALL = {(problem.id, index) for problem in PROBLEMS for index in range(4)}


def test_a_run_samples_grades_and_scores_everything_once(tmp_path: Path) -> None:
    run, engine = make_run(tmp_path), FakeEngine(right, concurrency=6, seconds=0.01)
    result = complete(run, engine)
    assert sorted(keys(run.folder)) == sorted(ALL)
    assert {grade.key for grade in run.folder.grades()} == ALL
    assert result == run.folder.scores()
    assert result.scores[0].value == 1.0
    assert result.complete is True
    assert engine.most_in_flight == 6


def test_reasoning_and_response_are_split_and_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=1)
    complete_inline(run, FakeEngine(right))
    sample = next(run.folder.samples())
    assert (sample.reasoning, sample.n_reasoning_tokens) == ("<think>hm", 1)
    assert sample.raw("</think>") == right(Request(sample.problem_id, 0, None, None)).text  # type: ignore[arg-type]


def test_only_what_is_missing_is_sampled_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=2)
    complete_inline(run, FakeEngine(right))
    before = (run.folder.path / "samples.jsonl").read_bytes()
    engine = FakeEngine(right)
    larger = make_run(tmp_path, k=4)
    complete_inline(larger, engine)
    assert {r.index for r in engine.requests} == {2, 3}
    assert (run.folder.path / "samples.jsonl").read_bytes().startswith(before)
    assert sorted(keys(run.folder)) == sorted(ALL)


def test_problems_that_ran_long_before_come_first(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=1)
    lengths = {"0": 10, "1": 500, "2": 70, "3": 3, "4": 200}
    complete_inline(run, FakeEngine(lambda r: replace(right(r), n_tokens=lengths[r.problem_id])))
    order = [unit.problem.id for unit in units(make_run(tmp_path, k=2))]
    assert order == ["1", "4", "2", "0", "3"]


def test_an_engine_error_is_recorded_and_mended_by_the_next_run(tmp_path: Path) -> None:
    def fail(request: Request) -> Completion:
        if request.problem_id == "3":
            raise EngineError("no luck")
        return right(request)

    run = make_run(tmp_path)
    result = complete_inline(run, FakeEngine(fail))
    score = result.scores[0]
    assert score.verdicts == {"correct": 16, "error": 4}
    assert (score.value, score.n, score.n_problems) == (1.0, 20, 4)
    assert (score.complete, result.complete) == (False, False)
    assert run.folder.errors()[0].message == "no luck"
    mended = complete_inline(run, FakeEngine(right))
    assert mended.scores[0].verdicts == {"correct": 20}
    assert mended.complete is True


def test_an_engine_that_is_down_ends_the_run_and_loses_nothing(tmp_path: Path) -> None:
    done: list[Request] = []

    def die(request: Request) -> Completion:
        if len(done) == 7:
            raise EngineDown("gone")
        done.append(request)
        return right(request)

    run = make_run(tmp_path)
    with pytest.raises(EngineDown, match="gone"):
        complete_inline(run, FakeEngine(die, concurrency=1))
    assert len(keys(run.folder)) == 7
    complete_inline(run, FakeEngine(right))
    assert sorted(keys(run.folder)) == sorted(ALL)


def test_every_sample_has_a_seed_of_its_own_only_when_seeded(tmp_path: Path) -> None:
    engine = FakeEngine(right)
    complete_inline(make_run(tmp_path / "seeded", seeded=True), engine)
    assert len({request.seed for request in engine.requests}) == 20
    engine = FakeEngine(right)
    complete_inline(make_run(tmp_path / "plain"), engine)
    assert {request.seed for request in engine.requests} == {None}


def test_choices_are_shown_in_the_order_that_the_sample_stores(tmp_path: Path) -> None:
    problem = Problem(id="q", statement="Which?", answer="a", choices=("a", "b", "c", "d"))
    task = replace(KINDS["choice"], prompt="{statement}\n{choices}", choice_order="per-sample")
    sampling = Sampling(k=8, temperature=1.0)
    run = TaskRun(task, make_protocol(task, [problem], sampling), {"q": problem}, sampling,
                  TaskFolder(tmp_path))  # fmt: skip
    orders = set()
    for unit in units(run):
        request, order = make_request(unit)
        assert order is not None
        shown = [line[3:] for line in request.prompt.user.splitlines()[1:]]
        assert shown == [problem.choices[number] for number in order]
        orders.add(order)
    assert len(orders) > 1


def test_a_server_that_split_the_reasoning_is_believed(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    request, _ = make_request(units(run)[0])
    engine = FakeEngine(right)
    split = Completion("", "length", n_tokens=50, reasoning="so far")
    cut = make_sample(request, split, None, run.protocol, engine)
    assert (cut.reasoning, cut.response) == ("so far", None)
    ended = make_sample(request, replace(split, text="4"), None, run.protocol, engine)
    assert (ended.reasoning, ended.response) == ("so far", "4")


def grade_all(responses: Sequence[str], **options: float) -> dict[str, Verdict]:
    """Verdicts by response."""
    verdicts: dict[str, Verdict] = {}

    async def work() -> None:
        async with GradingPool(1, **options) as pool:
            for index, text in enumerate(responses):
                sample = Sample("0", index, None, text, "stop")

                def done(grade: Grade, text: str = text) -> None:
                    verdicts[text] = grade.verdict

                await pool.put(Job(FragileGrader(), PROBLEMS[0], sample, done))
            await pool.drain()

    asyncio.run(work())
    return verdicts


def test_a_grader_that_hangs_dies_or_raises_spoils_one_sample_only() -> None:
    good = [f"fine {number}" for number in range(40)]
    verdicts = grade_all([*good[:20], "hang", "die", "raise", "exit", *good[20:]], seconds=2.0)
    assert {text: v for text, v in verdicts.items() if v is not Verdict.CORRECT} == {
        "hang": Verdict.ERROR,
        "die": Verdict.ERROR,
        "raise": Verdict.ERROR,
        "exit": Verdict.ERROR,
    }
    assert len(verdicts) == 44


def test_a_full_queue_refuses_and_the_rest_is_graded_from_disk(tmp_path: Path) -> None:
    run = make_run(tmp_path, k=200)
    result = complete(run, FakeEngine(right, concurrency=1000))
    assert Counter(grade.key for grade in run.folder.grades()).most_common(1)[0][1] == 1
    assert result.scores[0].verdicts == {"correct": 1000}


def test_a_full_disk_ends_the_run_with_whole_lines(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(DataError, match="make room and run the same command again"):
            complete(run, FakeEngine(right))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    kept = keys(run.folder)
    assert 0 < len(kept) < 20
    complete(run, FakeEngine(right))
    assert keys(run.folder)[: len(kept)] == kept
    assert sorted(keys(run.folder)) == sorted(ALL)
