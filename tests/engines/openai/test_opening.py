"""Whether a model behind a server reasons: what tells it, and what a run does where nothing does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from harness.cli.run import run
from harness.engines import make_engine
from harness.storage.run_folder import RunFolder
from tests.support.endpoint import settings
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")

NUMBER = "17"
CUT = {"message": {"content": f"so \\boxed{{{NUMBER}}} or"}, "finish_reason": "length"}


def opens(variables: Mapping[str, Any]) -> str:
    thinks = variables.get("enable_thinking", True)
    return "<user>x<assistant><think>\n" + ("" if thinks else "\n</think>\n\n")


def known(script: Script, **more: Any) -> bool | None:
    """What the engine knows before its first sample."""
    with Running(script) as server:
        return make_engine(settings(server.url, **more)).opens_reasoning


@pytest.mark.parametrize("applies", [False, True])
def test_a_server_that_renders_its_prompt_tells(applies: bool) -> None:
    script = Script(rendered=opens, applies=applies)
    assert known(script) is True
    off = {"body.chat_template_kwargs": '{"enable_thinking": false}'}
    assert known(script, options=off) is False
    assert known(Script(rendered=lambda _: "<user>x<assistant>", applies=applies)) is False


def test_a_server_that_shows_no_prompt_tells_nothing() -> None:
    assert known(Script()) is None
    assert known(Script(vllm=True)) is None


def test_the_chat_template_of_a_model_folder_tells(practice_model: Path, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    folder = str(practice_model / "late")
    assert known(Script(models=(folder,)), model=folder) is True
    copy = tmp_path / "instruct"
    shutil.copytree(practice_model / "late", copy)
    template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    for name in ("chat_template.jinja", "tokenizer_config.json"):
        if name == "chat_template.jinja":
            (copy / name).write_text(template)
        else:
            values = json.loads((copy / name).read_text())
            (copy / name).write_text(json.dumps({**values, "chat_template": template}))
    assert known(Script(models=(str(copy),)), model=str(copy)) is False
    (copy / "tokenizer_config.json").write_text("{")
    assert known(Script(models=(str(copy),)), model=str(copy)) is None


def test_no_tokenizer_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr("socket.getaddrinfo", lambda host, *_, **__: asked.append(host) or [])
    name = "nobody/has-this-model"
    assert known(Script(models=(name,)), model=name) is None
    assert not [host for host in asked if "huggingface" in str(host)]


# A run


def drawn(server: Running, output: Path, *more: str) -> Result:
    command = [
        "--engine", "openai", "--model", "mock", "--base-url", server.url, "--max-tokens", "24",
        "--tasks", "practice_integer", "--limit", "5", "--k", "2", "-o", str(output), *more,
    ]  # fmt: skip
    return CliRunner().invoke(run, command, env={"COLUMNS": "200"})


def test_a_run_that_cannot_tell_asks_and_goes_on_with_the_answer(tmp_path: Path) -> None:
    with Running(Script(reply=lambda *_: CUT)) as server:
        first = drawn(server, tmp_path / "run")
        n_asked = len(server.mock.bodies)
        assert first.exit_code != 0
        message = str(first.exception)
        assert "10 of 10 samples may be reasoning that was cut off" in message
        assert "--thinking yes" in message and "--thinking no" in message
        assert "nothing tells before the first sample" in first.output
        assert not (tmp_path / "run" / "practice_integer" / "scores.json").exists()
        shutil.copytree(tmp_path / "run", tmp_path / "other")
        for name, thinking in (("run", "yes"), ("other", "no")):
            again = drawn(server, tmp_path / name, "--thinking", thinking)
            assert again.exit_code == 0, again.output
            task = RunFolder(tmp_path / name).task("practice_integer")
            assert task.protocol().thinking == thinking
            assert all((s.response is None) == (thinking == "yes") for s in task.samples())
            assert task.scores().complete
        verdicts = [
            set(RunFolder(tmp_path / name).task("practice_integer").scores().scores[0].verdicts)
            for name in ("run", "other")
        ]
        assert verdicts[0] == {"truncated"} and "truncated" not in verdicts[1]
        assert len(server.mock.bodies) == n_asked


def test_one_end_tag_settles_what_came_before_it(tmp_path: Path) -> None:
    with Running(Script(reply=lambda body, n: CUT if n != 7 else "so</think>17")) as server:
        done = drawn(server, tmp_path / "run")
        assert done.exit_code == 0, done.output
    found = list(RunFolder(tmp_path / "run").task("practice_integer").samples())
    assert sorted(s.response or "" for s in found) == [""] * 9 + ["17"]
    assert RunFolder(tmp_path / "run").manifest().opens_reasoning is True


def test_a_stop_by_grades_has_to_know_before_the_first_sample(tmp_path: Path) -> None:
    with Running(Script(reply=lambda *_: "\\boxed{17}")) as server:
        assert drawn(server, tmp_path / "base").exit_code == 0
        staged = ("--until", "decided", "--base", str(tmp_path / "base"), "--margin", "50")
        n_asked = len(server.mock.bodies)
        refused = drawn(server, tmp_path / "run", *staged)
        assert "--until decided: nothing tells" in str(refused.exception)
        assert not (tmp_path / "run" / "manifest.json").exists()
        assert len(server.mock.bodies) == n_asked
