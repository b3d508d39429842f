"""Sweeps of effort and reasoning budget: who draws what, tokens, and accuracy over them as a figure."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.errors import UsageError
from harness.interfaces import Completion, Request
from harness.reports.figures.budget import Course, budget_figures
from harness.stats.effects import Effect
from harness.storage.run_folder import RunFolder
from harness.workflows.sweep_beside import names
from tests.support.sweeps import PROBLEMS, TASK, Bench

ROOT = Path(__file__).parents[2]
LONG = 24  # tokens of reasoning without a budget
BY_EFFORT = {"low": 6, "medium": 12, "high": 40}


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    found = Bench(tmp_path, monkeypatch)
    found.reply = reasoned
    return found


def reasoned(request: Request) -> Completion:
    """Reasoning by effort and up to the budget; the longer it is, the more samples are right."""
    sampling = request.sampling
    n = BY_EFFORT.get(sampling.effort or "", LONG)
    n = min(n, sampling.reasoning_budget or n)
    answer = {problem.id: problem.answer for problem in PROBLEMS}[request.problem_id]
    right = request.index < n / 8
    text = f"<think>{'so ' * n}</think>\\boxed{{{answer if right else 998}}}"
    return Completion(text, "stop", 3, n + 3, n, seconds=0.01)


def drawn(bench: Bench, **of: Any) -> int:
    """Samples that were asked of any engine with these values."""
    return sum(
        all(getattr(request.sampling, name) == value for name, value in of.items())
        for engine in bench.engines
        for request in engine.requests
    )


def test_every_budget_is_sampled_and_none_is_the_base(bench: Bench) -> None:
    found = bench.run({"reasoning_budget": [4, 8, "none"]})
    assert [e.source for e in found.values()] == ["base", "sampled", "sampled", "base"]
    tokens = {name: e.mean_reasoning_tokens for name, e in found.items()}
    assert tokens == {"base": LONG, "reasoning_budget=4": 4, "reasoning_budget=8": 8,
                      "reasoning_budget=none": LONG}  # fmt: skip
    assert found["reasoning_budget=4"].mean_tokens == 4 + 3
    scores = [found[name].score for name in tokens]
    assert scores == [pytest.approx(n / 6) for n in (3, 1, 1, 3)]
    protocol = RunFolder(bench.folder / "sweep" / "reasoning_budget=8").task(TASK).protocol()
    assert protocol.reasoning_budget == 8
    assert drawn(bench, reasoning_budget=8) == drawn(bench, reasoning_budget=None) == 48
    assert len(bench.engines) == 1  # the budget is in each request, and one engine draws them all
    assert bench.opened[0].reasoning_budget == 4  # so an engine that has none is refused at once


def test_a_base_with_a_budget_can_be_held_against_none(bench: Bench) -> None:
    found = bench.run({"reasoning_budget": ["none", 8]}, reasoning_budget=8)
    assert [e.source for e in found.values()] == ["base", "sampled", "base"]
    assert found["base"].mean_reasoning_tokens == 8
    assert found["reasoning_budget=none"].mean_reasoning_tokens == LONG
    assert (found["reasoning_budget=none"].difference or 0) > 0


def test_each_effort_has_an_engine_of_its_own_and_is_asked_before_the_base_is_drawn(
    bench: Bench,
) -> None:
    """The effort is in the rendered prompt, which is the engine's."""
    found = bench.run({"effort": ["low", "high"], "temperature": [1.0]})
    assert [settings.effort for settings in bench.opened] == ["low", "high", None]
    for engine, settings in zip(bench.engines, bench.opened, strict=True):
        assert {request.sampling.effort for request in engine.requests} == {settings.effort}
        assert engine.closed
    assert found["effort=low"].mean_reasoning_tokens == 6
    assert found["effort=high"].mean_reasoning_tokens == 40
    assert drawn(bench, effort=None) == 2 * 48  # the base and the temperature


