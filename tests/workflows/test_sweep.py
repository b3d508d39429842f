"""A sweep around an engine that answers at once; one with the practice model."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import harness.workflows.evaluate as evaluate_module
import harness.workflows.sweep as sweep_module
from harness.cli import run_command
from harness.data.datasets import load_problems
from harness.errors import DataError, EngineError, ProtocolMismatch, UsageError
from harness.interfaces import Completion, Request
from harness.pipeline.grading_pool import Job
from harness.registry import find_tasks
from harness.stats import effects, sample_outcomes
from harness.stats.effects import Effect
from harness.stats.intervals import Interval
from harness.storage.run_folder import RunFolder
from harness.types import Verdict
from tests.support.fakes import FakeEngine, InlinePool
from tests.support.sweeps import PROBLEMS, TASK, Bench, reply


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_a_sweep_grades_on_the_cluster_and_keeps_the_notices(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[object] = []  # what is connected to the cluster
    graded: Counter[tuple[str, str]] = Counter()  # samples by cluster and grader

    class Connection:
        def __init__(self, address: str | None) -> None:
            held.append(self)

        def close(self) -> None:
            held.remove(self)

    class Graders:
        def __init__(self, address: str, graders: Sequence[Any], notify: Any) -> None:
            self.address, self.versions = address, {grader.version for grader in graders}
            held.append(self)
            notify("node b grades nothing: it has no sandbox")

        async def close(self) -> None:
            held.remove(self)

    class Pool(InlinePool):
        def __init__(self, workers: int | None = None, elsewhere: Any = None) -> None:
            self.elsewhere = elsewhere

        def offer(self, job: Job) -> bool:
            assert self.elsewhere in held
            assert job.grader.version in self.elsewhere.versions
            graded[self.elsewhere.address, job.grader.version] += 1
            return super().offer(job)

    monkeypatch.setattr(sweep_module, "Cluster", Connection)
    monkeypatch.setattr(evaluate_module, "RayGrading", Graders)
    monkeypatch.setattr(evaluate_module, "GradingPool", Pool)
    bench.run({"temperature": [0.3], "grader": ["math"]}, grade_on="ray", ray_address="head:6379")
    own, other = find_tasks(TASK)[0].grader.version, find_tasks("practice_math")[0].grader.version
    assert graded == {("head:6379", own): 2 * 8 * 6, ("head:6379", other): 8 * 6}
    assert held == []
    for name in ("base", "temperature=0.3"):
        (start,) = RunFolder(bench.folder / "sweep" / name).manifest().starts
        assert start.notices == ("node b grades nothing: it has no sandbox",)


def test_an_earlier_run_tells_a_sweep_its_lengths(bench: Bench) -> None:
    bench.run({"temperature": [0.3]})
    old = bench.folder / "sweep" / "base"
    bench.elsewhere().run({"temperature": [0.3]}, lengths=str(old))
    for name in ("base", "temperature=0.3"):
        (start,) = RunFolder(bench.folder / "sweep" / name).manifest().starts
        assert start.plan.tasks[TASK].lengths_from == str(old)
    with pytest.raises(UsageError, match="that run has none of practice_math"):
        bench.lay_out({"k": [1]}, lengths=str(old), tasks="practice_math")


def test_what_the_stored_samples_tell_is_not_sampled(bench: Bench) -> None:
    found = bench.run({"max_tokens": [20, 40], "k": [2, 6], "extract": ["lenient"]})
    assert bench.asked == 8 * 6
    assert [e.source for e in found.values()] == ["base", "stored", "stored", "stored", "base",
                                                  "stored"]  # fmt: skip
    assert sorted(p.name for p in (bench.folder / "sweep").iterdir()) == ["base"]


def test_a_lower_cap_from_stored_samples_equals_samples_drawn_with_that_cap(
    bench: Bench,
) -> None:
    computed = bench.run({"max_tokens": [20, 35]})
    for cap in (20, 35):
        drawn = bench.elsewhere().run({"k": [1]}, max_tokens=cap)["base"]
        effect = computed[f"max_tokens={cap}"]
        for name in ("score", "se_sampling", "se_problems", "truncated_share", "mean_tokens", "n"):
            assert getattr(effect, name) == getattr(drawn, name), name
        assert 0 < effect.score < computed["base"].score
        assert effect.truncated_share > 0


def test_a_smaller_k_equals_a_run_drawn_with_that_k(bench: Bench) -> None:
    computed = bench.run({"k": [1, 3]})
    for k in (1, 3):
        drawn = bench.elsewhere().run({"max_tokens": [20]}, k=k)["base"]
        effect = computed[f"k={k}"]
        for name in (
            "score",
            "se_sampling",
            "se_problems",
            "interval_sampling",
            "mean_tokens",
            "n",
        ):
            assert getattr(effect, name) == getattr(drawn, name), name


def test_a_larger_k_extends_the_base_and_leaves_its_score(bench: Bench) -> None:
    alone = bench.run({"k": [2]})["base"]
    found = bench.run({"k": [2, 9]})
    assert found["base"] == alone
    assert (found["k=9"].source, found["k=9"].n) == ("sampled", 8 * 9)
    assert bench.asked == 8 * 9
    assert bench.run({"k": [2]})["base"] == alone  # what is there already is no obstacle
    assert bench.asked == 8 * 9


def test_each_sampled_value_is_an_ordinary_run_and_one_engine_draws_them_all(
    bench: Bench,
) -> None:
    bench.run({"temperature": [0, 0.6, 1], "prompt": {"terse": "{statement}"}})
    folder = bench.folder / "sweep"
    assert sorted(p.name for p in folder.iterdir()) == [
        "base", "prompt=terse", "temperature=0.0", "temperature=1.0",
    ]  # fmt: skip
    assert len(bench.engines) == 1
    assert bench.engines[0].closed
    runs = {path.name: RunFolder(path) for path in folder.iterdir()}
    assert runs["temperature=0.0"].manifest().k == {TASK: 1}
    assert runs["temperature=1.0"].task(TASK).protocol().temperature == 1.0
    assert runs["prompt=terse"].task(TASK).protocol().prompt == "{statement}"
    assert runs["base"].task(TASK).scores().complete


def test_the_same_command_completes_and_asks_only_for_what_is_missing(bench: Bench) -> None:
    bench.run({"temperature": [1.0]})
    samples = bench.folder / "sweep" / "temperature=1.0" / TASK / "samples.jsonl"
    lines = samples.read_text().splitlines(keepends=True)
    samples.write_text("".join(lines[:-5]))
    before = bench.asked
    bench.run({"temperature": [1.0]})
    assert bench.asked == before + 5
    assert len(bench.engines) == 2
    bench.run({"temperature": [1.0]})
    assert len(bench.engines) == 2  # nothing missing, so no model is loaded


def test_no_two_starts_of_a_sweep_draw_with_one_seed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    async def load(settings: Any, seed: int, *_: Any) -> FakeEngine:
        seeds.append(seed)
        return FakeEngine(reply)

    monkeypatch.setattr(sweep_module, "open_engine", load)
    bench.run({"temperature": [1.0]})
    bench.run({"temperature": [1.0, 0.9]})
    bench.run({"temperature": [1.0, 0.9], "k": [9]})
    assert len(set(seeds)) == 3


def test_an_engine_that_ignores_the_guard_is_refused_for_a_sweep_of_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    with pytest.raises(UsageError, match="--repetition-guard: the lm_eval engine has no use"):
        bench.run({"repetition_guard": [8]}, engine="lm_eval:dummy")
    assert not (bench.folder / "sweep" / "repetition_guard=8").exists()


def test_a_value_that_is_the_bases_own_is_the_base(bench: Bench) -> None:
    found = bench.run({"temperature": [0.6], "extract": ["strict"], "grader": ["math"]})
    assert found["temperature=0.6"] == replace(found["base"], factor="temperature", value="0.6")
    assert found["extract=strict"].source == "base"
    assert found["grader=math"].source == "stored"
    assert found["grader=math"].difference == 0


def test_another_extraction_rule_is_graded_from_the_stored_samples(bench: Bench) -> None:
    answers = {problem.id: problem.answer for problem in PROBLEMS}

    def unboxed(request: Request) -> Completion:
        text = f"Adding up, we get {answers[request.problem_id]}."
        return Completion(text, "stop", 3, 9, seconds=0.01)

    bench.reply = unboxed
    found = bench.run({"extract": ["lenient"]})
    assert (found["base"].score, found["extract=lenient"].score) == (0.0, 1.0)
    assert found["extract=lenient"].difference == 1.0
    stored = RunFolder(bench.folder / "sweep" / "base").task(TASK).grades()
    assert {grade.verdict for grade in stored} == {Verdict.NO_ANSWER}  # nothing was rewritten


@pytest.mark.usefixtures("sandbox")
def test_another_scoring_is_judged_once_and_taken_from_the_grades_that_hold_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = {"tasks": "practice_code", "limit": 2, "k": 1}
    tests = {
        problem.id: {test.input: test.output for test in problem.tests}
        for problem in load_problems(find_tasks("practice_code")[0], None, 2)
    }

    def by_heart(request: Request) -> Completion:
        # The official runner mocks sys.stdin, so that descriptor 0 has nothing to read.
        program = f"print({tests[request.problem_id]!r}[open(0).read()])"
        return Completion(f"```python\n{program}\n```", "stop", 3, 9)

    bench.reply = by_heart
    found = bench.run({"scoring": ["lcb-official"]}, **base)
    assert (found["base"].score, found["scoring=lcb-official"].score) == (1.0, 0.0)
    assert found["scoring=lcb-official"].source == "stored"
    path = bench.folder / "sweep" / "base" / "practice_code" / "grades.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["also"] = {"lcb-official": "correct"}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))

    async def never(*_: Any, **__: Any) -> None:
        raise AssertionError("judged again")

    monkeypatch.setattr(sweep_module, "grade_again", never)
    assert bench.run({"scoring": ["lcb-official"]}, **base)["scoring=lcb-official"].score == 1.0


def test_choice_order_is_left_out_for_a_task_without_choices(bench: Bench) -> None:
    both = f"{TASK},practice_choice"
    planned = bench.lay_out({"choice_order": ["per-sample"], "grader": ["math"]}, tasks=both)
    assert [(c.variant.name, c.prepared.task.name) for c in planned.conditions] == [
        ("choice_order=per-sample", "practice_choice"),
        ("grader=math", TASK),
    ]
    with pytest.raises(UsageError, match="choice_order=per-sample: it applies to none of"):
        bench.lay_out({"choice_order": ["per-sample"]})


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"temperature": ["hot"]}, "vary.temperature 'hot'"),
        ({"temperature": [-1]}, "temperature=-1.0: temperature is -1.0"),
        ({"top_p": [0]}, "top_p=0.0: top_p is 0.0"),
        ({"k": [0]}, "k=0: k is 0"),
        ({"max_tokens": [0]}, "max_tokens=0: max_tokens is 0"),
        ({"prompt": {"bare": "Hello"}}, "prompt=bare: .*no {statement} field"),
        ({"prompt": ["@nowhere.txt"]}, "nowhere.txt: cannot be read"),
        ({"prompt": {"a/b": "{statement}"}}, "vary.prompt 'a/b'"),
        ({"grader": ["judge"]}, "vary.grader 'judge': there are"),
        ({"extract": ["loose"]}, "vary.extract 'loose'"),
        ({"scoring": ["process"]}, "scoring=process: it applies to none"),
        ({"temperature": [1, 1.0]}, "has 1.0 twice"),
        ({"temperature": []}, "vary.temperature has no value"),
        ({"temperature": [None]}, "vary.temperature has an empty value"),
        ({"temprature": [1]}, "vary.temprature 'temprature': Input should be 'temperature'"),
        ({}, "vary"),
    ],
)
def test_a_bad_value_is_found_before_anything_is_sampled(
    bench: Bench, vary: dict[str, Any], said: str
) -> None:
    with pytest.raises((UsageError, DataError), match=said):
        bench.run(vary)
    assert not bench.engines
    assert not (bench.folder / "sweep").exists()


@pytest.mark.parametrize(
    ("base", "said"),
    [
        ({"until": "decided"}, "base.until, base.base and base.allocate"),
        ({"allocate": "history"}, "need the same samples of each problem"),
        ({"output": "there"}, "base.output: give the folder with -o DIR"),
        ({"temprature": 1}, "no setting 'base.temprature'"),
        ({"tasks": "practise_integer"}, "did you mean practice_integer"),
        ({"k": 0}, "k is 0"),
        ({"limit": 0}, "base.limit 0"),
    ],
)
def test_a_bad_base_is_found_before_anything_is_sampled(
    bench: Bench, base: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        bench.run({"temperature": [1.0]}, **base)
    assert not bench.engines


def test_another_base_in_the_same_folder_is_refused_before_sampling(bench: Bench) -> None:
    bench.run({"temperature": [1.0]})
    with pytest.raises(ProtocolMismatch, match=r"top p: 0\.95 against 0\.5"):
        bench.run({"temperature": [1.0]}, top_p=0.5)
    assert len(bench.engines) == 1


def test_samples_that_end_in_error_are_counted_and_left_out(bench: Bench) -> None:
    def fail(request: Request) -> Completion:
        if request.index == 2 and request.sampling.temperature == 1.0:
            raise EngineError("no luck")
        return reply(request)

    bench.reply = fail
    found = bench.run({"temperature": [1.0]})
    assert (found["temperature=1.0"].errors, found["temperature=1.0"].n) == (8, 40)
    assert found["base"].errors == 0


# The errors of a difference


def outcome(
    problem: int, index: int, right: bool, n_tokens: int = 9
) -> sample_outcomes.SampleOutcome:
    verdict = Verdict.CORRECT if right else Verdict.WRONG_ANSWER
    return sample_outcomes.SampleOutcome(str(problem), index, verdict, n_tokens, 5, False)


def effect_of(
    base: list[sample_outcomes.SampleOutcome],
    new: list[sample_outcomes.SampleOutcome],
    pairing: effects.Pairing,
) -> Effect:
    measured = effects.measure(
        new, task="t", factor="f", value="v", source="stored", k=1, n_expected=len(new)
    )
    return effects.against(measured, base, new, pairing)


@pytest.mark.parametrize(
    "times",
    [pytest.param(500, marks=pytest.mark.slow), pytest.param(2000, marks=pytest.mark.exhaustive)],
)
def test_pairing_by_sample_matches_the_spread_of_repeated_draws(times: int) -> None:
    """Samples change by a rule; drawn many times, the error found is the error there is."""
    import numpy as np

    random = np.random.default_rng(5)
    rates, k = random.beta(1, 1, 20), 8
    values, errors, covered = [], [], 0
    truth = -0.2 * rates.mean()
    for _ in range(times):
        right = random.random((20, k)) < rates[:, None]
        lost = right & (random.random((20, k)) < 0.2)
        base = [outcome(i, j, bool(right[i, j])) for i in range(20) for j in range(k)]
        new = [outcome(i, j, bool(right[i, j] & ~lost[i, j])) for i in range(20) for j in range(k)]
        found = effect_of(base, new, "samples")
        assert found.difference == pytest.approx(-float(lost.mean()))
        values.append(found.difference)
        errors.append(found.difference_se_sampling)
        interval = found.difference_interval_sampling
        covered += interval is not None and interval.low <= truth <= interval.high
    assert np.std(values) == pytest.approx(
        np.sqrt(np.mean(np.square(errors))), rel=0.1 if times < 1000 else 0.06
    )
    assert 0.93 <= covered / times <= 0.99


def test_a_nested_k_has_the_error_of_the_samples_that_it_lacks() -> None:
    import numpy as np

    random = np.random.default_rng(6)
    rates = random.beta(1, 1, 20)
    values, squares = [], []
    for _ in range(700):
        right = random.random((20, 12)) < rates[:, None]
        base = [outcome(i, j, bool(right[i, j])) for i in range(20) for j in range(12)]
        found = effect_of(base, sample_outcomes.first(base, 3), "nested")
        assert found.difference == pytest.approx(right[:, :3].mean() - right.mean())
        values.append(found.difference)
        squares.append((found.difference_se_sampling or 0) ** 2)
    assert np.std(values) == pytest.approx(np.sqrt(np.mean(squares)), rel=0.1)


def test_no_change_at_all_still_has_a_width() -> None:
    same = [outcome(i, j, j % 2 == 0) for i in range(5) for j in range(4)]
    found = effect_of(same, same, "samples")
    assert (found.difference, found.difference_se_sampling) == (0.0, 0.0)
    assert found.difference_interval_sampling == pytest.approx(
        Interval(-(1 - 0.025 ** (1 / 20)), 1 - 0.025 ** (1 / 20))
    )


def test_one_sample_a_problem_has_no_sampling_error() -> None:
    base = [outcome(i, 0, i % 2 == 0) for i in range(6)]
    found = effect_of(base, base, "samples")
    assert found.se_sampling is None
    assert found.difference_interval_sampling is None
    assert found.difference_interval_problems is not None


def test_a_right_response_that_a_cap_cuts_is_counted_apart() -> None:
    found = [outcome(1, 0, True, 5), outcome(1, 1, True, 9), outcome(1, 2, False, 9)]
    capped = sample_outcomes.capped(found, 7)
    assert [o.verdict for o in capped] == [Verdict.CORRECT, Verdict.TRUNCATED, Verdict.TRUNCATED]
    assert [o.n_tokens for o in capped] == [5, 7, 7]
    assert sample_outcomes.cut_responses(found, 7) == 1
    assert sample_outcomes.cut_responses(found, 4) == 0  # inside the reasoning: no doubt


# The command


def test_the_command_prints_writes_and_draws(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.lay_out({"temperature": [1.0], "max_tokens": [20]})
    config, output = str(bench.folder / "sweep.yaml"), bench.folder / "sweep"
    assert run_command(["sweep", config, "-o", str(output), "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "96 samples to draw in 2 runs; nothing was sampled" in said
    assert "from the base's stored samples: max_tokens=20" in said
    assert not output.exists()
    assert run_command(["sweep", config, "-o", str(output)]) == 0
    assert "temperature" in capsys.readouterr().out
    document = json.loads((output / "sweep.json").read_text())
    assert document["base"][TASK]["k"] == 6
    rows = {row["factor"]: row for row in document["effects"]}
    assert rows["max_tokens"]["source"] == "stored"
    low, high = rows["max_tokens"]["difference_interval_sampling"]
    assert low < rows["max_tokens"]["difference"] < high
    assert 0 < rows["max_tokens"]["p"] <= rows["max_tokens"]["p_adjusted"] <= 1
    assert rows["max_tokens"]["claim"] in ("differs", "no difference shown")
    assert rows["max_tokens"]["claim"] in (output / "sweep.md").read_text()
    assert (rows["base"]["p_adjusted"], rows["base"]["claim"]) == (None, None)
    assert "| temperature | 1.0 |" in (output / "sweep.md").read_text()
    assert (output / "sweep.svg").read_text().count("practice_integer") == 1
    assert (output / "sweep.pdf").read_bytes().startswith(b"%PDF")


def test_a_sweep_with_errors_exits_4_and_is_mended(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(request: Request) -> Completion:
        if request.index == 5:
            raise EngineError("no luck")
        return reply(request)

    bench.lay_out({"temperature": [1.0]})
    command = ["sweep", str(bench.folder / "sweep.yaml"), "-o", str(bench.folder / "sweep")]
    bench.reply = fail
    assert run_command(command) == 4
    assert "8 samples ended in error and are left out" in capsys.readouterr().out
    bench.reply = reply
    assert run_command(command) == 0


@pytest.mark.slow
def test_a_lower_cap_computed_equals_one_drawn_by_the_practice_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one seed per sample, a lower cap draws the beginning of the same samples."""
    monkeypatch.chdir(Path(__file__).parents[2])
    rows = []
    for cap in (128, 45):
        base = {"model": "examples/practice-model/late", "tasks": f"{TASK},practice_math", "k": 4,
                "limit": 12, "seeded": True, "max_tokens": cap}  # fmt: skip
        config, output = tmp_path / f"{cap}.yaml", tmp_path / str(cap)
        config.write_text(json.dumps({"base": base, "vary": {"max_tokens": [45, 30]}}))
        assert run_command(["sweep", str(config), "-o", str(output)]) == 0
        rows.append(json.loads((output / "sweep.json").read_text())["effects"])
    computed, drawn = (
        {(r["task"], r["value"]): (r["score"], r["se_sampling"], r["truncated_share"],
                                   r["mean_tokens"]) for r in found if r["factor"] == "max_tokens"}
        for found in rows
    )  # fmt: skip
    assert computed == drawn
    assert len({score for score, *_ in computed.values()}) > 2


@pytest.mark.slow
def test_the_example_runs_with_the_practice_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Path(__file__).parents[2]
    monkeypatch.chdir(root)
    output = tmp_path / "sweep"
    command = ["sweep", "examples/sweep.yaml", "-o", str(output), "--limit", "6", "--k", "2"]
    assert run_command(command) == 0
    document = json.loads((output / "sweep.json").read_text())
    scores = {(r["task"], r["factor"], r["value"]): r["score"] for r in document["effects"]}
    assert scores[TASK, "max_tokens", "32"] < scores[TASK, "base", ""]
    assert {r["errors"] for r in document["effects"]} == {0}
    kept = sorted((p, p.stat().st_mtime_ns) for p in output.glob("*/*/samples.jsonl"))
    assert run_command(command) == 0
    assert sorted((p, p.stat().st_mtime_ns) for p in output.glob("*/*/samples.jsonl")) == kept
