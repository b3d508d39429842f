"""What every server is held to through the openai engine, on the practice checkpoint.

A server that cannot do something is asserted to do what docs/servers.md says of it instead.
"""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.engines import make_engine
from harness.engines.settings import EngineSettings
from harness.errors import EngineError, HarnessError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.storage.run_folder import RunFolder
from harness.types import Prompt, Sample, Verdict
from tests.support.server_facts import QUESTION, tokens
from tests.support.server_runs import (
    OPTIONS,
    Drawn,
    Reference,
    as_new,
    check_as_equal,
    command,
    draw,
    equal_pairs,
    errors_apart,
    settings,
    size,
    stored,
)
from tests.support.servers import ROOT, RealServer

pytestmark = pytest.mark.servers

FAMILIES = ("practice_integer", "practice_choice", "practice_math")
HOT = 1.8
"""Where a hidden top_k or min_p doubles the score."""


@pytest.fixture(scope="session")
def drawn(server: RealServer, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Drawn]:
    """One run over the server at the tasks' own sampling."""
    output = tmp_path_factory.mktemp(server.name) / "run"
    return draw(server, settings(server, ",".join(FAMILIES), output))


def due(server: RealServer, k: int, samples: list[Sample]) -> None:
    """Assert that each problem has each of its samples once."""
    problems = {sample.problem_id for sample in samples}
    assert len(problems) == size(server).problems
    keys = {(problem, index) for problem in problems for index in range(k)}
    assert Counter(sample.key for sample in samples) == dict.fromkeys(keys, 1)


@pytest.mark.parametrize("task", FAMILIES)
def test_pass_at_1_is_that_of_the_engine_in_this_process(
    server: RealServer, drawn: Mapping[str, Drawn], reference: Reference, task: str
) -> None:
    found, theirs = drawn[task], reference(task)
    problems = {sample.problem_id for sample in found.samples}
    assert errors_apart(found.right(problems), theirs.right(problems)) <= 4


def test_each_sample_is_a_draw_of_its_own(
    server: RealServer, drawn: Mapping[str, Drawn], reference: Reference
) -> None:
    ours: dict[str, float] = {}
    theirs: dict[str, float] = {}
    for task in FAMILIES:
        samples = drawn[task].samples
        due(server, size(server).k, samples)
        ours |= equal_pairs(samples)
        theirs |= equal_pairs(reference(task).samples)
    assert any(share < 1 for share in ours.values())
    check_as_equal(ours, theirs)


def test_reasoning_is_split_from_the_response(drawn: Mapping[str, Drawn]) -> None:
    for task in FAMILIES:
        for sample in drawn[task].samples:
            assert sample.finish_reason == "stop"
            assert sample.reasoning and "think>" not in sample.reasoning
            assert sample.response and "think>" not in sample.response


def test_token_counts_are_those_of_the_text_and_the_end_token(drawn: Mapping[str, Drawn]) -> None:
    """A text drawn token by token may be written in fewer tokens, so that a few counts are higher."""
    for task in FAMILIES:
        samples = drawn[task].samples
        more = [(s.n_tokens or 0) - tokens(s.raw("</think>")) - 1 for s in samples]
        assert min(more) >= 0 and Counter(more)[0] >= 0.9 * len(more), Counter(more)
        assert all(s.n_prompt_tokens for s in samples)


def test_reasoning_that_is_cut_off_is_truncated_and_not_graded(
    server: RealServer, reference: Reference, tmp_path: Path
) -> None:
    given = settings(server, "practice_choice", tmp_path / "run", max_tokens=24)
    found = draw(server, given)["practice_choice"]
    verdicts = {grade.key: grade.verdict for grade in found.grades}
    cut = [sample for sample in found.samples if sample.finish_reason == "length"]
    assert len(cut) > 0.5 * len(found.samples)
    for sample in cut:
        assert sample.n_tokens == 24
        if sample.response is None:
            assert verdicts[sample.key] is Verdict.TRUNCATED
    assert any(sample.response is None for sample in cut)
    problems = {sample.problem_id for sample in found.samples}
    theirs = reference("practice_choice", max_tokens=24)
    assert errors_apart(found.right(problems), theirs.right(problems)) <= 4


def test_another_model_is_refused_in_one_line(server: RealServer, tmp_path: Path) -> None:
    given = settings(server, "practice_integer", tmp_path / "run", model="nobody/nothing")
    with pytest.raises(HarnessError) as error:
        draw(server, given)
    assert "nobody/nothing" in str(error.value) and "\n" not in str(error.value)
    assert "--model" in str(error.value)


