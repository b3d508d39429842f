"""`--effort` and `--reasoning-budget` through whole commands: runs, protocols, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_command_line import LATE, ROOT, fails, harness
from tests.support.endpoint import quicken
from tests.support.mock_server import Running, Script


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("HARNESS_DATA", raising=False)
    quicken(monkeypatch)


def rows(run: Path, name: str) -> list[dict[str, Any]]:
    lines = (run / "practice_integer" / f"{name}.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_two_efforts_are_two_protocols(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = Script(reply=lambda body, number: f"<think>hm</think>\\boxed{{{number}}}")
    with Running(script) as server:
        base = ("run", "--model", "mock", "--engine", "openai", "--base-url", server.url,
                "--tasks", "practice_integer", "--limit", "3", "--k", "2")  # fmt: skip
        for effort in ("low", "high"):
            assert harness(*base, "--effort", effort, "-o", tmp_path / effort) == 0
            prompts = [body for body in server.mock.bodies if body.get("max_tokens") != 1]
            assert {body["reasoning_effort"] for body in prompts} == {effort}
            server.mock.reset()
        manifest = json.loads((tmp_path / "low" / "manifest.json").read_text())
        assert manifest["fingerprint"]["effort"] == "field reasoning_effort of the request"
        assert harness(*base, "--effort", "high", "-o", tmp_path / "low") == 3
        capsys.readouterr()
        assert harness("compare", tmp_path / "low", tmp_path / "high") == 3
        assert "effort: low against high" in capsys.readouterr().err


@pytest.mark.parametrize("budget", ["1", "20"])
def test_no_sample_of_a_bounded_run_is_cut_in_its_reasoning(tmp_path: Path, budget: str) -> None:
    run = tmp_path / "run"
    assert harness("run", "--model", LATE, "--tasks", "practice_integer", "--limit", "8",
                   "--k", "2", "--reasoning-budget", budget, "-o", run) == 0  # fmt: skip
    samples = rows(run, "samples")
    assert len(samples) == 16
    assert max(sample["n_reasoning_tokens"] for sample in samples) <= int(budget)
    assert all(sample["response"] for sample in samples)
    assert "truncated" not in {grade["verdict"] for grade in rows(run, "grades")}


@pytest.mark.parametrize("option", [("--effort", "high"), ("--reasoning-budget", "20")])
def test_an_engine_that_cannot_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: tuple[str, str]
) -> None:
    said = fails(capsys, "run", "--model", LATE, "--engine", "lm_eval:hf", "--tasks",
                 "practice_integer", *option, "-o", tmp_path / "run")  # fmt: skip
    assert f"{option[0]}: the lm_eval engine has no use for it; it is for --engine trans" in said
    assert not list(tmp_path.rglob("samples.jsonl"))


def test_a_checkpoint_whose_template_has_no_effort_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = fails(capsys, "run", "--model", LATE, "--tasks", "practice_integer", "--effort", "high",
                 "-o", tmp_path / "run")  # fmt: skip
    assert "--effort high: " in said
    assert "does not use reasoning_effort" in said
    assert not list(tmp_path.rglob("samples.jsonl"))


@pytest.mark.parametrize(("more", "why"), [
    (("--thinking", "no"), "--thinking no says that the model does not reason"),
    (("--think-end", "</thought>", "--thinking", "auto"), "nothing says that it reasons"),
    (("--engine-arg", "body.thinking_token_budget=9"), "use --reasoning-budget"),
])  # fmt: skip
def test_a_budget_that_would_do_nothing_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...], why: str
) -> None:
    said = fails(capsys, "run", "--model", LATE, "--tasks", "practice_integer",
                 "--reasoning-budget", "20", *more, "-o", tmp_path / "run")  # fmt: skip
    assert why in said
