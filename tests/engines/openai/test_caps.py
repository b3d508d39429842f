"""What the endpoint engine asks of a server: caps that fit its context, and the repetition guard."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.settings import EngineSettings
from harness.errors import EngineDown, EngineError, UsageError
from harness.interfaces import Completion
from tests.support.endpoint import WARM, ask, draw, one, settings
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")


# The context


def test_the_cap_is_lowered_to_what_the_context_leaves_and_said_once() -> None:
    notices: list[str] = []
    with Running(Script(context=80, vllm=True)) as server:
        found = draw(settings(server.url, notices=notices), ask(5))
        assert all(isinstance(c, Completion) for c in found), found
        assert {body["max_tokens"] for body in server.mock.bodies} == {79, 77}
    assert notices == [
        "the server has a context of 80 tokens: completions are capped at what their prompts leave "
        "of it, below the 100 asked for"
    ]


def test_a_prompt_whose_tokens_are_counted_no_further_than_they_must_is_fitted_in_a_few_tries() -> (
    None
):
    """vLLM 0.15 to 0.20 count up to the first token too many, and say "at least"."""

    def reply(body: dict[str, Any], number: int) -> Any:
        context, prompt, cap = 1000, 300, body["max_tokens"]
        if prompt + cap <= context:
            return "4"
        text = (
            f"This model's maximum context length is {context} tokens. However, you requested {cap} "
            f"output tokens and your prompt contains at least {context - cap + 1} input tokens, for "
            f"a total of at least {context + 1} tokens."
        )
        return 400, {"error": {"message": text}}

    with Running(Script(reply=reply)) as server:
        found = draw(settings(server.url), ask(4, replace(WARM, max_tokens=1000)))
        assert all(isinstance(c, Completion) for c in found), found
        assert len(server.mock.bodies) < 60
        assert server.mock.bodies[-1]["max_tokens"] >= 1000 - 2 * 300


def test_a_cap_above_the_context_is_not_asked_for() -> None:
    """vLLM 0.32 refuses it without a word about the prompt, and lowers any other by itself."""

    def reply(body: dict[str, Any], number: int) -> Any:
        if body["max_tokens"] > 80:
            text = f"max_tokens={body['max_tokens']} cannot be greater than max_model_len=80."
            return 400, {"error": {"message": text}}
        return "4"

    notices: list[str] = []
    with Running(Script(reply=reply, vllm=True, context=80)) as server:
        assert one(settings(server.url, notices=notices)).text == "4"
    assert any("has a context of 80 tokens" in text for text in notices)


def test_a_cap_that_the_server_lowers_without_a_word_is_said_once() -> None:
    notices: list[str] = []
    cut = {
        "message": {"content": "4"},
        "finish_reason": "length",
        "usage": {"completion_tokens": 60},
    }
    with Running(Script(reply=lambda body, number: cut, vllm=True)) as server:
        draw(settings(server.url, notices=notices), ask(5))
        assert notices == [
            f"{server.url} cut a completion at 60 tokens, below the 100 asked for: it has a cap of "
            "its own"
        ]


def test_a_prompt_beyond_the_context_is_an_error() -> None:
    message = r"do not fit the context .* smaller --max-tokens"
    with Running(Script(context=80)) as server, pytest.raises(EngineError, match=message):
        one(settings(server.url), ask(text="x" * 400)[0])


def test_a_prompt_beyond_the_context_without_a_cap_is_an_error_that_names_none() -> None:
    said = "This model's maximum context length is 80 tokens and your request has 95 input tokens"
    refused = 400, {"error": {"message": said}}
    message = r"the prompt does not fit the context .*; serve the model with a longer context$"
    with (
        Running(Script(reply=lambda body, number: refused)) as server,
        pytest.raises(EngineError, match=message),
    ):
        one(settings(server.url), ask(1, replace(WARM, max_tokens=None))[0])


# The repetition guard


def test_a_server_that_is_busy_at_the_start_is_asked_again_for_the_guard() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return "4" if number else (429, {"error": {"message": "slow down"}})

    with Running(Script(reply=reply, guards=True)) as server:
        assert one(settings(server.url, repetition_guard=8)).text == "4"


def test_a_guard_is_sent_and_a_sample_that_it_cut_is_a_looped_one_at_the_cap() -> None:
    notices: list[str] = []
    looped = {
        "message": {"content": None, "reasoning": "wait " * 40},
        "finish_reason": "repetition",
    }
    guarded = replace(WARM, repetition_guard=8)
    with Running(Script(reply=lambda body, number: looped, guards=True, vllm=True)) as server:
        found = one(settings(server.url, repetition_guard=8, notices=notices), ask(1, guarded)[0])
        assert (found.finish_reason, found.looped) == ("length", True)
        assert server.mock.bodies[-1]["repetition_detection"] == {
            "max_pattern_size": 64, "min_pattern_size": 8, "min_count": 8,
        }  # fmt: skip
        assert "repetition_detection" not in body_of(server, settings(server.url))
    assert notices == []  # it is no cap of the server's own


def body_of(server: Running, given: EngineSettings) -> dict[str, Any]:
    one(given)
    return server.mock.bodies[-1]


@pytest.mark.parametrize("guards", [False, None], ids=["it ignores it", "it refuses any field"])
def test_a_server_that_cannot_keep_the_guard_is_refused(guards: bool | None) -> None:
    with Running(Script(vllm=True, guards=True)) as able, Running(Script(guards=guards)) as server:
        make_engine(settings(able.url, repetition_guard=8))
        with pytest.raises(UsageError, match=rf"--repetition-guard: {server.url} does not have"):
            make_engine(settings(able.url, server.url, repetition_guard=8))
        server.down()
        with pytest.raises(EngineDown, match=r"with --repetition-guard every server is asked"):
            make_engine(settings(able.url, server.url, repetition_guard=8))
