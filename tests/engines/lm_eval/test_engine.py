"""lm-eval's models as engines: the practice model through them, their draws, and what they lose."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from harness.data.datasets import load_problems
from harness.data.prompts import render
from harness.engines import make_engine
from harness.engines.lm_eval.engine import LmEvalEngine
from harness.engines.lm_eval.models import load
from harness.engines.settings import EngineSettings
from harness.errors import DataError, EngineDown, EngineError, UsageError
from harness.interfaces import Completion, Engine, Request
from harness.pipeline.pending import make_sample
from harness.protocol import make_protocol
from harness.registry import tasks
from harness.sampling import Sampling
from harness.stats.intervals import mean, sampling_error
from harness.stats.metrics import pass_at, tally_problem
from harness.types import Prompt

pytestmark = pytest.mark.engines

WARM = Sampling(k=8, temperature=0.6, top_p=0.95, max_tokens=128)
HOT = Sampling(k=32, temperature=4.0, max_tokens=20)
INTEGERS = tasks()["practice_integer"]
PROBLEMS = load_problems(INTEGERS, None, limit=24)
VLLM = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1"}  # fmt: skip


@pytest.fixture(scope="module")
def late(practice_model: Path) -> str:
    return str(practice_model / "late")


def open_engine(engine: str, model: str, *, seed: int = 0, notices: list[str] | None = None,
                seeded: bool = False, **options: str) -> Engine:  # fmt: skip
    settings = EngineSettings(engine=engine, model=model, seed=seed, options=options,
                              seeded=seeded, notify=(notices if notices is not None else []).append)  # fmt: skip
    return make_engine(settings)


def draw(engine: Engine, requests: Sequence[Request]) -> list[Completion | BaseException]:
    """Everything at once; an error stands in its sample's place. Closes the engine."""

    async def work() -> list[Completion | BaseException]:
        try:
            calls = (engine.generate(request) for request in requests)
            return await asyncio.gather(*calls, return_exceptions=True)
        finally:
            await engine.close()

    return asyncio.run(work())


def texts(engine: Engine, requests: Sequence[Request]) -> list[str]:
    found = draw(engine, requests)
    assert all(isinstance(completion, Completion) for completion in found), found
    return [completion.text for completion in found if isinstance(completion, Completion)]


def ask(sampling: Sampling, n_problems: int = 24, first: int = 0) -> list[Request]:
    return [
        Request(problem.id, index, render(INTEGERS.prompt, problem), sampling)
        for problem in PROBLEMS[:n_problems]
        for index in range(first, first + sampling.k)
    ]


def pass_at_1(engine: Engine) -> tuple[float, float]:
    """Value and sampling error on the practice problems."""
    requests = ask(WARM)
    protocol = make_protocol(INTEGERS, PROBLEMS, WARM)
    by_id = {problem.id: problem for problem in PROBLEMS}
    grades: dict[str, list[Any]] = {id: [] for id in by_id}
    for request, completion in zip(requests, draw(engine, requests), strict=True):
        assert isinstance(completion, Completion), completion
        sample = make_sample(request, completion, None, protocol, engine)
        assert sample.reasoning
        grades[request.problem_id].append(INTEGERS.grader.grade(by_id[request.problem_id], sample))
    tallies = [tally_problem(found, None) for found in grades.values()]
    metric = pass_at(1)
    error = sampling_error([metric.variance(tally) for tally in tallies])
    assert error is not None
    return mean([metric.value(tally) for tally in tallies]), error


@pytest.fixture(scope="module")
def embedded(late: str) -> tuple[float, float]:
    return pass_at_1(open_engine("transformers", late))


def agree(found: tuple[float, float], other: tuple[float, float]) -> bool:
    return abs(found[0] - other[0]) <= 3 * math.hypot(found[1], other[1])


# Models in this process


