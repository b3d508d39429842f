"""Null content: a fault to be drawn again where tokens were spent, the model's own where it is stated."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.openai.completions import BadReply, read_completion
from harness.errors import EngineError
from tests.support.endpoint import one, settings
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")

ABSENT = object()


def reply(
    content: Any = None, *, tokens: Any = 40, reason: str | None = "stop", **message: Any
) -> dict[str, Any]:
    body = {**message} if content is ABSENT else {"content": content, **message}
    usage = {} if tokens is None else {"prompt_tokens": 9, "completion_tokens": tokens}
    return {"choices": [{"message": body, "finish_reason": reason}], "usage": usage}


@pytest.mark.parametrize(
    "answer",
    [
        reply(),
        reply(ABSENT),
        reply(tokens=2),
        reply(tokens=None),
        reply(reason=None),
        reply(reason="eos_token"),
        reply(reasoning="", reasoning_content=None),
    ],
)
def test_null_content_after_tokens_is_a_fault(answer: dict[str, Any]) -> None:
    with pytest.raises(BadReply, match="content is null after"):
        read_completion(answer, 1.0)


@pytest.mark.parametrize(
    "answer",
    [
        reply(""),  # special tokens alone
        reply(tokens=1),  # the end at once, behind a reasoning parser
        reply(tokens=0),
        reply(reasoning="so far"),
        reply(reasoning_content="so far"),
        reply(tool_calls=[{"id": "1"}], reason="tool_calls"),
        reply(tool_calls=[{"id": "1"}]),
        reply(reason="length"),
    ],
)
def test_what_is_the_models_own_is_kept(answer: dict[str, Any]) -> None:
    assert read_completion(answer, 1.0).text == ""


def test_a_refusal_is_the_text() -> None:
    assert read_completion(reply(refusal="I can't."), 1.0).text == "I can't."


def test_null_content_is_drawn_again() -> None:
    with Running(
        Script(reply=lambda body, number: (200, reply()) if number < 2 else "4")
    ) as server:
        assert one(settings(server.url)).text == "4"
        assert len(server.mock.arrivals) == 3


def test_null_content_that_comes_again_and_again_is_an_error() -> None:
    with (
        Running(Script(reply=lambda body, number: (200, reply()))) as server,
        pytest.raises(EngineError, match="failed 3 times, at last: content is null after 40"),
    ):
        one(settings(server.url, options={"tries": "3"}))