def completions(server: RealServer, requests: list[Request]) -> list[Completion | BaseException]:
    """What the engine makes of some requests of one sampling."""
    as_new(server)
    given = EngineSettings(
        engine="openai", model=server.model, base_url=server.url,
        options=dict(OPTIONS.get(server.name, {})), samplings=(requests[0].sampling,),
    )  # fmt: skip
    engine = make_engine(given)

    async def work() -> list[Completion | BaseException]:
        try:
            calls = map(engine.generate, requests)
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(work())


def test_a_prompt_beyond_the_window_is_an_error_of_that_sample_alone(server: RealServer) -> None:
    sampling = Sampling(k=1, temperature=0.6, top_p=0.95, max_tokens=8)
    texts = ("7" * 5000, QUESTION)
    refused, answered = completions(
        server, [Request(text[:1], 0, Prompt(text), sampling) for text in texts]
    )
    assert isinstance(answered, Completion) and answered.finish_reason == "length"
    assert isinstance(refused, EngineError)
    assert re.search("context|window|no room", str(refused)) and "\n" not in str(refused)


def test_a_stop_string_ends_a_sample_and_is_no_part_of_it(server: RealServer) -> None:
    sampling = Sampling(k=4, temperature=0.6, top_p=0.95, max_tokens=300, stop=("answer",))
    found = completions(server, [Request("p", n, Prompt(QUESTION), sampling) for n in range(4)])
    for completion in found:
        assert isinstance(completion, Completion) and completion.finish_reason == "stop"
        reasoning, ended, _ = completion.text.partition("</think>")
        assert completion.reasoning or (reasoning and ended), completion
        assert "answer" not in (completion.reasoning or "") + completion.text


# At another temperature, from here on: a server that keeps to its first request is started anew once.


class Restart:
    """Kills a server at a third of a run and starts it again, while the run goes on."""

    def __init__(self, server: RealServer, at: int) -> None:
        self._server, self._at, self._sampled = server, at, 0
        self.thread: threading.Thread | None = None

    def observe(self, event: str, task: str, verdict: Verdict | None) -> None:
        self._sampled += event == "sampled"
        if self._sampled == self._at and self.thread is None:
            self.thread = threading.Thread(target=self._work)
            self.thread.start()

    def _work(self) -> None:
        self._server.kill()
        self._server.start()


def test_a_server_that_is_killed_and_started_again_costs_nothing(
    server: RealServer, reference: Reference, tmp_path: Path
) -> None:
    """At a high temperature, where a draw that came twice would show, and a hidden top_k too."""
    given = settings(server, "practice_integer", tmp_path / "run", temperature=HOT)
    restart = Restart(server, size(server).problems * size(server).k // 3)
    found = draw(server, given, restart.observe)["practice_integer"]
    assert restart.thread is not None
    restart.thread.join()
    due(server, size(server).k, found.samples)
    assert RunFolder(given.output).tasks()[0].errors() == []
    problems = {sample.problem_id for sample in found.samples}
    theirs = reference("practice_integer", HOT)
    assert errors_apart(found.right(problems), theirs.right(problems)) <= 4
    check_as_equal(equal_pairs(found.samples), equal_pairs(theirs.samples))


def test_a_run_that_is_killed_is_resumed_and_no_draw_comes_twice(
    server: RealServer, reference: Reference, tmp_path: Path
) -> None:
    given = settings(  # few at a time, so that most are due when a third is stored
        server, "practice_integer", tmp_path / "run", temperature=HOT, concurrency=16
    )
    whole = size(server).problems * size(server).k
    path = given.output / "practice_integer" / "samples.jsonl"
    as_new(server, HOT)
    first = subprocess.Popen(
        command(given), cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    while not path.exists() or path.read_bytes().count(b"\n") < whole // 3:
        assert first.poll() is None, first.communicate()
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    before = {sample.key for sample in RunFolder(given.output).tasks()[0].samples()}
    assert len(before) < whole
    done = subprocess.run(command(given), cwd=ROOT, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = stored(given.output)["practice_integer"]
    due(server, size(server).k, found.samples)
    across = equal_pairs(found.samples, lambda a, b: (a.key in before) != (b.key in before))
    check_as_equal(across, equal_pairs(reference("practice_integer", HOT).samples))
