"""What `harness grade --judge-model` and `compare --scoring model-judge` say and advise when something lacks."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import run_command
from harness.cli.interrupt import run_async
from harness.errors import Interrupted
from harness.pipeline.pending import TaskRun
from harness.storage.files import read_lines, write_lines
from tests.support.endpoint import quicken
from tests.support.fakes import InlinePool
from tests.support.judge_model import UNREADABLE, asked, grade, math_run, says
from tests.support.mock_server import Running, Script


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    monkeypatch.setattr("harness.workflows.regrade.GradingPool", InlinePool)


def said(capsys: pytest.CaptureFixture[str]) -> str:
    """Both streams, in one line."""
    found = capsys.readouterr()
    return " ".join((found.out + found.err).split())


def advised(text: str, url: str) -> list[str]:
    """The arguments of the command that a message advises, with the address filled in."""
    command = text[text.index("harness grade") :].partition(" asks ")[0]
    assert command.endswith(" --base-url URL")
    return shlex.split(command.removesuffix("URL") + url)[1:]


def scorings(run: TaskRun) -> set[str]:
    return {score.scoring for score in run.folder.scores().scores}


def lose_an_opinion(run: TaskRun) -> None:
    """Another answer of one sample: the pair has not been asked about."""
    samples = [
        replace(sample, response=r"\boxed{95}") if sample.key == ("3", 1) else sample
        for sample in run.folder.samples()
    ]
    write_lines(run.folder.path / "samples.jsonl", samples)


@pytest.mark.parametrize("options", [
    [],
    ["--judge-temperature", "0.5", "--judge-max-tokens", "77", "--engine-arg", 'body.top_k=1',
     "--engine-arg", 'body.reasoning={"effort": "low"}'],
])  # fmt: skip
def test_the_advice_after_grading_is_a_command_that_asks_the_same_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Sequence[str]
) -> None:
    path = tmp_path / "my run"
    run = math_run(path)
    with Running(Script(reply=says({}), models=("a judge",))) as server:
        judge = ["--judge-model", "a judge", "--base-url", server.url, *options]
        assert run_command(["grade", str(path), *judge]) == 0
        lose_an_opinion(run)
        capsys.readouterr()
        assert run_command(["grade", str(path)]) == 0
        text = said(capsys)
        assert "math: 1 samples have no second opinion of a judge yet" in text
        server.mock.reset()
        assert run_command(advised(text, server.url)) == 0
        assert [asked(body) for body in server.mock.bodies] == [("6", "95")]
    assert scorings(run) == {"math", "model-judge"}


@pytest.mark.parametrize("right", [True, False], ids=["some are right", "none is right"])
def test_after_a_refused_key_the_run_says_how_many_opinions_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], right: bool
) -> None:
    path = tmp_path / "run"
    run = math_run(path, answers={0: "{right}" if right else "97", 1: "99", 2: "96", 3: "98"})
    n = 15 if right else 20
    with Running(Script(reply=lambda body, number: (401, {"error": {"message": "who?"}}))) as bad:
        assert grade(path, bad.url) == 4
    text = said(capsys)
    assert "refuses the key" in text
    assert f"math: {n} samples have no second opinion of mock yet" in text
    assert scorings(run) == {"math"}
    report = tmp_path / "report.md"
    for command in (["report", str(path)], ["score", str(path)],
                    ["report", str(path), "-o", str(report)]):  # fmt: skip
        assert run_command(command) == 0
        text = said(capsys) + (report.read_text() if report.exists() else "")
        assert "some samples no verdict" not in text
        assert f"{n} samples have no second opinion yet" in text
        assert f"of {n} verdicts differ" not in text


def test_opinions_given_before_a_refusal_count_at_once(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = math_run(path)

    def reply(body: dict[str, Any], number: int) -> Any:
        return "DIFFERENT" if number < 9 else (401, {"error": {"message": "expired"}})

    with Running(Script(reply=reply)) as server:
        assert grade(path, server.url) == 4
    kept = len(list(read_lines(run.folder.path / "opinions.jsonl")))
    found = run.folder.scores().opinions
    assert found is not None and found.missing == 15 - kept < 15


def judged(path: Path, *options: str, words: dict[str, str] | None = None) -> Path:
    math_run(path)
    with Running(Script(reply=says(words or {}))) as server:
        assert grade(path, server.url, *options) == 0
    return path


@pytest.mark.parametrize("allow", [[], ["--allow", "judge"]])
@pytest.mark.parametrize("turned", [False, True])
def test_a_comparison_with_a_run_that_nobody_judged_says_how_to_judge_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], allow: Sequence[str], turned: bool
) -> None:
    one = judged(tmp_path / "one", "--judge-max-tokens", "99")
    plain = tmp_path / "plain"
    math_run(plain)
    sides = [str(plain), str(one)] if turned else [str(one), str(plain)]
    capsys.readouterr()
    command = ["compare", *sides, "--scoring", "model-judge", *allow]
    assert run_command(command) in (2, 3)
    text = said(capsys)
    assert "--allow judge" not in text
    assert f"{plain}" in text and "no second opinion" in text
    with Running(Script(reply=says({}))) as server:
        assert run_command(advised(text, server.url)) == 0
    assert run_command(command) in (0, 5)


def test_a_comparison_of_two_runs_that_nobody_judged_says_how_to_judge_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain"
    math_run(plain)
    assert run_command(["compare", str(plain), str(plain), "--scoring", "model-judge"]) == 2
    text = said(capsys)
    assert f"harness grade {plain} --judge-model MODEL --base-url URL" in text


def test_a_comparison_with_opinions_that_lack_says_how_to_get_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = judged(tmp_path / "one"), tmp_path / "two"
    run = math_run(two)

    def reply(body: dict[str, Any], number: int) -> Any:
        return (400, {"error": {"message": "no"}}) if asked(body)[1] == "99" else "SAME"

    with Running(Script(reply=reply)) as server:
        assert grade(two, server.url) == 4
    lose_an_opinion(run)
    capsys.readouterr()
    assert run_command(["compare", str(one), str(two), "--scoring", "model-judge"]) == 4
    text = said(capsys)
    assert "5 of 20 samples" in text
    with Running(Script(reply=says({}))) as server:
        assert run_command(advised(text, server.url)) == 0
    assert run_command(["compare", str(one), str(two), "--scoring", "model-judge"]) != 4


def test_a_comparison_of_a_task_without_mathematics_advises_no_judge(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "words"
    run = math_run(path)
    protocol = replace(run.protocol, grader="choice/2").to_json()
    (run.folder.path / "protocol.json").write_text(json.dumps(protocol))
    assert run_command(["compare", str(path), str(path), "--scoring", "model-judge"]) == 2
    text = said(capsys)
    assert "harness grade" not in text and "--tasks" in text


@pytest.mark.parametrize("name", ["", "  "])
def test_a_model_without_a_name_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    math_run(tmp_path / "run")
    with Running() as server:
        options = ["--judge-model", name, "--base-url", server.url]
        assert run_command(["grade", str(tmp_path / "run"), *options]) == 2
        assert server.mock.bodies == []
    assert "--judge-model" in said(capsys)


@pytest.mark.parametrize("tries", [1, 2, 3])
def test_a_server_that_fails_every_request_gets_the_tries_of_each_question_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tries: int
) -> None:
    path = tmp_path / "run"
    run = math_run(path)
    fails = (500, {"error": {"message": "broken"}})
    with Running(Script(reply=lambda body, number: fails)) as server:
        assert grade(path, server.url, "--engine-arg", f"tries={tries}") == 4
        assert len(server.mock.bodies) == 15 * tries
    text = said(capsys)
    assert "15 questions to mock ended in error" in text and "waiting up to" not in text
    assert len(run.folder.errors()) == 15
    assert scorings(run) == {"math"}


def test_one_of_two_servers_that_fails_every_request_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = math_run(path, answers={i: "{right}" if i == 0 else f"9{i}" for i in range(10)}, k=10)
    fails = (500, {"error": {"message": "broken"}})
    slow = Script(reply=says({}), mean=0.05, sigma=0.0)
    with Running(Script(reply=lambda body, number: fails)) as bad, Running(slow) as good:
        assert grade(path, f"{bad.url},{good.url}", "--engine-arg", "tries=40") == 0
    assert scorings(run) == {"math", "model-judge"}


def test_replies_that_are_no_opinion_are_asked_for_again_when_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    long = r"\text{#" + "x" * 5000 + "}"
    run = math_run(path, answers={0: "{right}", 1: "99", 2: UNREADABLE, 3: long})
    with Running(Script(reply=says({"99": "hm", UNREADABLE: "DIFFERENT"}))) as server:
        assert grade(path, server.url) == 0
        text = said(capsys)
        assert "10 without an opinion" in text and "--judge-again" in text
        server.mock.reset()
        server.mock.script.reply = says({}, other="SAME")
        assert grade(path, server.url, "--judge-again") == 0
        assert {asked(body)[1] for body in server.mock.bodies} == {"99"}
        assert len(server.mock.bodies) == 5
        text = said(capsys)
        assert "math: 5 new questions to mock" in text and "5 without an opinion" in text
        server.mock.reset()
        assert grade(path, server.url, "--judge-again") == 0
        assert server.mock.bodies == []
    found = run.folder.scores().opinions
    assert found is not None and (found.n_differ, found.no_opinion) == (10, 5)


def test_a_question_that_fails_when_it_is_asked_again_keeps_its_reply(tmp_path: Path) -> None:
    path = judged(tmp_path / "run", words={"99": "hm"})
    fails = (400, {"error": {"message": "no"}})
    with Running(Script(reply=lambda body, n: fails if asked(body)[1] == "99" else "SAME")) as bad:
        assert grade(path, bad.url, "--judge-again", "--engine-arg", "tries=1") == 4
    with Running(Script(reply=says({}))) as server:
        assert grade(path, server.url) == 0
        assert server.mock.bodies == []


def test_asking_again_needs_a_model(tmp_path: Path) -> None:
    math_run(tmp_path / "run")
    assert run_command(["grade", str(tmp_path / "run"), "--judge-again"]) == 2


def test_the_word_of_an_interruption_fits_samples_and_questions() -> None:
    async def work() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(10)

    with pytest.raises(
        Interrupted, match="what is finished is kept; run the same command to resume"
    ):
        run_async(work())