def test_no_two_engines_of_one_start_have_one_seed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    import harness.workflows.sweep as module

    seeds, load = [], module.open_engine

    async def watched(settings: Any, seed: int, *rest: Any) -> Any:
        seeds.append(seed)
        return await load(settings, seed, *rest)

    monkeypatch.setattr(module, "open_engine", watched)
    bench.run({"effort": ["low", "high"]})
    bench.run({"effort": ["low", "high", "medium"], "reasoning_budget": [4]})
    assert len(set(seeds)) == len(seeds) == 5


@pytest.mark.parametrize("vary", [{"effort": ["high"]}, {"reasoning_budget": [8]}])
def test_an_engine_that_cannot_is_refused_before_anything_is_sampled(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, vary: dict[str, Any]
) -> None:
    monkeypatch.undo()
    (factor,) = vary
    option = factor.replace("_", "-")
    with pytest.raises(UsageError, match=f"--{option}: the lm_eval engine has no use"):
        bench.run(vary, engine="lm_eval:dummy")
    assert not (bench.folder / "sweep" / "base" / TASK).exists()


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ({"reasoning_budget": [0]}, "reasoning_budget=0: reasoning_budget is 0"),
        ({"reasoning_budget": ["much"]}, "vary.reasoning_budget 'much'"),
        ({"reasoning_budget": [100]}, "no token is left for the response"),
        ({"reasoning_budget": [8, 8]}, "has 8 twice"),
        ({"effort": [" "]}, "effort is empty"),
        ({"reasoning_budget": 8}, "vary.reasoning_budget 8: Input should be a valid list"),
        ({"effort": [None]}, "vary.effort has an empty value"),
    ],
)
def test_a_bad_value_is_found_before_anything_is_sampled(
    bench: Bench, vary: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        bench.run(vary)
    assert not bench.engines


def test_an_effort_that_cannot_name_a_folder_gets_a_hash(bench: Bench) -> None:
    found = bench.run({"effort": ["high", "as hard/as you can"]})
    names = [path.name for path in (bench.folder / "sweep").iterdir()]
    assert sorted(names)[:2] == ["base", "effort=high"]
    assert sorted(names)[2].startswith("effort=text-")
    assert len(found) == 3


# The figure


def alt_of(bench: Bench, vary: dict[str, Any], **base: Any) -> list[str]:
    planned = bench.lay_out(vary, **base)
    found: list[Effect] = list(bench.run(vary, **base).values())
    return [plot.alt for plot in budget_figures([Course("m", found, planned.protocols)])]


def test_the_figure_has_a_line_per_factor_and_both_ends(bench: Bench) -> None:
    (alt,) = alt_of(bench, {"reasoning_budget": [4, 16], "effort": ["low", "high"]})
    assert alt == (
        f"{TASK}: accuracy over reasoning tokens. "
        "reasoning budget 4: 16.7 with 4 tokens; reasoning budget 16: 33.3 with 16 tokens; "
        "reasoning budget none: 50.0 with 24 tokens; effort low: 16.7 with 6 tokens; "
        "effort default: 50.0 with 24 tokens; effort high: 83.3 with 40 tokens."
    )


def test_sweeps_beside_each_other_have_names_of_their_own() -> None:
    same = [(Path("a/sweep"), "m"), (Path("b/sweep"), "m")]
    assert names(same) == ["a/sweep", "b/sweep"]
    assert names([(Path("a/one"), "m"), (Path("b/two"), "m")]) == ["one", "two"]
    assert names([(Path("a/sweep"), "x/m"), (Path("b/sweep"), "n")]) == ["m", "n"]


def test_a_sweep_of_neither_has_no_figure(bench: Bench) -> None:
    assert alt_of(bench, {"temperature": [1.0]}) == []


def test_a_wide_range_of_tokens_is_drawn_on_a_logarithmic_axis(bench: Bench) -> None:
    for budgets, scale in (([4, 16], "linear"), ([1, 16], "log")):
        planned = bench.elsewhere().lay_out({"reasoning_budget": budgets})
        found = list(bench.run({"reasoning_budget": budgets}).values())
        (plot,) = budget_figures([Course("m", found, planned.protocols)])
        assert plot.figure.axes[0].get_xscale() == scale


def test_the_command_writes_tokens_and_the_figure(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.lay_out({"reasoning_budget": [4, 8]})
    output = bench.folder / "sweep"
    assert run_command(["sweep", str(bench.folder / "sweep.yaml"), "-o", str(output)]) == 0
    assert "practice-integer-reasoning.svg" in capsys.readouterr().err
    svg = (output / "practice-integer-reasoning.svg").read_text()
    assert "mean reasoning tokens per sample" in svg
    assert (output / "practice-integer-reasoning.pdf").read_bytes().startswith(b"%PDF")
    rows = json.loads((output / "sweep.json").read_text())["effects"]
    assert [row["mean_reasoning_tokens"] for row in rows] == [24, 4, 8]
    table = (output / "sweep.md").read_text()
    assert "| Tokens | of reasoning |" in table and "| 7 | 4 |" in table


def test_another_sweep_stands_beside_it_unless_its_protocol_differs(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bench.folder

    def sweep(name: str, *beside: str, **base: Any) -> int:
        bench.lay_out({"reasoning_budget": [4, "none"]}, **base)
        others = [word for other in beside for word in ("--beside", str(folder / other))]
        return run_command(["sweep", str(folder / "sweep.yaml"), "-o", str(folder / name), *others])

    assert sweep("low", effort="low", model="org/small") == 0
    assert sweep("high", "low", effort="high", model="org/large") == 0
    svg = (folder / "high" / "practice-integer-reasoning.svg").read_text()
    assert "large reasoning budget 4: 16.7 with 4 tokens" in svg
    assert "small reasoning budget none: 16.7 with 6 tokens" in svg
    assert sweep("again", "low", "high", effort="high", model="org/large") == 0
    svg = (folder / "again" / "practice-integer-reasoning.svg").read_text()
    assert "again reasoning budget" in svg and "high reasoning budget" in svg

    capsys.readouterr()
    bench.engines.clear()
    assert sweep("cold", "low", temperature=0.1) == 3
    assert "temperature: 0.1 against 0.6" in capsys.readouterr().err
    assert sweep("low", "low", effort="low", model="org/small") == 2
    assert "it is the folder of this sweep" in capsys.readouterr().err
    assert sweep("cold", "nowhere") == 2
    assert "sweep.json is missing" in capsys.readouterr().err
    assert sweep("cold", "low", tasks="practice_math") == 2
    assert "it has none of practice_math; it has practice_integer" in capsys.readouterr().err
    damaged = folder / "low" / "sweep.json"
    damaged.write_text(damaged.read_text().replace("mean_reasoning_tokens", "mean_thought"))
    assert sweep("cold", "low") == 2
    assert "mean_thought" in capsys.readouterr().err
    assert not bench.engines and not (folder / "cold").exists()


@pytest.mark.slow
def test_accuracy_over_budget_of_the_practice_model_shows_both_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    base = {"model": "examples/practice-model/late", "tasks": TASK, "k": 4, "max_tokens": 128}
    config, output = tmp_path / "sweep.yaml", tmp_path / "sweep"
    config.write_text(json.dumps({"base": base, "vary": {"reasoning_budget": [4, 8, 20, "none"]}}))
    assert run_command(["sweep", str(config), "-o", str(output)]) == 0
    rows = json.loads((output / "sweep.json").read_text())["effects"]
    by_budget = {row["value"]: row for row in rows[1:]}
    for budget in (4, 8, 20):
        folder = RunFolder(output / f"reasoning_budget={budget}").task(TASK)
        samples = list(folder.samples())
        assert max(sample.n_reasoning_tokens or 0 for sample in samples) == budget
        assert all(sample.response for sample in samples)
    assert by_budget["4"]["score"] < 0.2 < 0.7 < by_budget["none"]["score"]
    assert by_budget["20"]["claim"] == "differs"
    assert by_budget["none"]["mean_reasoning_tokens"] > 20
    svg = (output / "practice-integer-reasoning.svg").read_text()
    for value in ("4", "8", "20", "none"):
        assert f">{value}<" in svg
