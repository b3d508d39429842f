"""Plans from real rates: what a run costs and what it can show."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from harness.cli import run_command
from harness.cli.task_lookup import task_named
from harness.errors import DataError, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.runner import Observer
from harness.registry import find_tasks
from harness.stats import power
from harness.stats import rates as posterior
from harness.storage.manifest import Manifest
from harness.storage.run_folder import RunFolder, RunWriter
from harness.types import Tally
from harness.workflows.evaluate import run_engine
from harness.workflows.plan import STEPS, TaskPlan, plan_task
from harness.workflows.plan_inputs import (
    Assumptions,
    PlanInputs,
    plan_inputs,
    throughput,
)
from harness.workflows.prepare import prepare
from tests.support.fakes import FakeEngine

TASK = "practice_integer"
LIMIT = 12
FEW = (1, 4, 8)  # with the inputs's own 16: quicker to compute than all steps


def inputs(n: int = 40, k: int = 16, length: float | None = 100.0) -> PlanInputs:
    """Rates as many problems have them: some never right, some always, the rest between."""
    right = [round(k * min(1.0, i / (0.7 * n))) for i in range(n)]
    rates = posterior.posterior_rates([Tally(k, c) for c in right])
    return PlanInputs(task="t", rates=rates, k=k, length=length, origin="test")


@cache
def planned_task() -> TaskPlan:
    """The plan of that inputs, with a wished-for drop of two points."""
    return plan_task(inputs(), detect=0.02, tokens_per_second=50.0, steps=FEW)


@pytest.fixture
def run(inline_grading: None, tmp_path: Path) -> Path:
    """A run of 12 problems with 4 samples of 10 tokens, in batches of 8 that took 2 seconds."""
    from harness.workflows.run_settings import make_settings

    asked: list[Request] = []

    def reply(request: Request) -> Completion:
        asked.append(request)
        batch = (len(asked) - 1) // 8
        right = sum(request.problem_id.encode()) % 3 and (request.index + batch) % 4
        answer = answers[request.problem_id] if right else "998"
        return Completion(f"\\boxed{{{answer}}}", "stop", 3, 10, seconds=2 + batch / 1000)

    def silent(runs: object) -> Observer:
        return lambda event, task, verdict: None

    folder = tmp_path / "run"
    settings = make_settings(
        {"model": "m", "tasks": TASK, "output": folder, "k": 4, "limit": LIMIT}
    )
    prepared = prepare(find_tasks(TASK), settings)
    answers = {problem.id: problem.answer for problem in prepared[0].problems}
    with RunWriter(folder) as writer:
        asyncio.run(run_engine(writer, "m", FakeEngine(reply), prepared, observe=silent))
    return folder


def test_cost_is_problems_times_samples_times_length() -> None:
    planned = planned_task()
    step = planned.step(8)
    assert (step.samples, step.tokens) == (320, 32_000)
    assert step.hours == pytest.approx(32_000 / 50 / 3600)
    assert [s.k for s in planned.steps] == [*FEW, 16]


def test_what_is_not_known_is_left_open() -> None:
    assert plan_task(inputs(length=None), tokens_per_second=50.0, steps=()).step(16).hours is None
    assert plan_task(inputs(), steps=()).step(16).hours is None
    assert plan_task(inputs(), steps=()).step(16).tokens == 64_000


def test_errors_and_drops_shrink_with_k_but_the_problems_error_has_a_floor() -> None:
    steps = [s for s in planned_task().steps if s.k > 1]
    for before, after in pairwise(steps):
        ratio = math.sqrt(before.k / after.k)
        assert after.se_sampling == pytest.approx(before.se_sampling * ratio)
        assert after.drop < before.drop
        assert after.decided_drop < before.decided_drop  # type: ignore[operator]
        assert after.decided_share < before.decided_share  # type: ignore[operator]
        assert after.margin_power >= before.margin_power
    floor = float(inputs().rates.std()) / math.sqrt(39)
    assert floor < steps[-1].se_problems < 1.05 * floor  # type: ignore[operator]


def test_the_errors_to_expect_are_those_of_simulated_runs() -> None:
    import numpy as np

    from harness.stats.intervals import problems_error, rate_variances, sampling_error

    random, found = np.random.default_rng(3), inputs(n=60)
    step, sampling, problems = plan_task(found, steps=(4,)).step(4), [], []
    for _ in range(200):
        column = random.integers(0, found.rates.shape[1], 60)
        rates = found.rates[np.arange(60), column]
        tallies = [Tally(4, int(c)) for c in random.binomial(4, rates)]
        sampling.append(sampling_error(rate_variances(tallies)) or 0.0)
        problems.append(problems_error([t.correct / t.n for t in tallies]) or 0.0)
    assert step.se_sampling == pytest.approx(np.sqrt(np.mean(np.square(sampling))), rel=0.05)
    assert step.se_problems == pytest.approx(np.sqrt(np.mean(np.square(problems))), rel=0.05)


def test_both_gates_see_about_the_same_drop_with_the_same_most() -> None:
    for step in planned_task().steps:
        if step.k >= 8:
            assert step.decided_drop == pytest.approx(step.drop, rel=0.1)
            assert 0.2 < (step.decided_share or 0) < 0.85


def test_one_sample_a_problem_sees_a_large_drop_and_has_no_sequential_gate() -> None:
    step = planned_task().step(1)
    assert (step.decided_drop, step.decided_share) == (None, None)
    assert step.drop < float(inputs().rates.mean())


def test_the_k_that_a_drop_needs_sees_it_and_one_less_does_not() -> None:
    found = inputs()
    detection = planned_task().detection
    assert detection is not None
    assert detection.k is not None
    assert detection.n_problems is None
    assert power.power_at(found.rates, detection.k, detection.k, 0.02) >= power.POWER
    assert power.power_at(found.rates, detection.k - 1, detection.k - 1, 0.02) < power.POWER
    assert detection.step is not None
    assert detection.step.drop <= 0.02 + 1e-6


def test_a_base_with_few_samples_sets_a_limit_that_only_problems_lift() -> None:
    found = inputs()
    detection = plan_task(found, detect=0.02, base_k=4, steps=()).detection
    assert detection is not None
    assert (detection.k, detection.step) == (None, None)
    assert detection.n_problems is not None
    times = detection.n_problems / found.n_problems
    assert times > 1
    more = found.rates.repeat(math.ceil(times), axis=0)
    assert power.power_at(more, 4, detection.k_problems, 0.02) >= power.POWER - 0.02


def test_a_drop_below_zero_is_no_plan() -> None:
    low = PlanInputs(task="t", rates=posterior.posterior_rates([Tally(8, 0)] * 20), k=8, length=None,
                origin="test")  # fmt: skip
    detection = plan_task(low, detect=0.3, steps=()).detection
    assert detection is not None
    assert (detection.k, detection.n_problems) == (None, None)


def test_a_runs_own_tasks_rates_and_lengths_are_taken(run: Path) -> None:
    (found,) = plan_inputs([], task_named, run=run, data=None, stated=Assumptions())
    assert (found.task, found.n_problems, found.k, found.length) == (TASK, LIMIT, 4, 10.0)
    scored = RunFolder(run).task(TASK).scores().scores[0].value
    assert float(found.rates.mean()) == pytest.approx(scored, abs=0.05)


def test_what_is_stated_goes_before_what_was_measured(run: Path) -> None:
    stated = Assumptions(rate=0.25, spread=0.2, length=5000)
    (found,) = plan_inputs([TASK], task_named, run=run, data=None, stated=stated)
    assert found.length == 5000
    assert float(found.rates.mean()) == pytest.approx(0.25, abs=0.01)
    assert float(found.rates.std()) == pytest.approx(0.2, abs=0.02)


def test_without_a_run_the_dataset_gives_the_number_of_problems(tmp_path: Path) -> None:
    stated = Assumptions(rate=0.7)
    (found,) = plan_inputs([TASK], task_named, run=None, data=None, stated=stated)
    assert (found.n_problems, found.k, found.length) == (40, 16, None)
    rows = [{"id": n, "problem": f"{n}?", "answer": str(n)} for n in range(30)]
    (tmp_path / "aime24.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = plan_inputs(["aime24"], task_named, run=None, data=tmp_path, stated=stated)
    assert found.n_problems == 30


def test_a_task_without_rate_is_an_error_that_says_what_to_state(run: Path) -> None:
    nothing = Assumptions()
    with pytest.raises(UsageError, match=r"practice_math: .* holds practice_integer; state"):
        plan_inputs(["practice_math"], task_named, run=run, data=None, stated=nothing)
    with pytest.raises(UsageError, match="there is no --from RUN; state a mean rate"):
        plan_inputs(["practice_math"], task_named, run=None, data=None, stated=nothing)
    with pytest.raises(UsageError, match="--tasks is needed"):
        plan_inputs([], task_named, run=None, data=None, stated=nothing)


def test_a_run_without_grades_is_not_enough_to_plan(run: Path) -> None:
    (run / TASK / "grades.jsonl").write_text("")
    with pytest.raises(DataError, match="no graded sample"):
        plan_inputs([], task_named, run=run, data=None, stated=Assumptions())


def test_speed_is_that_of_the_starts_on_record(run: Path) -> None:
    manifest = RunFolder(run).manifest()
    assert manifest.starts[0].seconds > 0
    with RunWriter(run) as writer:
        writer.update_start(replace(manifest.starts[0], seconds=24.0))
    assert throughput(run) == pytest.approx(LIMIT * 4 * 10 / 24.0)


def test_speed_is_that_of_the_batches_where_a_start_left_no_time(run: Path) -> None:
    manifest: Manifest = RunFolder(run).manifest()
    with RunWriter(run) as writer:
        writer.update_start(replace(manifest.starts[0], seconds=None))
    batches = math.ceil(LIMIT * 4 / 8)
    assert throughput(run) == pytest.approx(LIMIT * 4 * 10 / (2 * batches), rel=0.01)


def test_speed_is_unknown_where_nothing_tells_it(run: Path) -> None:
    manifest = RunFolder(run).manifest()
    with RunWriter(run) as writer:
        writer.update_start(replace(manifest.starts[0], seconds=None))
    samples = run / TASK / "samples.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["seconds"] = 2 + number  # each sample took its own time, side by side with others
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert throughput(run) is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--assume", "70"), "--assume 70: give a rate between 0 and 1"),
        (("--spread", "0.2"), "--spread goes with --assume"),
        (("--assume", "0.7", "--spread", "0.6"), "--spread 0.6"),
        (("--assume", "0.7", "--length", "0"), "--length 0"),
        (("--assume", "0.7", "--tokens-per-second", "-1"), "--tokens-per-second -1"),
        (("--assume", "0.7", "--k", "0"), "--k 0"),
        (("--assume", "0.7", "--base-k", "0"), "--base-k 0"),
        (("--assume", "0.7", "--detect", "0"), "--detect 0: points above 0"),
        (("--assume", "0.7", "--detect", "0.02"), "--detect 0.02: points are meant"),
        (("--assume", "0.7", "--margin", "500"), "--margin 500: points above 0 and below 100"),
        (("--assume", "0.7", "--margin", "0.05"), "--margin 0.05: points are meant; 5 is five"),
    ],
)
def test_a_bad_number_is_one_line(
    options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["plan", "--tasks", TASK, *options]) == 2
    assert said in capsys.readouterr().err


def test_the_command_says_it_in_a_table_and_two_sentences(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = tmp_path / "plan.json"
    command = ["plan", "--from", str(run), "--detect", "5", "--k", "6", "--json", str(document)]
    assert run_command(command) == 0
    said = " ".join(capsys.readouterr().out.split())
    (planned,) = json.loads(document.read_text())["plans"]
    steps = {step["k"]: step for step in planned["steps"]}
    assert sorted(steps) == sorted({*STEPS, 6})
    assert f"k 6 detects a drop of {100 * steps[6]['drop']:.1f} points" in said
    assert f"A drop of 5 points needs k {planned['detect']['k']}" in said
    assert planned["tokens_per_second"] > 0
