"""Effort and reasoning budget of the openai engine: the request, the probe, and what a server keeps to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.openai.options import parse_options
from harness.engines.openai.reasoning import serve_reasoning
from harness.engines.settings import EngineSettings, check_fields
from harness.errors import EngineDown, UsageError
from tests.support.endpoint import WARM, ask, draw, one, settings
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")

BOUNDED = replace(WARM, reasoning_budget=20)


def gpt_oss(variables: Mapping[str, Any]) -> str:
    return f"Reasoning: {variables.get('reasoning_effort', 'medium')}<user>x<assistant>"


def qwen(variables: Mapping[str, Any]) -> str:
    return "x<assistant>" + ("" if variables.get("enable_thinking", True) else "<think></think>")


# Effort


@pytest.mark.parametrize("effort", ["low", "high", "as much as it takes"])
def test_effort_is_a_field_of_every_request_and_said_in_the_fingerprint(effort: str) -> None:
    with Running(Script()) as server:
        given = settings(server.url, effort=effort)
        engine = make_engine(given)
        assert engine.fingerprint()["effort"] == "field reasoning_effort of the request"
        draw(given, ask(3, replace(WARM, effort=effort)))
        assert {body.get("reasoning_effort") for body in server.mock.bodies} == {effort}
        server.mock.reset()
        assert "effort" not in make_engine(settings(server.url)).fingerprint()
        one(settings(server.url))
        assert not any("reasoning_effort" in body for body in server.mock.bodies)


def test_a_server_that_refuses_the_effort_is_refused_before_the_first_sample() -> None:
    with Running(Script(efforts=("low", "high"))) as server:
        make_engine(settings(server.url, effort="low"))
        with pytest.raises(
            UsageError, match=rf"--effort turbo: {server.url} refuses the field rea"
        ):
            make_engine(settings(server.url, effort="turbo"))
    assert not server.mock.answered.get("What is 2+2?")


def test_a_server_that_refuses_the_field_without_naming_it_is_refused_too() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return (422, {"detail": "extra fields"}) if "reasoning_effort" in body else "4"

    with Running(Script(reply=reply)) as server, pytest.raises(UsageError, match="extra fields"):
        make_engine(settings(server.url, effort="low"))


def test_a_refusal_of_something_else_is_left_to_the_first_sample() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        if "max_tokens" in body:
            return 400, {"error": {"message": "use max_completion_tokens instead of max_tokens"}}
        return "4"

    with Running(Script(reply=reply)) as server:
        found = one(settings(server.url, effort="low"), ask(1, replace(WARM, effort="low"))[0])
        assert found.text == "4"
        assert server.mock.bodies[-1]["reasoning_effort"] == "low"


@pytest.mark.parametrize(("rendered", "effort", "refused"), [
    (gpt_oss, "high", None),
    (gpt_oss, "turbo", None),
    (qwen, "none", None),
    (qwen, "high", "does not use reasoning_effort"),
    (lambda variables: f"x{variables.get('enable_thinking')}", "low", "as it does any text"),
    (lambda variables: "x", "high", "does not use reasoning_effort"),
    (None, "high", None),  # the server does not say
])  # fmt: skip
def test_a_template_that_ignores_the_effort_is_refused(
    rendered: Any, effort: str, refused: str | None
) -> None:
    with Running(Script(vllm=True, rendered=rendered)) as server:
        given = settings(server.url, effort=effort)
        if refused is None:
            make_engine(given)
            return
        with pytest.raises(UsageError, match=f"--effort {effort}: .* serves mock, and .*{refused}"):
            make_engine(given)


# The budget


def opens(variables: Mapping[str, Any]) -> str:
    return "x<assistant><think>\n"


def test_the_budget_is_vllms_field_with_what_the_prompt_holds_of_the_reasoning() -> None:
    with Running(Script(vllm=True, budgets=True, rendered=opens)) as server:
        given = settings(server.url, reasoning_budget=20)
        assert make_engine(given).fingerprint()["reasoning_budget"] == (
            "field thinking_token_budget of the request, 1 more for the prompt's own"
        )
        draw(given, ask(2, BOUNDED))
        assert [b.get("thinking_token_budget") for b in server.mock.bodies][-2:] == [21, 21]
    with Running(Script(budgets=True)) as server:
        given = settings(server.url, reasoning_budget=20)
        one(given, ask(1, BOUNDED)[0])
        assert server.mock.bodies[-1]["thinking_token_budget"] == 20


@pytest.mark.parametrize(("budgets", "does"), [
    (False, "ignores thinking_token_budget"),
    (None, "refuses thinking_token_budget .*reasoning_config is not configured"),
])  # fmt: skip
def test_a_server_without_budgets_is_refused(budgets: bool | None, does: str) -> None:
    with Running(Script(vllm=True, budgets=True)) as able, Running(Script(budgets=budgets)) as not_:
        given = settings(able.url, not_.url, reasoning_budget=20)
        fix = r"--reasoning-config '\{\"reasoning_start_str\":\"<think>\""
        with pytest.raises(UsageError, match=rf"--reasoning-budget: {not_.url} {does}.*{fix}"):
            make_engine(given)
        not_.down()
        with pytest.raises(EngineDown, match=r"with --reasoning-budget every server is asked"):
            make_engine(given)


def reasoned(n: int) -> dict[str, Any]:
    """A reply whose server counts its own reasoning."""
    details = {"completion_tokens_details": {"reasoning_tokens": n}, "completion_tokens": n + 5}
    return {"message": {"content": "4", "reasoning": "hm " * n}, "usage": details}


@pytest.mark.parametrize(("n", "counted"), [(3, 3), (20, 20), (22, 20)])
def test_a_sample_has_at_most_the_budget(n: int, counted: int) -> None:
    """A text may have a token or two more than it was drawn in."""
    with Running(Script(budgets=True, reply=lambda body, number: reasoned(n))) as server:
        found = one(settings(server.url, reasoning_budget=20), ask(1, BOUNDED)[0])
    assert found.n_reasoning_tokens == counted


def test_a_server_that_ignores_the_budget_stops_the_run() -> None:
    with Running(Script(budgets=True, reply=lambda body, number: reasoned(60))) as server:
        given = settings(server.url, reasoning_budget=20)
        why = f"{server.url} does not keep to the reasoning budget: a sample has 60 .*is 20; serve"
        with pytest.raises(EngineDown, match=why):
            one(given, ask(1, BOUNDED)[0])


@pytest.mark.parametrize(("text", "message", "stops"), [
    ("37 " * 60 + "</think>4", None, True),  # with a tokenizer, any text can be counted
    ("37 " * 4 + "</think>" + "37 " * 60, None, False),
    ("4", "37 " * 60, True),
])  # fmt: skip
def test_reasoning_is_counted_with_a_tokenizer(
    late: str, text: str, message: str | None, stops: bool
) -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return {"message": {"content": text, "reasoning": message}}

    with Running(Script(budgets=True, reply=reply)) as server:
        given = settings(server.url, reasoning_budget=20, options={"tokenizer": late})
        if stops:
            with pytest.raises(EngineDown, match="does not keep to the reasoning budget"):
                one(given, ask(1, BOUNDED)[0])
        else:
            assert (one(given, ask(1, BOUNDED)[0]).n_reasoning_tokens or 99) <= 20


def test_a_server_of_the_run_is_started_with_the_tags() -> None:
    def options(given: dict[str, str], budget: int | None) -> dict[str, str]:
        made = EngineSettings(
            engine="openai", model="m", serve=True, reasoning_budget=budget,
            options={f"serve.{name}": text for name, text in given.items()},
        )  # fmt: skip
        return serve_reasoning(made, parse_options(made).serve)

    tags = '{"reasoning_start_str":"<think>","reasoning_end_str":"</think>"}'
    assert options({}, 20) == {"reasoning_config": tags}
    assert options({}, None) == {}
    for own in ({"reasoning-parser": "qwen3"}, {"reasoning_config": "{}"}):
        assert "reasoning_start_str" not in str(options(own, 20))


@pytest.mark.parametrize(("name", "text", "use"), [
    ("body.reasoning_effort", '"high"', "--effort"),
    ("body.thinking_token_budget", "20", "--reasoning-budget"),
    ("body.chat_template_kwargs", '{"reasoning_effort": "high"}', "--effort"),
])  # fmt: skip
def test_parts_of_the_protocol_are_no_fields_beside_it(name: str, text: str, use: str) -> None:
    check_fields({"body.chat_template_kwargs": '{"enable_thinking": true}'})
    with pytest.raises(UsageError, match=f"is part of the protocol: use {use}"):
        check_fields({name: text})