def test_hf_scores_as_the_transformers_engine(late: str, embedded: tuple[float, float]) -> None:
    engine = open_engine("lm_eval:hf", late, dtype="float32")
    assert engine.opens_reasoning
    found = pass_at_1(engine)
    assert 0.5 < found[0] < 1
    assert agree(found, embedded), (found, embedded)


def test_vllm_scores_as_the_transformers_engine(
    late: str, embedded: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in VLLM.items():
        monkeypatch.setenv(name, value)
    settings = {"enforce_eager": "true", "dtype": "float32", "max_model_len": "1024"}
    given = EngineSettings(engine="lm_eval:vllm", model=late, seed=7, options=settings)
    loaded = load(given)
    assert loaded.lm.model_args["seed"] == given.draw_seed(0)
    engine = LmEvalEngine(given, loaded)
    assert engine.fingerprint()["dtype"] == "float32"
    assert engine.opens_reasoning
    found = pass_at_1(engine)
    assert agree(found, embedded), (found, embedded)


def test_the_checkpoints_own_settings_play_no_part(late: str, tmp_path: Path) -> None:
    """Temperature and top_p are the protocol's; a repetition penalty is nobody's."""
    shutil.copytree(late, tmp_path / "model")
    path = tmp_path / "model" / "generation_config.json"
    own = {**json.loads(path.read_text()), "repetition_penalty": 5.0, "min_p": 0.9}
    path.write_text(json.dumps(own))
    greedy = ask(Sampling(temperature=0.0, max_tokens=60), 6)
    plain, penalised = (
        texts(open_engine("lm_eval:hf", model, dtype="float32"), greedy)
        for model in (late, str(tmp_path / "model"))
    )
    assert plain == penalised


def test_no_draw_repeats_in_a_start_or_over_a_resume(late: str) -> None:
    first, again, resumed = (
        texts(open_engine("lm_eval:hf", late, seed=seed), ask(HOT, 4)) for seed in (1, 1, 2)
    )
    assert first == again  # so what follows is the seed's doing
    assert len({*first, *resumed}) == 2 * len(first)


def test_the_global_random_state_is_left_as_it_was(late: str) -> None:
    import random

    import numpy
    import torch

    engine = open_engine("lm_eval:hf", late)
    before = torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1]
    texts(engine, ask(HOT, 1))
    after = torch.get_rng_state(), random.getstate(), numpy.random.get_state()[1]
    assert torch.equal(before[0], after[0])
    assert before[1] == after[1]
    assert (before[2] == after[2]).all()


def test_greedy_text_is_that_of_the_transformers_engine(late: str) -> None:
    """The template is applied once, and no start token is added or lost."""
    greedy = Sampling(temperature=0.0, max_tokens=120)
    found = draw(open_engine("lm_eval:hf", late, dtype="float32"), ask(greedy, 8))
    due = draw(open_engine("transformers", late), ask(greedy, 8))
    for mine, theirs in zip(found, due, strict=True):
        assert isinstance(mine, Completion)
        assert isinstance(theirs, Completion)
        assert (mine.text, mine.finish_reason) == (theirs.text, theirs.finish_reason)
        assert mine.n_prompt_tokens == theirs.n_prompt_tokens


def test_the_cap_is_known_as_the_reason_to_end(late: str) -> None:
    short = replace(WARM, k=4, max_tokens=5)
    for completion in draw(open_engine("lm_eval:hf", late), ask(short, 2)):
        assert isinstance(completion, Completion)
        assert (completion.finish_reason, completion.n_tokens) == ("length", 5)


def test_a_completion_gets_what_the_prompt_leaves_of_the_context(late: str) -> None:
    notices: list[str] = []
    engine = open_engine("lm_eval:hf", late, notices=notices, max_length="60")
    long = Request("long", 0, Prompt("7" * 70), WARM)
    *found, refused = draw(engine, [*ask(replace(WARM, k=2), 3), long])
    assert all(isinstance(completion, Completion) for completion in found)
    assert isinstance(refused, EngineError)
    assert "no room for a completion" in str(refused)
    assert len(notices) == 1
    assert "has a context of 60 tokens" in notices[0]


