"""What runs cost, from the first request to the report: prices, charges, resumes, GPUs, and their lack."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.errors import EngineDown, EngineError
from harness.interfaces import Completion, Request
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer, silent
from harness.registry import find_tasks
from harness.stats.cost import Price
from harness.stats.usage import usage_of
from harness.storage.files import write_json
from harness.storage.manifest import Start
from harness.storage.run_folder import RunFolder, RunWriter
from harness.workflows import recorded_start
from harness.workflows.evaluate import run_engine
from harness.workflows.prepare import prepare
from harness.workflows.run_settings import RunSettings, make_settings
from tests.support.endpoint import quicken
from tests.support.fakes import FakeEngine, answer
from tests.support.mock_server import Answers, Running, Script, task_answers
from tests.support.run_folders import C, W, WriteRun

TASK, LIMIT = "practice_integer", 6
PRICE = Price(0.55, 2.19)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


class GpuEngine(FakeEngine):
    """An engine that holds GPUs, and may state a price of its own."""

    def __init__(
        self, reply: Callable[[Request], Completion], gpus: float | None, **more: Any
    ) -> None:
        super().__init__(reply, seconds=0.01)
        self._facts = {"gpus": gpus, **more}

    def fingerprint(self) -> Mapping[str, Any]:
        return {**super().fingerprint(), **self._facts}


def observe(_: Sequence[TaskRun]) -> Observer:
    return silent


def draw(path: Path, engine: FakeEngine, *, k: int = 2, price: Price | None = None) -> RunFolder:
    """A run of a fake engine, or its continuation."""
    settings = RunSettings(model="m", tasks=TASK, output=path, k=k, limit=LIMIT)
    prepared = prepare(find_tasks(TASK), settings)
    with RunWriter(path) as writer:
        asyncio.run(run_engine(writer, "m", engine, prepared, observe=observe,
                               start=Start(price=price)))  # fmt: skip
    return RunFolder(path)


def serve(script: Script, path: Path, *options: str) -> int:
    """`harness run` against a mock server."""
    with Running(script) as server:
        return run_command(["run", "--engine", "openai", "--base-url", server.url, "--model", "mock",
                            "--tasks", TASK, "--limit", str(LIMIT), "-o", str(path), *options])  # fmt: skip


def answers() -> Answers:
    return Answers(task_answers(TASK), 1.0, 200)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().out.split())


def costs(path: Path, tmp_path: Path, *options: str) -> dict[str, Any]:
    """What `report -o F.json` says of the only task."""
    file = tmp_path / "costs.json"
    assert run_command(["report", str(path), "-o", str(file), *options]) in (0, 4)
    (found,) = json.loads(file.read_bytes())["costs"]
    return dict(found)


def test_a_given_price_is_recorded_and_pays_for_the_tokens_that_the_server_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    assert serve(Script(reply=answers()), path, "--k", "2", "--price", "0.55,2.19") == 0
    samples = list(RunFolder(path).task(TASK).samples())
    usd = PRICE.of(
        sum(s.n_prompt_tokens or 0 for s in samples), sum(s.n_tokens or 0 for s in samples)
    )
    out = said(capsys)
    assert (
        "at 0.55 USD per million prompt tokens and 2.19 per million completion tokens, as given"
        in out
    )
    assert "failed tries are not in it" in out
    assert RunFolder(path).manifest().price == PRICE
    assert costs(path, tmp_path)["cost"]["usd"] == pytest.approx(usd)


def test_the_price_is_no_part_of_the_protocol(tmp_path: Path) -> None:
    draw(tmp_path / "a", FakeEngine(lambda _: answer("4")), price=PRICE)
    draw(tmp_path / "b", FakeEngine(lambda _: answer("4")), price=Price(9, 9))
    hashes = {RunFolder(tmp_path / name).task(TASK).protocol().hash for name in "ab"}
    assert len(hashes) == 1
    assert run_command(["compare", str(tmp_path / "a"), str(tmp_path / "b")]) in (0, 5)


def test_the_servers_price_list_is_taken_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pricing = {"prompt": "0.00000055", "completion": "0.00000219"}
    path = tmp_path / "run"
    assert serve(Script(reply=answers(), pricing=pricing), path, "--k", "1") == 0
    assert "as the server lists it" in said(capsys)
    assert RunFolder(path).manifest().price == replace(PRICE, listed=True)
    assert costs(path, tmp_path)["cost"]["basis"] == "listed"


def test_what_the_server_charges_goes_before_its_list_and_not_before_a_given_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pricing = {"prompt": "0.00000055", "completion": "0.00000219"}
    path = tmp_path / "run"
    assert (
        serve(Script(reply=answers(), pricing=pricing, usage={"cost": 0.25}), path, "--k", "2") == 0
    )
    assert "cost: 3.00 USD, as the server charged each reply" in said(capsys)
    assert {s.cost for s in RunFolder(path).task(TASK).samples()} == {0.25}
    charged = costs(path, tmp_path)
    assert charged["cost"]["usd"] == pytest.approx(0.25 * LIMIT * 2)
    assert charged["cost"]["at_k1"] == pytest.approx(0.25 * LIMIT)
    assert charged["points_per_usd"] == pytest.approx(100 / (0.25 * LIMIT))
    assert charged["usd_per_correct"] == pytest.approx(0.25)
    assert costs(path, tmp_path, "--price", "0.55,2.19")["cost"]["basis"] == "given"


def test_a_resumed_run_pays_for_all_of_its_samples_by_the_last_price_given(tmp_path: Path) -> None:
    path = tmp_path / "run"
    draw(path, FakeEngine(lambda _: answer("4")), k=1, price=Price(9, 9))
    first = costs(path, tmp_path)
    run = draw(path, FakeEngine(lambda _: answer("4")), k=4, price=PRICE)
    assert first["cost"]["usd"] == pytest.approx(Price(9, 9).of(3 * LIMIT, 9 * LIMIT))
    found = costs(path, tmp_path)
    assert found["usage"]["counted"] == 4 * LIMIT
    assert found["cost"]["usd"] == pytest.approx(PRICE.of(3 * 4 * LIMIT, 9 * 4 * LIMIT))
    assert found["cost"]["at_k1"] == pytest.approx(PRICE.of(3 * LIMIT, 9 * LIMIT))
    draw(path, FakeEngine(lambda _: answer("4")), k=5)  # without a price: the run's stays
    assert run.manifest().price == PRICE


def test_samples_without_token_counts_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def reply(request: Request) -> Completion:
        whole = answer("4")
        return replace(whole, n_tokens=None) if request.index == 0 else whole

    path = tmp_path / "run"
    draw(path, FakeEngine(reply), k=2, price=PRICE)
    assert costs(path, tmp_path)["cost"]["unmeasured"] == LIMIT
    assert run_command(["report", str(path)]) == 0
    assert f"of {2 * LIMIT} samples {LIMIT} have no token counts and are not in the sum" in said(
        capsys
    )


def test_a_run_without_any_count_or_price_has_no_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = FakeEngine(lambda _: Completion("<think>hm</think>\\boxed{4}", "stop"))
    draw(tmp_path / "bare", bare, price=PRICE)
    draw(tmp_path / "free", FakeEngine(lambda _: answer("4")))
    capsys.readouterr()
    for name in ("bare", "free"):
        assert costs(tmp_path / name, tmp_path)["cost"] is None
        assert run_command(["report", str(tmp_path / name)]) == 0
        assert run_command(["score", str(tmp_path / name)]) == 0
    out = said(capsys)
    assert "USD" not in out
    assert out.count("no cost: none of its samples has token counts") == 2


def test_scores_from_before_usage_was_kept_say_what_to_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "old"
    draw(path, FakeEngine(lambda _: answer("4")))
    kept = ("gpus", "sampling_seconds", "price", "discarded")
    manifest = json.loads((path / "manifest.json").read_bytes())
    manifest["starts"] = [{n: v for n, v in start.items() if n not in kept}
                          for start in manifest["starts"]]  # fmt: skip
    write_json(path / "manifest.json", manifest)
    scores = json.loads((path / TASK / "scores.json").read_bytes())
    del scores["usage"]
    write_json(path / TASK / "scores.json", scores)
    assert run_command(["report", str(path)]) == 0
    assert "USD" not in said(capsys)
    assert run_command(["report", str(path), "--price", "1,2"]) == 0
    assert f"run harness score {path}" in said(capsys).replace(" /", "/").replace(
        "score/", "score /"
    )
    assert run_command(["score", str(path)]) == 0
    assert costs(path, tmp_path, "--price", "1,2")["cost"]["usd"] > 0


def test_gpu_hours_are_gpus_times_the_time_of_sampling_over_all_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    draw(path, GpuEngine(lambda _: answer("4"), 8), k=1)
    run = draw(path, GpuEngine(lambda _: answer("4"), 2), k=2)
    first, second = run.manifest().starts
    assert first.sampling_seconds is not None
    assert second.sampling_seconds is not None
    assert 0.01 <= first.sampling_seconds <= (first.seconds or 0)
    assert run_command(["report", str(path), "-o", str(tmp_path / "f.json")]) == 0
    hours = json.loads((tmp_path / "f.json").read_bytes())["gpu_hours"]["run"]
    assert hours["hours"] == pytest.approx(
        (8 * first.sampling_seconds + 2 * second.sampling_seconds) / 3600
    )
    assert (hours["starts"], hours["unknown"]) == (2, 0)
    assert run_command(["score", str(path)]) == 0
    assert "GPU hours of sampling, all tasks together (up to 8 GPUs in 2 starts)" in said(capsys)


def test_a_start_that_only_grades_has_sampled_for_no_time(tmp_path: Path) -> None:
    path = tmp_path / "run"
    draw(path, GpuEngine(lambda _: answer("4"), 8))
    run = draw(path, GpuEngine(lambda _: answer("4"), 8))
    assert run.manifest().starts[1].sampling_seconds == 0.0


def test_a_start_that_is_killed_leaves_the_time_that_it_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded_start, "_RECORD_SECONDS", 0.0)
    monkeypatch.setattr(recorded_start.RecordedStart, "end", lambda *_: None)  # as after a SIGKILL
    calls = 0

    def reply(_: Request) -> Completion:
        nonlocal calls
        calls += 1
        if calls > LIMIT:
            raise EngineDown("killed")
        return answer("4")

    with pytest.raises(EngineDown):
        draw(tmp_path / "run", GpuEngine(reply, 8), k=4)
    (start,) = RunFolder(tmp_path / "run").manifest().starts
    assert start.seconds is None
    assert start.sampling_seconds is not None
    assert start.sampling_seconds >= 0.01


def test_no_gpu_hours_on_cpus_on_others_machines_and_of_imported_responses(tmp_path: Path) -> None:
    draw(tmp_path / "cpu", GpuEngine(lambda _: answer("4"), 0))
    draw(tmp_path / "server", GpuEngine(lambda _: answer("4"), None))
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        json.dumps({"id": "1", "statement": "1 + 1?", "answer": "2", "response": "2"}) + "\n"
    )
    imported = ["import", str(rows), "--task", "integer", "-o", str(tmp_path / "imported")]
    assert run_command(imported) in (0, 1)
    for name in ("cpu", "server", "imported"):
        file = tmp_path / "f.json"
        assert run_command(["report", str(tmp_path / name), "-o", str(file)]) == 0
        assert json.loads(file.read_bytes())["gpu_hours"] == {}


def test_a_sample_that_failed_took_its_time_and_costs_nothing_that_is_known(tmp_path: Path) -> None:
    def reply(request: Request) -> Completion:
        if request.index == 1:
            raise EngineError("gone")
        return answer("4")

    run = draw(tmp_path / "run", GpuEngine(reply, 1), k=2, price=PRICE)
    assert run.task(TASK).scores().errors == LIMIT
    found = costs(tmp_path / "run", tmp_path)
    assert (found["cost"]["samples"], found["cost"]["unmeasured"]) == (LIMIT, 0)


def test_a_price_for_one_run_of_several(write_run: WriteRun, tmp_path: Path) -> None:
    runs = [write_run([[C, C, W, C]] * 4, name=name) for name in ("a", "b")]
    file = tmp_path / "f.json"
    options = ["--price", "a=1,2", "--price", "10,20"]
    assert run_command(["report", *map(str, runs), "-o", str(file), *options]) == 0
    by_run = {row["run"]: row["cost"]["usd"] for row in json.loads(file.read_bytes())["costs"]}
    assert by_run["a"] == pytest.approx(Price(1, 2).of(20 * 16, 130 * 16))
    assert by_run["b"] == pytest.approx(10 * by_run["a"])


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("c=1,2", "it has the form IN,OUT or RUN=IN,OUT; the runs are a"),
        ("a=1", "two numbers are needed"),
        ("1,2,3", "two numbers are needed"),
        ("1,-2", "-2 is no price of a million tokens"),
        ("=1,2", "it has the form IN,OUT or RUN=IN,OUT; the runs are a"),
    ],
)
def test_a_bad_price_is_one_line_that_names_it(
    option: str, why: str, write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(write_run([[C, W]], name="a"))
    for command in (["report", run], ["compare", run, run]):
        assert run_command([*command, "--price", option]) == 2
        error = capsys.readouterr().err
        assert f"--price {option}: " in error
        if command[0] == "report":
            assert why in error


@pytest.mark.parametrize(("first", "second", "whose"), [
    ("a=1,2", "a=2,3", "for a"), ("1,2", "2,3", "for every run"),
])  # fmt: skip
def test_two_prices_of_one_run_are_refused(
    first: str, second: str, whose: str, write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(write_run([[C, W]], name="a"))
    assert run_command(["report", run, "--price", first, "--price", second]) == 2
    error = capsys.readouterr().err
    assert f"--price {second}: --price {first} is {whose} too; give one" in error


def test_a_bad_price_of_a_run_is_refused_before_anything_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    assert serve(Script(reply=answers()), path, "--price", "0.55;2.19") == 2
    assert "--price '0.55;2.19': two numbers are needed" in capsys.readouterr().err
    assert not path.exists()
    config = tmp_path / "run.yaml"
    config.write_text(f"model: m\ntasks: {TASK}\noutput: {path}\nprice: [0.55, 2.19]\n")
    assert make_settings({}, config).price == PRICE


def test_compare_shows_the_dollars_of_both_and_by_how_much_they_differ(
    write_run: WriteRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = write_run([[C, C, C, W] * 4] * 30, name="base")
    new = write_run([[C, C, C, C] * 2] * 30, name="new")
    file = tmp_path / "f.json"
    options = ["--price", "base=1,2", "--price", "new=2,4", "--json", str(file)]
    assert run_command(["compare", str(base), str(new), *options]) == 0
    out = said(capsys)
    assert (
        "a sample of each problem costs 2.00 times as much (95 % 2.00 to 2.00), for +25.0 points"
        in out
    )
    (found,) = json.loads(file.read_bytes())["costs"]
    at_k1 = Price(1, 2).of(20 * 30, 130 * 30)
    assert found["base"]["at_k1"] == pytest.approx(at_k1)
    assert found["base"]["usd"] == pytest.approx(16 * at_k1)
    assert found["new"]["usd"] == pytest.approx(8 * 2 * at_k1)
    assert found["points_per_usd"] == {
        "base": pytest.approx(75 / at_k1), "new": pytest.approx(100 / (2 * at_k1)),
    }  # fmt: skip


def test_compare_says_which_side_has_no_cost_and_nothing_where_neither_has(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = (str(write_run([[C, W] * 4] * 10, name=name)) for name in ("base", "new"))
    run_command(["compare", base, new])
    assert "USD" not in said(capsys)
    run_command(["compare", base, new, "--price", "new=1,2"])
    out = said(capsys)
    assert "base: no cost: no price is known; give one with --price" in out
    assert "times as much" not in out


def test_compare_says_what_to_run_where_a_price_finds_no_usage(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    base, new = (write_run([[C, W] * 4] * 10, name=name) for name in ("base", "new"))
    for run in (base, new):
        (file,) = run.glob("*/scores.json")
        scores = json.loads(file.read_bytes())
        del scores["usage"]
        write_json(file, scores)
    run_command(["compare", str(base), str(new), "--price", "1,2"])
    out = said(capsys)
    assert out.count("no cost: its scores are from before token counts were summed up") == 2
    assert "run harness score" in out


def test_several_runs_are_drawn_as_points_against_dollars(
    write_run: WriteRun, tmp_path: Path
) -> None:
    runs = [str(write_run([[C, C, W, C]] * 4, name=name)) for name in ("a", "b")]
    figures = tmp_path / "figures"
    assert run_command(["report", *runs, "--figures", str(figures)]) == 0
    assert not (figures / "practice-integer-dollars.svg").exists()
    options = ["--price", "a=1,2", "--price", "b=9,9", "-o", str(tmp_path / "f.html")]
    assert run_command(["report", *runs, "--figures", str(figures), *options]) == 0
    drawn = (figures / "practice-integer-dollars.svg").read_text()
    assert "a: 75.0 for 0.00112 USD; b: 75.0 for 0.00540 USD" in drawn
    page = (tmp_path / "f.html").read_text()
    assert "Points per USD" in page
    assert "practice-integer-dollars" in page or "pass@1 against dollars" in page


def test_a_plan_pays_by_the_runs_price_and_tokens_and_holds_its_gpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = tmp_path / "run", tmp_path / "plan.json"
    draw(
        path, GpuEngine(lambda r: replace(answer("4"), seconds=2.0 + r.index), 4), k=4, price=PRICE
    )
    assert run_command(["plan", "--from", str(path), "--k", "8", "--json", str(file)]) == 0
    (plan,) = json.loads(file.read_bytes())["plans"]
    step = next(step for step in plan["steps"] if step["k"] == 8)
    assert step["usd"] == pytest.approx(PRICE.of(3 * 8 * LIMIT, 9 * 8 * LIMIT))
    assert step["gpu_hours"] == pytest.approx(4 * step["hours"])
    decided = next(found for found in plan["until_decided"] if found["allocation"] == "uniform")
    assert 0 < decided["usd"] <= step["usd"]
    out = said(capsys)
    assert "GPU hours." in out
    assert "USD at 0.55 USD per million prompt tokens" in out
    assert (
        run_command(["plan", "--from", str(path), "--price", "1.1,4.38", "--json", str(file)]) == 0
    )
    (dearer,) = json.loads(file.read_bytes())["plans"]
    assert dearer["usd_per_sample"] == pytest.approx(2 * plan["usd_per_sample"])


def test_a_plan_from_a_charged_run_expects_the_same_charges(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, file = tmp_path / "run", tmp_path / "plan.json"
    draw(path, FakeEngine(lambda _: replace(answer("4"), cost=0.25)))
    assert run_command(["plan", "--from", str(path), "--k", "4", "--json", str(file)]) == 0
    (plan,) = json.loads(file.read_bytes())["plans"]
    assert next(s for s in plan["steps"] if s["k"] == 4)["usd"] == pytest.approx(0.25 * 4 * LIMIT)
    assert run_command(["plan", "--from", str(path), "--length", "20"]) == 0
    assert "state --price for those of --length" in said(capsys)


def test_a_plan_without_a_run_needs_prompts_for_dollars(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stated = [
        "plan",
        "--tasks",
        TASK,
        "--assume",
        "0.7",
        "--length",
        "1000",
        "--max-tokens",
        "2000",
    ]
    assert run_command([*stated, "--price", "1,2"]) == 0
    assert "USD unknown without --length and --prompt-length" in said(capsys)
    file = tmp_path / "plan.json"
    options = ["--price", "1,2", "--prompt-length", "50", "--json", str(file)]
    assert run_command([*stated, *options]) == 0
    (plan,) = json.loads(file.read_bytes())["plans"]
    assert plan["usd_per_sample"] == pytest.approx(Price(1, 2).of(50, 1000), rel=0.01)


def test_samples_beyond_an_early_stop_are_paid_for(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = draw(path, FakeEngine(lambda _: answer("4")), k=2, price=PRICE)
    manifest = run.manifest()
    lost = usage_of(list(run.task(TASK).samples())[:5])
    with RunWriter(path) as writer:
        writer.update_start(replace(manifest.starts[0], discarded={TASK: lost}))
    assert run.manifest().starts[0].discarded == {TASK: lost}
    found = costs(path, tmp_path)
    assert found["cost"]["discarded"] == pytest.approx(PRICE.of(3 * 5, 9 * 5))
    assert found["cost"]["usd"] == pytest.approx(PRICE.of(3 * (2 * LIMIT + 5), 9 * (2 * LIMIT + 5)))
