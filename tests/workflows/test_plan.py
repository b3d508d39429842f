"""Plans from real rates: what a run costs and what it can show."""

from __future__ import annotations

import asyncio
import heapq
import json
import math
import random
import shutil
import statistics
from collections.abc import Callable
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
from harness.storage.run_folder import RunFolder, RunWriter
from harness.types import Tally
from harness.workflows import plan_time
from harness.workflows.evaluate import run_engine
from harness.workflows.plan import STEPS, TaskPlan, hours_together, plan_task
from harness.workflows.plan_inputs import (
    Assumptions,
    PlanInputs,
    measured_lanes,
    plan_inputs,
    plan_lanes,
)
from harness.workflows.plan_time import Clock, Lanes, SampleLengths
from harness.workflows.prepare import prepare
from tests.support.fakes import FakeEngine, answer

TASK = "practice_integer"
LIMIT = 12
FEW = (1, 4, 8)  # with the inputs's own 16: quicker to compute than all steps


def inputs(n: int = 40, k: int = 16, length: float | None = 100.0) -> PlanInputs:
    """Rates as many problems have them: some never right, some always, the rest between."""
    right = [round(k * min(1.0, i / (0.7 * n))) for i in range(n)]
    ids = tuple(f"p{i}" for i in range(n))
    tallies = [Tally(k, c) for c in right]
    lengths = None if length is None else SampleLengths.assumed(ids, length, 400)
    return PlanInputs(task="t", ids=ids, rates=posterior.posterior_rates(tallies), k=k,
                      lengths=lengths, origin="test",
                      known=dict(zip(ids, tallies, strict=True)))  # fmt: skip


@cache
def planned_task() -> TaskPlan:
    """The plan of these inputs, with a wished-for drop of two points."""
    return plan_task(inputs(), detect=0.02, lanes=Lanes(4, together=50.0), steps=FEW)


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
    assert step.samples == 320
    assert step.tokens == pytest.approx(32_000)
    assert [s.k for s in planned.steps] == [*FEW, 16]


def test_few_lanes_take_as_long_as_their_tokens() -> None:
    step = planned_task().step(16)
    assert step.hours == pytest.approx(64_000 / 50 / 3600, rel=0.03)


def test_no_number_of_lanes_ends_before_the_longest_sample() -> None:
    counts = {"t": dict.fromkeys(inputs().ids, 4)}
    for lanes in (160, 10_000):
        step = plan_task(inputs(), lanes=Lanes(lanes, each=2.0), steps=(4,)).step(4)
        assert step.hours == step.floor_hours
    clock = Clock.of({"t": inputs().lengths}, Lanes(160, each=2.0))
    assert clock is not None
    rng, longest = random.Random(4), []
    for _ in range(400):
        drawn = [min(length.cap, math.exp(rng.gauss(length.centre, length.spread)))
                 for length in clock.lengths.values() for _ in range(4)]  # fmt: skip
        longest.append(max(drawn))
    assert clock.floor(counts) * 3600 * 2 == pytest.approx(statistics.median(longest), rel=0.03)


@pytest.mark.parametrize(("lanes", "k"), [(16, 4), (64, 4), (64, 16), (256, 16)])
def test_hours_are_those_of_a_simulated_schedule(lanes: int, k: int) -> None:
    found, rng, ends = inputs(length=10_000), random.Random(lanes), []
    lengths = SampleLengths.assumed(found.ids, 10_000, 32_768)
    found = replace(found, lengths=lengths)
    planned = plan_task(found, lanes=Lanes(lanes, each=30.0), steps=(k,)).step(k)
    for _ in range(5):
        held = [0.0] * lanes
        for length in sorted(lengths.expectations("t").values(), key=lambda own: -own.centre):
            for _ in range(k):
                drawn = min(length.cap, math.exp(rng.gauss(length.centre, length.spread)))
                heapq.heapreplace(held, held[0] + drawn)
        ends.append(max(held) / 30 / 3600)
    assert planned.hours == pytest.approx(statistics.fmean(ends), rel=0.15)