def test_a_stop_string_is_cut_off(late: str) -> None:
    found = draw(open_engine("lm_eval:hf", late), ask(replace(WARM, k=2, stop=("</think>",)), 2))
    for completion in found:
        assert isinstance(completion, Completion)
        assert completion.text
        assert "</think>" not in completion.text
        assert completion.finish_reason == "stop"


# A model of our own, registered with lm-eval


@pytest.fixture(scope="module")
def plain_model() -> str:
    """No tokenizer, no chat template; fails on a prompt that says so."""
    from lm_eval.api.model import LM
    from lm_eval.api.registry import register_model

    @register_model("harness-test")
    class Plain(LM):  # type: ignore[misc, unused-ignore]
        def __init__(self, pretrained: str, loud: bool = False) -> None:
            super().__init__()
            self.loud = loud

        def loglikelihood(self, requests: Any) -> Any:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: Any) -> Any:
            raise NotImplementedError

        def generate_until(self, requests: Any, disable_tqdm: bool = False) -> list[str]:
            prompts = [request.args[0] for request in requests]
            if any("FAIL" in prompt for prompt in prompts):
                raise RuntimeError("out of paper")
            return [prompt.upper() if self.loud else prompt for prompt in prompts]

    return "lm_eval:harness-test"


def request(text: str, sampling: Sampling = WARM) -> Request:
    return Request(text, 0, Prompt(text, "Be brief."), sampling)


def test_a_model_without_a_tokenizer_gets_plain_text_and_says_nothing_of_the_end(
    plain_model: str,
) -> None:
    (found,) = draw(open_engine(plain_model, "m", loud="true"), [request("two")])
    assert found == replace(Completion("BE BRIEF.\n\nTWO", "unknown"), seconds=found.seconds)  # type: ignore[union-attr]


def test_a_batch_that_fails_fails_alone(plain_model: str) -> None:
    other = replace(WARM, temperature=1.0)
    requests = [request("a"), request("FAIL"), request("b", other), request("c", other)]
    found = draw(open_engine(plain_model, "m"), requests)
    assert [isinstance(item, EngineError) for item in found] == [True, True, False, False]
    assert "out of paper" in str(found[0])


def test_a_cap_is_needed(plain_model: str) -> None:
    (found,) = draw(open_engine(plain_model, "m"), [request("x", replace(WARM, max_tokens=None))])
    assert isinstance(found, EngineDown)
    assert "--max-tokens is needed" in str(found)


# The chat client


