"""The endpoint engine against a server of ours: what is sent, read, refused and written down."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.openai.engine import OpenAIEngine
from harness.errors import EngineDown, EngineError, UsageError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt
from tests.support.endpoint import WARM, ask, draw, one, settings
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")


# What is sent


def test_a_request_holds_what_the_sampling_states_and_no_more(server: Running) -> None:
    one(settings(server.url))
    assert server.mock.bodies[-1] == {
        "model": "mock",
        "messages": [{"role": "user", "content": "What is 2+2?"}],
        "temperature": 0.6,
        "top_p": 0.95,
        "max_tokens": 100,
    }
    bare = Request("p", 0, Prompt("x", system="Be brief."), Sampling(stop=("END",)), seed=7)
    one(settings(server.url), bare)
    assert server.mock.bodies[-1] == {
        "model": "mock",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "x"},
        ],
        "stop": ["END"],
        "seed": 7,
    }


def test_a_vllm_server_is_kept_from_the_checkpoints_own_defaults() -> None:
    bare = Request("p", 0, Prompt("x"), Sampling(temperature=0.6))
    with Running(Script(vllm=True)) as server:
        one(settings(server.url, options={"body.top_k": "20"}), bare)
        assert server.mock.bodies[-1] == {
            "model": "mock",
            "messages": [{"role": "user", "content": "x"}],
            "temperature": 0.6,
            "top_p": 1.0,
            "top_k": 20,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
        }


@pytest.mark.parametrize("first", ["vllm", "other"])
def test_of_several_servers_each_is_sent_what_it_takes(first: str) -> None:
    with Running(Script(vllm=True)) as vllm, Running() as other:
        urls = [vllm.url, other.url] if first == "vllm" else [other.url, vllm.url]
        draw(settings(*urls), ask(8))
        assert {body.get("top_k") for body in vllm.mock.bodies} == {-1}
        assert {body.get("top_k") for body in other.mock.bodies} == {None}


def test_no_seed_is_sent_unless_each_sample_has_its_own(server: Running) -> None:
    draw(settings(server.url), ask(8))
    assert not any("seed" in body for body in server.mock.bodies)
    server.mock.reset()
    draw(settings(server.url), [replace(r, seed=100 + r.index) for r in ask(8)])
    assert sorted(body["seed"] for body in server.mock.bodies) == list(range(100, 108))


def test_fields_and_headers_of_the_users_own_are_sent(server: Running) -> None:
    options = {
        "body.top_k": "20",
        "body.chat_template_kwargs": '{"enable_thinking": true}',
        "header.X-Team": "evals",
        "cap_field": "max_completion_tokens",
    }
    one(settings(server.url, options=options))
    body = server.mock.bodies[-1]
    assert (body["top_k"], body["chat_template_kwargs"]) == (20, {"enable_thinking": True})
    assert body["max_completion_tokens"] == 100 and "max_tokens" not in body
    assert server.mock.headers[-1]["X-Team"] == "evals"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"speed": "1"}, "openai engine knows timeout, patience"),
        ({"body.top_k": "twenty"}, "not JSON"),
        ({"body.temperature": "1"}, "a run's own option"),
        ({"body.repetition_detection": "{}"}, "a run's own option"),
        ({"body.seed": "1"}, "set by the harness"),
        ({"body.n": "4"}, "set by the harness"),
        ({"timeout": "-1"}, "seconds above 0"),
        ({"tries": "0"}, "a number from 1 on"),
        ({"cap_field": "tokens"}, "max_tokens or max_completion_tokens"),
        ({"serve.dtype": "float32"}, "it is for --serve"),
    ],
)
def test_an_option_that_cannot_be_honoured_is_an_error(
    option: dict[str, str], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        make_engine(settings("http://127.0.0.1:9/v1", options=option))


def test_a_server_is_needed_and_the_environment_may_name_it(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    nameless = settings(base_url=None)
    with pytest.raises(UsageError, match="needs --base-url"):
        make_engine(nameless)
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    assert one(nameless).finish_reason == "stop"
    with pytest.raises(UsageError, match="a URL is needed"):
        make_engine(settings("localhost:8000/v1"))
    with pytest.raises(UsageError, match="has its own; it is for --serve"):
        make_engine(settings(server.url, revision="main"))


# What is read


def reading(choice: dict[str, Any]) -> Completion:
    with Running(Script(reply=lambda body, number: choice)) as server:
        return one(settings(server.url))


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
def test_a_reasoning_in_a_field_of_its_own_is_read(name: str) -> None:
    found = reading({"message": {"content": "\\boxed{4}", name: "two and two"}})
    assert (found.reasoning, found.text, found.finish_reason) == (
        "two and two",
        "\\boxed{4}",
        "stop",
    )


def test_a_completion_cut_inside_its_reasoning_has_no_text() -> None:
    found = reading({"message": {"content": None, "reasoning": "two a"}, "finish_reason": "length"})
    assert (found.reasoning, found.text, found.finish_reason) == ("two a", "", "length")


def test_inline_reasoning_is_left_for_the_runner_to_split() -> None:
    found = reading({"message": {"content": "<think>hm</think>4", "reasoning": None}})
    assert (found.reasoning, found.text) == (None, "<think>hm</think>4")


@pytest.mark.parametrize(
    ("said", "read"),
    [("stop", "stop"), ("length", "length"), (None, "unknown"), ("tool_calls", "unknown")],
)
def test_finish_reasons(said: str | None, read: str) -> None:
    assert reading({"message": {"content": "4"}, "finish_reason": said}).finish_reason == read


def test_what_a_content_filter_cut_is_no_answer_of_the_models() -> None:
    with pytest.raises(EngineError, match="content filter"):
        reading({"message": {"content": "4"}, "finish_reason": "content_filter"})


@pytest.mark.parametrize(("said", "read"), [(0, None), (12, 12), (None, None)])
def test_reasoning_tokens_count_unless_they_are_zero(said: int | None, read: int | None) -> None:
    usage = {
        "prompt_tokens": 9,
        "completion_tokens": 30,
        "completion_tokens_details": {"reasoning_tokens": said},
    }
    found = reading({"message": {"content": "4", "reasoning": "hm"}, "usage": usage})
    with_usage = (found.n_prompt_tokens, found.n_tokens, found.n_reasoning_tokens)
    assert with_usage[2] == read
    assert found.seconds is not None and found.seconds >= 0


def test_parts_are_joined_and_a_refusal_is_a_text() -> None:
    parts = [{"type": "text", "text": "\\boxed"}, {"type": "text", "text": "{4}"}]
    assert reading({"message": {"content": parts}}).text == "\\boxed{4}"
    assert reading({"message": {"content": None, "refusal": "I cannot."}}).text == "I cannot."


# What no other try makes better


def test_a_server_that_is_not_there_is_an_error_within_seconds() -> None:
    began = time.monotonic()
    with pytest.raises(EngineDown, match=r"127.0.0.1:9/v1 does not answer \(Connection refused\)"):
        make_engine(settings("http://127.0.0.1:9/v1"))
    assert time.monotonic() - began < 5


def test_an_unknown_model_names_those_that_are_served() -> None:
    models = ("deepseek-r1", "qwen3-8b", "qwen3-32b")
    with Running(Script(models=models)) as server:
        with pytest.raises(EngineDown, match="does not serve qwen3_8b: --model is one of qwen3-8b"):
            make_engine(settings(server.url, model="qwen3_8b"))
        with pytest.raises(EngineDown, match="--model is one of deepseek-r1, qwen3-8b, qwen3-32b"):
            make_engine(settings(server.url, model="x"))


def test_a_model_that_is_listed_and_refused_is_not_called_unknown() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return 404, {"error": {"message": "no chat completions here"}}

    with Running(Script(reply=reply)) as server:
        (found,) = draw(settings(server.url), ask())
        assert "--model is one of" not in str(found) and "no chat completions here" in str(found)


def test_an_account_without_a_balance_ends_the_run() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return (402, {"error": {"message": "Insufficient Balance"}}) if number else "4"

    with Running(Script(reply=reply)) as server:
        found = draw(settings(server.url), ask(3))
        assert [type(c) for c in found].count(EngineDown) == 2
        assert len(server.mock.bodies) == 3


def test_a_server_that_is_busy_at_the_start_is_there() -> None:
    """It has no list of models, and the probe of the model is refused by its rate limit."""

    def reply(body: dict[str, Any], number: int) -> Any:
        return "4" if number else (429, {"error": {"message": "slow down"}})

    with Running(Script(reply=reply, listed=False)) as server:
        assert one(settings(server.url)).text == "4"


def test_a_base_url_without_v1_is_an_error_that_names_v1(server: Running) -> None:
    root = server.url.removesuffix("/v1")
    with pytest.raises(EngineDown, match=r"has no /models, .*/v1 has: use that as --base-url"):
        make_engine(settings(root))


def test_a_key_that_is_refused_is_named_but_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with Running(Script(key="right")) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-1234")
        with pytest.raises(EngineDown, match="set OPENAI_API_KEY") as caught:
            make_engine(settings(server.url))
        assert "sk-wrong" not in str(caught.value) and "***" in str(caught.value)
        monkeypatch.setenv("OPENAI_API_KEY", "right")
        assert isinstance(one(settings(server.url)), Completion)


def test_a_key_from_a_file_may_end_in_a_newline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "right\n")
    with Running(Script(key="right")) as server:
        assert isinstance(one(settings(server.url)), Completion)


def test_a_key_that_is_withdrawn_in_the_middle_ends_the_run(server: Running) -> None:
    engine = make_engine(settings(server.url))
    server.mock.script.key = "another"

    async def work() -> None:
        try:
            await engine.generate(ask()[0])
        finally:
            await engine.close()

    with pytest.raises(EngineDown, match="refuses the key"):
        asyncio.run(work())


def test_a_refused_prompt_is_one_error_and_a_refused_setting_ends_the_run() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        refused = "bomb" in body["messages"][-1]["content"] or body["temperature"] > 1
        return (400, {"error": {"message": "no such thing"}}) if refused else "4"

    with Running(Script(reply=reply)) as server:
        found = draw(settings(server.url), [*ask(2), *ask(2, text="a bomb")])
        assert [type(c) for c in found] == [Completion, Completion, EngineError, EngineError]
        assert "refuses this prompt: status 400: no such thing" in str(found[2])
        found = draw(settings(server.url), ask(3, replace(WARM, temperature=2.0)))
        assert [type(c) for c in found] == [EngineDown] * 3
        assert "refuses every request of this run" in str(found[0])


@pytest.mark.parametrize(
    "said",
    [
        "Unknown parameter: 'top_k' is not supported with this model.",
        "1 validation error: {'type': 'value_error', 'loc': ('body',), 'msg': 'no top_k here', "
        "'input': {'model': 'mock', 'messages': [{'content': 'The model is unknown. In the context "
        "of 2000 tokens, what is 2+2?'}]}}",
    ],
    ids=["a parameter", "the request is quoted"],
)
def test_a_field_that_is_refused_is_taken_for_no_missing_model_and_no_long_prompt(
    said: str,
) -> None:
    with Running(Script(reply=lambda body, number: (400, {"error": {"message": said}}))) as server:
        (found,) = draw(settings(server.url, options={"body.top_k": "20"}), ask())
        assert isinstance(found, EngineDown) and "refuses every request" in str(found), found
        assert "top_k" in str(found) and "2+2" not in str(found)


def test_the_other_name_of_the_cap_is_used_after_a_refusal() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        if "max_tokens" in body:
            text = "'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
            return 400, {"error": {"message": text}}
        return "4"

    with Running(Script(reply=reply)) as server:
        found = draw(settings(server.url), ask(6))
        assert all(isinstance(c, Completion) for c in found)
        assert {b.get("max_completion_tokens") for b in server.mock.bodies[6:]} == {100}


# What is written down


def test_the_fingerprint_says_what_the_server_says_and_nothing_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with Running(Script(vllm=True, context=4096)) as server:
        url = server.url.replace("http://", "http://user:hidden@") + "?token=hidden"
        options = {"header.X-Key": "hidden", "body.top_k": "5"}
        engine = make_engine(settings(url, options=options))
        assert engine.fingerprint() == {
            "engine": "openai",
            "revision": None,
            "servers": [server.url],
            "opens_reasoning": None,
            "max_model_len": 4096,
            "owned_by": "vllm",
            "server_kind": "vllm",
            "versions": {"vllm": "0.0.mock"},
            "body": {"top_k": 5},
            "headers": ["X-Key"],
        }
        assert isinstance(engine, OpenAIEngine)
        assert engine.concurrency == 256


def test_a_given_tokenizer_counts_the_tokens_of_reasoning(
    server: Running, practice_model: Path
) -> None:
    pytest.importorskip("transformers")
    assert make_engine(settings(server.url)).count_tokens("1+1") is None
    options = {"tokenizer": str(practice_model / "late")}
    engine = make_engine(settings(server.url, options=options))
    assert engine.count_tokens("1+1") == 3
    assert engine.opens_reasoning  # its chat template opens reasoning