@pytest.mark.parametrize("lanes", [7, 256])
def test_a_large_task_is_thinned_without_changing_its_hours(
    lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = inputs(n=60, length=150)
    clock = Clock.of({"t": found.lengths}, Lanes(lanes, each=10.0))
    assert clock is not None
    counts = dict.fromkeys(found.ids, 30)
    whole, ends = clock.whole({"t": counts}), clock.ends("t", counts, (0.3, 0.7, 1.0))
    monkeypatch.setattr(plan_time, "_MOST", 600)
    assert clock.whole({"t": counts}) != whole
    assert clock.whole({"t": counts}) == pytest.approx(whole, rel=0.1)
    assert clock.ends("t", counts, (0.3, 0.7, 1.0)) == pytest.approx(ends, rel=0.15)


def test_what_is_not_known_is_left_open() -> None:
    speed = Lanes(4, together=50.0)
    assert plan_task(inputs(length=None), lanes=speed, steps=()).step(16).hours is None
    for lanes, missing in (
        (None, ["--concurrency", "--tokens-per-second"]),
        (Lanes(together=50.0), ["--concurrency"]),
        (Lanes(4), ["--tokens-per-second"]),
    ):
        planned = plan_task(inputs(), lanes=lanes, steps=())
        assert planned.step(16).hours is None
        assert planned.step(16).tokens == pytest.approx(64_000)
        assert planned.lanes.missing == missing
        decided = planned.step(16).decided
        assert decided is not None
        assert decided.hours is None
        assert decided.share < 1


def test_errors_and_drops_shrink_with_k_but_the_problems_error_has_a_floor() -> None:
    steps = [s for s in planned_task().steps if s.k > 1]
    for before, after in pairwise(steps):
        ratio = math.sqrt(before.k / after.k)
        assert after.se_sampling == pytest.approx(before.se_sampling * ratio)
        assert after.drop < before.drop
        assert after.margin_power >= before.margin_power
        assert before.decided is not None
        assert after.decided is not None
        assert after.decided.drop < before.decided.drop
        assert after.decided.samples > before.decided.samples
    floor = float(inputs().rates.std()) / math.sqrt(39)
    assert floor < steps[-1].se_problems < 1.05 * floor  # type: ignore[operator]


def test_a_larger_base_and_history_save_samples_and_hours() -> None:
    planned = planned_task()
    found = {(choice.base_k, choice.allocation): choice for choice in planned.choices}
    assert found.keys() == {(16, "uniform"), (16, "history"), (64, "uniform"), (64, "history")}
    assert planned.step(16).decided == found[16, "uniform"]
    for allocation in ("uniform", "history"):
        small, large = found[16, allocation], found[64, allocation]  # type: ignore[index]
        assert large.share < small.share
        assert large.hours < small.hours  # type: ignore[operator]
    for base_k in (16, 64):
        uniform, history = found[base_k, "uniform"], found[base_k, "history"]
        kept = 1.02 if base_k == 16 else 1  # against so small a base 0.8 of the level is kept
        assert history.share < uniform.share * kept
        assert history.se_sampling < uniform.se_sampling
        assert history.fewest < 16 < history.most
    assert found[16, "uniform"].se_sampling == pytest.approx(planned.step(16).se_sampling)


def test_the_smaller_k_against_a_larger_base_sees_the_same_drop() -> None:
    planned, rates = planned_task(), inputs().rates
    larger = planned.larger_base
    assert larger is not None
    assert larger.base_k == 64
    assert larger.share == larger.k / 16
    drop = planned.step(16).drop
    assert power.power_at(rates, 64, larger.k, drop) >= power.POWER - 1e-4
    assert power.power_at(rates, 64, larger.k - 1, drop) < power.POWER


def test_what_history_costs_is_counted() -> None:
    found = inputs()
    always_or_never = [t for t in found.known.values() if t.correct in (0, t.n)]
    cost = planned_task().settled
    assert cost is not None
    assert cost.problems == len(always_or_never)
    assert cost.samples < 16 * cost.problems
    assert cost.fewest <= cost.samples / cost.problems <= cost.most


def test_a_base_of_fewer_samples_is_not_stopped_early() -> None:
    planned = plan_task(inputs(), base_k=8, steps=(4, 8))
    assert planned.step(8).decided is not None
    assert planned.step(16).decided is None
    assert {choice.base_k for choice in planned.choices} == {32}


def test_tasks_in_one_run_share_the_lanes() -> None:
    lanes = Lanes(300, each=10.0)  # 640 samples of each task
    plans = [plan_task(replace(inputs(), task=name), lanes=lanes, steps=()) for name in "ab"]
    together, single = hours_together(plans), plans[0].step(16).hours
    assert together is not None
    assert single is not None
    assert single < together < 1.5 * single
    assert hours_together([plan_task(inputs(), steps=())]) is None


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


def test_until_decided_sees_the_drop_of_its_cap_with_fewer_samples() -> None:
    for step in planned_task().steps:
        if step.k >= 8:
            assert step.decided is not None
            assert step.decided.drop == pytest.approx(step.drop, rel=0.01)
            assert 0.2 < step.decided.share < 0.9
            assert step.decided.hours < step.hours  # type: ignore[operator]
            assert step.decided.samples == pytest.approx(step.decided.share * step.samples)


def test_one_sample_a_problem_is_tested_like_any_other_and_not_stopped_early() -> None:
    step = planned_task().step(1)
    assert step.decided is None
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
    low = replace(inputs(n=20, k=8), rates=posterior.posterior_rates([Tally(8, 0)] * 20))
    detection = plan_task(low, detect=0.3, steps=()).detection
    assert detection is not None
    assert (detection.k, detection.n_problems) == (None, None)


def test_a_runs_own_tasks_rates_and_lengths_are_taken(run: Path) -> None:
    (found,) = plan_inputs([], task_named, run=run, data=None, stated=Assumptions())
    assert (found.task, found.n_problems, found.k, found.said) == (TASK, LIMIT, 4, ())
    assert found.lengths is not None
    assert (found.lengths.mean, found.lengths.within, found.lengths.cap) == (10.0, 0.0, 128)
    scored = RunFolder(run).task(TASK).scores().scores[0].value
    assert float(found.rates.mean()) == pytest.approx(scored, abs=0.05)
    assert sum(tally.n for tally in found.known.values()) == 4 * LIMIT


def test_what_is_stated_goes_before_what_was_measured(run: Path) -> None:
    stated = Assumptions(rate=0.25, spread=0.2, length=100)
    (found,) = plan_inputs([TASK], task_named, run=run, data=None, stated=stated)
    assert found.lengths is not None
    assert found.lengths.mean == pytest.approx(100)
    assert found.known == {}
    assert float(found.rates.mean()) == pytest.approx(0.25, abs=0.01)
    assert float(found.rates.std()) == pytest.approx(0.2, abs=0.02)


def test_a_length_above_the_cap_is_refused_until_another_cap_is_stated(run: Path) -> None:
    for source in (run, None):
        for cap, refused in ((None, True), (8000, False)):
            stated = Assumptions(rate=0.7, length=5000, max_tokens=cap)
            if refused:
                with pytest.raises(UsageError, match=r"ends at 128 tokens; .* --max-tokens"):
                    plan_inputs([TASK], task_named, run=source, data=None, stated=stated)
                continue
            (found,) = plan_inputs([TASK], task_named, run=source, data=None, stated=stated)
            assert found.lengths is not None
            assert found.lengths.mean == pytest.approx(5000)
            assert max(found.lengths.means.values()) <= 8000


def test_without_a_run_the_dataset_gives_the_number_of_problems(tmp_path: Path) -> None:
    stated = Assumptions(rate=0.7)
    (found,) = plan_inputs([TASK], task_named, run=None, data=None, stated=stated)
    assert (found.n_problems, found.k, found.lengths) == (40, 16, None)
    rows = [{"id": n, "problem": f"{n}?", "answer": str(n)} for n in range(30)]
    (tmp_path / "aime24.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = plan_inputs(["aime24"], task_named, run=None, data=tmp_path, stated=stated)
    assert found.n_problems == 30


def test_a_problem_without_a_grade_is_planned_for_and_said(run: Path) -> None:
    grades = run / TASK / "grades.jsonl"
    rows = [json.loads(line) for line in grades.read_text().splitlines()]
    lost = rows[0]["problem_id"]
    kept = [row for row in rows if row["problem_id"] != lost]
    grades.write_text("".join(json.dumps(row) + "\n" for row in kept))
    (found,) = plan_inputs([], task_named, run=run, data=None, stated=Assumptions())
    assert found.n_problems == len(found.rates) == LIMIT
    assert f"no graded sample of 1 problems ({lost})" in found.said[0]
    others = [i for i, id in enumerate(found.ids) if id != lost]
    missing = found.rates[found.ids.index(lost)]
    assert float(missing.mean()) == pytest.approx(float(found.rates[others].mean()), abs=0.05)
    planned = plan_task(found, allocation="history", steps=())
    assert planned.step(4).samples == 4 * LIMIT
    assert planned.to_json()["allocation"][lost] == 4  # type: ignore[index]


def test_a_run_without_token_counts_says_what_to_state(run: Path) -> None:
    samples = run / TASK / "samples.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    samples.write_text("".join(json.dumps(row | {"n_tokens": None}) + "\n" for row in rows))
    (found,) = plan_inputs([], task_named, run=run, data=None, stated=Assumptions())
    assert found.lengths is None
    assert "no token counts: state --length" in found.said[0]
    (found,) = plan_inputs([], task_named, run=run, data=None, stated=Assumptions(length=50))
    assert found.lengths is not None
    assert found.lengths.mean == pytest.approx(50)
    assert found.said == ()


def test_an_allocation_needs_a_run_that_tells_of_single_problems(run: Path) -> None:
    stated = Assumptions(rate=0.7)
    for source in (None, run):
        (found,) = plan_inputs([TASK], task_named, run=source, data=None, stated=stated)
        with pytest.raises(UsageError, match=r"--allocate history: .* name a run on it by --from"):
            plan_task(found, allocation="history", steps=())
        assert {c.allocation for c in plan_task(found, steps=()).choices} == {"uniform"}
    with pytest.raises(UsageError, match="--history goes with --from RUN"):
        plan_inputs([TASK], task_named, run=None, data=None, stated=stated, history=[run])


def test_further_history_is_pooled_and_what_cannot_be_used_is_said(
    run: Path, tmp_path: Path
) -> None:
    other, nowhere = tmp_path / "other", tmp_path / "nowhere"
    shutil.copytree(run, other)
    protocol = json.loads((other / TASK / "protocol.json").read_text())
    again = tmp_path / "again"
    shutil.copytree(run, again)
    protocol["temperature"] = 0.123
    (other / TASK / "protocol.json").write_text(json.dumps(protocol))
    (found,) = plan_inputs([], task_named, run=run, data=None, stated=Assumptions(),
                           history=[again, other, nowhere])  # fmt: skip
    assert sum(tally.n for tally in found.known.values()) == 2 * 4 * LIMIT
    said = " ".join(found.said)
    assert "another protocol" in said
    assert f"{nowhere}: no such run" in said


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


def test_an_engine_that_works_in_batches_has_a_lane_for_each_place_of_a_batch(run: Path) -> None:
    lanes = measured_lanes(run)
    assert lanes.n == 8
    assert lanes.speed == pytest.approx(10 / 2, rel=0.01)


def set_seconds(run: Path, seconds: Callable[[int], float | None]) -> None:
    samples = run / TASK / "samples.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()]
    for number, row in enumerate(rows):
        row["seconds"] = seconds(number)
    samples.write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_lanes_are_those_on_record_and_as_fast_as_their_samples(run: Path) -> None:
    set_seconds(run, lambda number: 2.0 + number / 48)
    with RunWriter(run) as writer:
        writer.update_start(replace(RunFolder(run).manifest().starts[0], concurrency=24))
    lanes = measured_lanes(run)
    assert lanes.n == 24
    assert lanes.speed == pytest.approx(10 / (2 + 23.5 / 48))


def test_a_run_records_its_lanes(run: Path) -> None:
    assert (
        RunFolder(run).manifest().starts[0].concurrency
        == FakeEngine(lambda _: answer("1")).concurrency
    )


def test_stated_lanes_and_their_speed_go_before_those_of_a_run(run: Path) -> None:
    stated = Assumptions(concurrency=32)
    assert plan_lanes(run, stated).n == 32
    assert plan_lanes(run, stated).speed == measured_lanes(run).speed
    stated = Assumptions(concurrency=32, tokens_per_second=640)
    assert plan_lanes(run, stated).speed == 20
    assert plan_lanes(None, Assumptions(tokens_per_second=640)).speed is None


def test_speed_is_unknown_where_nothing_tells_it(run: Path) -> None:
    set_seconds(run, lambda number: None)
    assert measured_lanes(run).speed is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--assume", "70"), "--assume 70: give a rate between 0 and 1"),
        (("--spread", "0.2"), "--spread goes with --assume"),
        (("--assume", "0.7", "--spread", "0.6"), "--spread 0.6"),
        (("--assume", "0.7", "--length", "0"), "--length 0"),
        (("--assume", "0.7", "--concurrency", "0"), "--concurrency 0"),
        (("--assume", "0.7", "--max-tokens", "0"), "--max-tokens 0"),
        (("--assume", "0.7", "--allocate", "history"), "--allocate history: practice_integer"),
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


def test_the_command_says_it_in_tables_and_sentences_of_eighty_columns(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    document = tmp_path / "plan.json"
    command = ["plan", "--from", str(run), "--detect", "5", "--k", "6", "--json", str(document)]
    assert run_command([*command, "--allocate", "history"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    said = " ".join(" ".join(lines).split())
    (planned,) = json.loads(document.read_text())["plans"]
    steps = {step["k"]: step for step in planned["steps"]}
    assert sorted(steps) == sorted({*STEPS, 6})
    assert f"k 6 detects a drop of {100 * steps[6]['drop']:.1f} points" in said
    assert f"A drop of 5 points needs k {planned['detect']['k']}" in said
    assert f"a new run needs {planned['larger_base']['share']:.2f} of its samples" in said
    assert planned["tokens_per_second"] == pytest.approx(
        8 * planned["tokens_per_second_per_sample"]
    )
    assert {step["decided"]["allocation"] for step in steps.values() if step["decided"]} == {
        "history"
    }
    assert sum(planned["allocation"].values()) == 6 * LIMIT
    choices = planned["until_decided"]
    assert [(c["base_k"], c["allocation"]) for c in choices] == [
        (6, "uniform"), (6, "history"), (24, "uniform"), (24, "history")
    ]  # fmt: skip
    for choice in choices:
        row = next(line.split() for line in lines
                   if line.split()[1:3] == [str(choice["base_k"]), choice["allocation"]])  # fmt: skip
        assert f"{choice['samples']:.0f}" in row
        assert f"{choice['share']:.0%}" in row
    settled = planned["always_or_never_solved"]
    assert f"seen less: {settled['problems']} problems get" in said


def test_what_keeps_hours_from_being_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    for options, missing in (
        ((), "--length and --concurrency and --tokens-per-second"),
        (("--length", "60", "--tokens-per-second", "9"), "--concurrency"),
    ):
        assert run_command(["plan", "--tasks", TASK, "--assume", "0.7", "--k", "2", *options]) == 0
        said = " ".join(capsys.readouterr().out.split())
        assert f"hours unknown without {missing}." in said