class Server(ThreadingHTTPServer):
    """Answers like a server with a reasoning parser; keeps what it was sent."""

    request_queue_size = 256  # connections that wait: the 5 of the standard library reset others

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: list[Mapping[str, Any]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        text = body["messages"][-1]["content"]
        if text == "slow":
            time.sleep(8)
        message = {"content": "A box.", "reasoning": "Let me see."}
        if text == "cut":
            message = {"content": None, "reasoning": "Let me"}  # type: ignore[dict-item]
        if text == "unparsed":
            message = {"content": "Let me see.</think>A box."}
        reply = {
            "choices": [{"index": 0, "message": message,
                         "finish_reason": "length" if text == "cut" else "stop"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 4},
        }  # fmt: skip
        data = json.dumps(reply).encode()
        self.send_response(500 if text == "FAIL" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def client(server: Server, **more: Any) -> Engine:
    url = f"http://127.0.0.1:{server.server_port}/v1/chat/completions"
    return open_engine("lm_eval:local-chat-completions", "m", base_url=url, max_retries="1", **more)


def test_every_sample_is_sent_another_seed_also_after_a_resume(server: Server) -> None:
    """lm-eval's own is 1234 with every repeat."""
    sampling = replace(WARM, k=64)
    for seed in (1, 2):
        texts(client(server, seed=seed), ask(sampling, 2))
    seeds = [body["seed"] for body in server.bodies]
    assert len(set(seeds)) == len(seeds) == 256
    assert server.bodies[0]["temperature"] == 0.6
    assert server.bodies[0]["top_p"] == 0.95
    assert server.bodies[0]["max_tokens"] == 128


def test_a_seeded_run_sends_the_seeds_of_its_samples(server: Server) -> None:
    requests = [replace(one, seed=100 + n) for n, one in enumerate(ask(replace(WARM, k=4), 1))]
    texts(client(server, seeded=True), requests)
    assert sorted(body["seed"] for body in server.bodies) == [100, 101, 102, 103]


def test_what_a_server_says_beside_the_text_is_kept(server: Server) -> None:
    whole, cut = draw(client(server), [request("x"), request("cut")])
    assert isinstance(whole, Completion)
    assert isinstance(cut, Completion)
    assert (whole.reasoning, whole.text, whole.finish_reason) == ("Let me see.", "A box.", "stop")
    assert (whole.n_prompt_tokens, whole.n_tokens) == (9, 4)
    assert (cut.reasoning, cut.text, cut.finish_reason) == ("Let me", "", "length")


def test_a_server_that_shows_no_prompt_is_known_by_its_texts(server: Server) -> None:
    def known(*asked: str) -> bool | None:
        engine = client(server)
        assert engine.opens_reasoning is engine.fingerprint()["opens_reasoning"] is None
        draw(engine, [request(text) for text in asked])
        return engine.opens_reasoning

    assert known("unparsed") is True
    assert known("x") is None  # a text that is cut may still be reasoning
    assert known("x", "cut") is False


def test_a_request_that_fails_for_good_loses_nothing_else(server: Server) -> None:
    found = draw(client(server), [*ask(WARM, 2), request("FAIL"), *ask(WARM, 2)])
    failed = [item for item in found if isinstance(item, EngineError)]
    assert len(failed) == 1
    assert "500" in str(failed[0])
    assert sum(isinstance(item, Completion) for item in found) == 32


def test_no_exit_waits_for_a_slow_server(server: Server) -> None:
    before = threading.enumerate()
    engine = client(server)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(engine.generate(request("slow")), 1)
        await engine.close()

    asyncio.run(give_up())
    waiting = [thread for thread in threading.enumerate() if thread not in before]
    assert waiting
    assert all(thread.daemon for thread in waiting)


# What cannot be honoured


@pytest.mark.parametrize(
    ("engine", "options", "words"),
    [
        ("lm_eval:vlm", {}, r"lm-eval has no model 'vlm'; did you mean vllm"),
        ("lm_eval", {}, "no model without a name; there are .*hf"),
        ("lm_eval:hf", {"seed": "3"}, "--engine-arg seed: --seed is the run's"),
        ("lm_eval:hf", {"think_end_token": "</think>"}, "the harness splits them"),
        ("lm_eval:hf", {"batch_size": "0"}, "batch_size=0: a number from 1 on"),
        ("lm_eval:local-chat-completions", {}, "needs a server: --engine-arg base_url="),
    ],
)
def test_what_cannot_be_honoured_is_named(
    engine: str, options: dict[str, str], words: str, late: str
) -> None:
    with pytest.raises(UsageError, match=words):
        make_engine(EngineSettings(engine=engine, model=late, options=options))


def test_hf_takes_no_seed_with_a_request(late: str) -> None:
    with pytest.raises(UsageError, match="--seeded: lm-eval's hf model takes no seed"):
        open_engine("lm_eval:hf", late, seeded=True)


def test_a_model_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match=r"lm-eval's hf model cannot be loaded: .*no-such"):
        open_engine("lm_eval:hf", "./no-such-model")
