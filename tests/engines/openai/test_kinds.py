"""Kinds of servers: how each is recognised, what it is sent, and what is refused or said."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.openai.address import Address
from harness.engines.openai.identify import Shown, _further, check_name, other_model
from harness.engines.openai.kinds import (
    KINDS,
    LLAMA_CPP_PYTHON,
    LLAMACPP,
    NOT_NEUTRAL,
    OPENAI,
    TOP_P_FIRST,
    TRANSFORMERS,
    UNKNOWN,
    listed_kind,
)
from harness.engines.openai.stops import cut_at_stop
from harness.errors import EngineDown, EngineError, UsageError
from harness.interfaces import Completion
from harness.sampling import Sampling
from harness.types import Prompt
from tests.support.endpoint import WARM, ask, draw, one, settings
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")

LATE = Path(__file__).parents[3] / "examples" / "practice-model" / "late"
NEUTRAL = {name: kind.neutral for name, kind in KINDS.items() if kind.neutral is not None}


def sent(script: Script, **options: str) -> tuple[dict[str, Any], Mapping[str, Any], list[str]]:
    """The body of a sample, the fingerprint, and what was said."""
    notices: list[str] = []
    with Running(script) as server:
        given = settings(server.url, notices=notices, samplings=(WARM,), options=options)
        engine = make_engine(given)
        one(given)
        return server.mock.bodies[-1], engine.fingerprint(), notices


# Recognition and neutral fields


@pytest.mark.parametrize(
    "kind", ["vllm", "sglang", "llamacpp", "llama-cpp-python", "transformers", "ray"]
)
def test_a_kind_is_recognised_and_its_own_sampling_switched_off(kind: str) -> None:
    body, fingerprint, _ = sent(Script(kind=kind, context=4096))
    assert fingerprint["server_kind"] == kind
    assert body == {
        **NEUTRAL[kind],
        "model": "mock",
        "messages": [{"role": "user", "content": "What is 2+2?"}],
        "temperature": 0.6,
        "top_p": 0.95,
        "max_tokens": 100,
    }


def test_every_kind_with_fields_of_its_own_is_tested_above() -> None:
    assert set(NEUTRAL) == {
        "vllm", "sglang", "llamacpp", "llama-cpp-python", "transformers", "ray", "openai",
    }  # fmt: skip
    assert NEUTRAL["openai"] == {}


def test_what_the_user_states_overrides_what_is_neutral() -> None:
    body, _, _ = sent(Script(kind="llamacpp"), **{"body.top_k": "20", "body.min_p": "0.1"})
    assert (body["top_k"], body["min_p"], body["repeat_penalty"]) == (20, 0.1, 1.0)


def test_llamacpp_applies_the_temperature_before_it_chooses() -> None:
    """Its own order has it last, so that top_p would choose from the distribution at 1."""
    order = NEUTRAL["llamacpp"]["samplers"]
    assert order.index("temperature") < min(
        order.index(name) for name in ("top_k", "typ_p", "top_p", "min_p", "xtc")
    )


def test_transformers_serve_samples_by_a_generation_config_with_the_models_end_tokens() -> None:
    body, fingerprint, _ = sent(Script(kind="transformers"), tokenizer=str(LATE))
    config = json.loads(body["generation_config"])
    assert (config["do_sample"], config["top_k"], config["min_p"]) == (True, 0, 0.0)
    assert config["repetition_penalty"] == config["typical_p"] == config["top_p"] == 1.0
    assert config["eos_token_id"] == [1]
    assert "server_sampling" not in fingerprint


def test_openais_own_api_is_known_by_its_host_and_sent_nothing_further() -> None:
    for host in ("api.openai.com", "eu.api.openai.com"):
        address = Address.parse(f"https://{host}/v1", None, {})
        assert asyncio.run(_further(None, address)) is OPENAI  # type: ignore[arg-type]
    assert OPENAI.sampling_of_its_own([WARM]) is None


def test_an_owner_that_is_no_server_shows_nothing() -> None:
    assert listed_kind({"id": "m", "owned_by": "organization-owner"}) is UNKNOWN
    assert listed_kind({}) is UNKNOWN


@pytest.mark.parametrize(
    ("script", "requests"),
    [
        (Script(kind="vllm"), 256),
        (Script(kind="llamacpp"), 6),
        (Script(kind="transformers"), 2),
        (Script(kind="transformers", batching=True), 64),
        (Script(kind="litellm"), 64),
    ],
)
def test_a_server_that_draws_few_at_once_gets_few(script: Script, requests: int) -> None:
    """More would wait in its queue until their time limit."""
    with Running(script) as server:
        given = settings(server.url, samplings=(WARM,), options={"tokenizer": str(LATE)})
        assert make_engine(given).concurrency == requests


# What is not neutral


def test_an_unknown_server_is_named_as_not_neutral() -> None:
    body, fingerprint, notices = sent(Script())
    assert "top_k" not in body and "generation_config" not in body
    assert fingerprint["server_kind"] == "unknown"
    assert fingerprint["server_sampling"] == NOT_NEUTRAL
    (line,) = set(notices)
    assert "the run is not neutral" in line and "--engine-arg server=vllm|sglang|llamacpp|" in line


def test_a_proxy_does_not_show_what_stands_behind_it() -> None:
    _, fingerprint, notices = sent(Script(kind="litellm"))
    assert (fingerprint["server_kind"], fingerprint["server_sampling"]) == ("litellm", NOT_NEUTRAL)
    assert "is litellm, which does not show what stands behind it" in notices[0]


def test_what_stands_behind_a_proxy_can_be_told() -> None:
    body, fingerprint, notices = sent(Script(kind="litellm", behind="vllm"), server="vllm")
    assert body["top_k"] == -1 and body["repetition_penalty"] == 1.0
    assert (fingerprint["server_kind"], fingerprint["proxy"]) == ("vllm", "litellm")
    assert fingerprint["served"] == {"behind": "hosted_vllm/mock"}
    assert "server_sampling" not in fingerprint and notices == []


def test_a_proxy_passes_on_what_a_llamacpp_behind_it_writes_beside_a_completion() -> None:
    body, fingerprint, _ = sent(Script(kind="litellm", behind="llamacpp"))
    assert body["samplers"] and body["min_p"] == 0.0
    assert (fingerprint["server_kind"], fingerprint["proxy"]) == ("llamacpp", "litellm")


@pytest.mark.parametrize(
    ("script", "named", "message"),
    [
        (Script(kind="vllm"), "llamacpp", "server=llamacpp: .* shows that it is vllm; leave"),
        (Script(kind="llamacpp"), "vllm", "server=vllm: .* shows that it is llamacpp"),
        (Script(kind="litellm", behind="llamacpp"), "vllm", "shows that it is llamacpp"),
        (Script(), "llama.cpp", "server=llama.cpp: one of vllm, sglang, llamacpp"),
        # Fields that never arrive.
        (
            Script(drops=("min_p",)),
            "vllm",
            "server=vllm: .* ignores the field min_p, or a proxy there drops it",
        ),
        (
            Script(kind="litellm", behind="vllm", drops=("min_p",)),
            "vllm",
            "ignores the field min_p",
        ),
    ],
)
def test_a_name_that_is_not_true_is_refused(script: Script, named: str, message: str) -> None:
    script = replace(script, context=4096)
    with Running(script) as server, pytest.raises(UsageError, match=message):
        make_engine(settings(server.url, options={"server": named}))


def test_vllm_under_another_owner_may_be_called_by_either_name() -> None:
    _, fingerprint, _ = sent(Script(kind="ray", context=4096), server="vllm")
    assert fingerprint["server_kind"] == "vllm"


def test_top_p_before_the_temperature_is_part_of_the_protocol_where_it_matters() -> None:
    _, fingerprint, notices = sent(Script(kind="llama-cpp-python"))
    assert fingerprint["server_sampling"] == TOP_P_FIRST
    assert "applies top_p before the temperature" in notices[0]
    plain = [replace(WARM, top_p=1.0), replace(WARM, temperature=1.0), Sampling(top_p=0.9)]
    assert LLAMA_CPP_PYTHON.sampling_of_its_own(plain) is None


# transformers serve


def test_the_first_request_is_sampled_as_the_run_is() -> None:
    with Running(Script(kind="transformers", batching=True)) as server:
        notices: list[str] = []
        given = settings(
            server.url, samplings=(WARM,), notices=notices, options={"tokenizer": str(LATE)}
        )
        make_engine(given)
        first = server.mock.bodies[0]
        assert (first["temperature"], first["top_p"], first["max_tokens"]) == (0.6, 0.95, 1)
        assert json.loads(first["generation_config"])["eos_token_id"] == [1]
    assert "draws as the first request since its start said" in notices[0]


@pytest.mark.parametrize(
    ("samplings", "tokenizer", "message"),
    [
        (
            (WARM, replace(WARM, temperature=1.0)),
            LATE,
            "first request says, and this run has temperature 0.6, top_p 0.95 and temperature 1.0",
        ),
        ((WARM,), None, "tokens that end a completion .* --engine-arg tokenizer=PATH"),
        ((replace(WARM, max_tokens=None),), LATE, "use --max-tokens"),
    ],
)
def test_continuous_batching_draws_one_sampling_with_known_end_tokens(
    samplings: tuple[Sampling, ...], tokenizer: Path | None, message: str
) -> None:
    options = {"tokenizer": str(tokenizer)} if tokenizer else {}
    script = Script(kind="transformers", batching=True)
    with Running(script) as server, pytest.raises(UsageError, match=message):
        make_engine(settings(server.url, samplings=samplings, options=options))


def test_without_continuous_batching_each_request_has_its_own_sampling() -> None:
    with Running(Script(kind="transformers")) as server:
        make_engine(settings(server.url, samplings=(WARM, replace(WARM, temperature=1.0))))


def test_a_generation_config_without_sampling_is_not_taken_for_continuous_batching() -> None:
    """A greedy request has no temperature, so that none is too low."""
    greedy, warmer = {"body.generation_config": '"{}"'}, replace(WARM, temperature=1.0)
    with Running(Script(kind="transformers")) as server:
        make_engine(settings(server.url, samplings=(WARM, warmer), options=greedy))


@pytest.mark.parametrize(
    ("kind", "named"), [("transformers", {}), ("litellm", {"server": "transformers"})]
)
def test_what_refuses_every_request_ends_the_run_in_one_line(
    kind: str, named: dict[str, str]
) -> None:
    refuses = Script(kind=kind, reply=lambda body, number: (422, {"detail": "Unexpected fields"}))
    message = r"refuses a request for one token.*status 422: Unexpected fields.*check --base-url"
    with Running(refuses) as server, pytest.raises(EngineDown, match=message):
        make_engine(settings(server.url, samplings=(WARM,), options=named))


@pytest.mark.parametrize("named", [{"options": {"tokenizer": str(LATE)}}, {"model": str(LATE)}])
def test_a_prompt_beyond_the_window_of_transformers_serve_is_refused_here(
    named: dict[str, Any],
) -> None:
    models = (named.get("model", "mock"),)
    with Running(Script(kind="transformers", models=models)) as server:
        given = settings(server.url, samplings=(WARM,), **named)
        (found,) = draw(given, [replace(ask()[0], prompt=Prompt("7" * 5000))])
        assert isinstance(found, EngineError)
        assert "tokens and the model's context 4096" in str(found)
        assert all(len(body["messages"][0]["content"]) < 5000 for body in server.mock.bodies)


def test_a_completion_beyond_the_window_is_no_sample_where_nobody_counts_prompts() -> None:
    usage = {"prompt_tokens": 1250}
    with Running(
        Script(kind="litellm", behind="transformers", context=1000, usage=usage)
    ) as server:
        named = {"server": "transformers"}
        (found,) = draw(settings(server.url, samplings=(WARM,), options=named), ask())
        assert isinstance(found, EngineError), found
        assert "went on beyond the model's context of 1000: the prompt has 1250" in str(found)


@pytest.mark.parametrize(
    ("completion", "text", "reasoning"),
    [
        (Completion("4 END", "stop"), "4 ", None),
        (Completion("4 ENDEND x STOP", "length"), "4 ", None),
        (Completion("STOP 4 END", "length"), "", None),
        (Completion("4", "stop", reasoning="hm END"), "", "hm "),
    ],
)
def test_a_stop_string_that_a_server_leaves_in_the_text_is_cut(
    completion: Completion, text: str, reasoning: str | None
) -> None:
    cut = cut_at_stop(completion, ("END", "STOP"))
    assert (cut.text, cut.reasoning, cut.finish_reason) == (text, reasoning, "stop")


def test_a_text_without_a_stop_string_is_left_as_it_is() -> None:
    whole = Completion("4", "length", reasoning="hm")
    assert cut_at_stop(whole, ("END", "")) is whole
    with Running(Script(reply=lambda body, number: "4 END 5")) as server:
        request = replace(ask()[0], sampling=replace(WARM, stop=("END",)))
        assert one(settings(server.url), request).text == "4 "


# Names, windows and the served model


@pytest.mark.parametrize(
    ("script", "context"),
    [
        (Script(kind="vllm", context=300), 300),
        (Script(kind="ray", context=301), 301),
        (Script(kind="llamacpp", context=302), 302),
        (Script(kind="litellm", context=303), 303),
    ],
)
def test_windows_are_read_wherever_a_server_states_them(script: Script, context: int) -> None:
    notices: list[str] = []
    long = replace(WARM, max_tokens=5000)
    with Running(script) as server:
        draw(settings(server.url, notices=notices), ask(1, long))
    assert any(f"has a context of {context} tokens" in text for text in notices)


@pytest.mark.parametrize("kind", ["llamacpp", "llama-cpp-python"])
def test_a_server_that_answers_any_name_must_list_the_models(kind: str) -> None:
    script = Script(kind=kind, models=("/models/early.gguf",), context=4096)
    with Running(script) as server:
        for name in ("/models/early.gguf", "early.gguf", "early"):
            assert isinstance(one(settings(server.url, model=name)), Completion)
        message = r"serves early.gguf, and answers .* any other name .*--model early.gguf if"
        with pytest.raises(EngineDown, match=message):
            make_engine(settings(server.url, model="late"))


def test_names_of_other_servers_are_theirs_to_refuse() -> None:
    check_name(Shown(TRANSFORMERS, [{"id": "/m/early"}]), "late", "there")
    check_name(Shown(LLAMACPP), "late", "there")  # no list, no name


@pytest.mark.parametrize("kind", ["litellm", "transformers"])
def test_an_unknown_model_is_one_however_it_is_said(kind: str) -> None:
    with Running(Script(kind=kind)) as server:
        message = "does not serve nope: --model is one of mock"
        with pytest.raises(EngineDown, match=message):
            make_engine(settings(server.url, model="nope", samplings=(WARM,)))


def test_what_is_not_known_of_one_model_is_no_difference() -> None:
    assert other_model({"root": "a"}, {}) is None is other_model({}, {"root": "a"})
    assert other_model({"root": "a", "size": "1"}, {"root": "b", "size": "1"}) == "root a against b"


@pytest.mark.parametrize(
    ("kind", "before", "after", "difference"),
    [
        ("vllm", "/ckpt/late", "/ckpt/early", "root /ckpt/late against /ckpt/early"),
        ("llamacpp", "/late.gguf", "/early.gguf", "file /late.gguf against /early.gguf"),
    ],
)
def test_a_server_that_comes_back_with_another_model_ends_the_run(
    kind: str, before: str, after: str, difference: str
) -> None:
    with Running(Script(kind=kind, root=before, hold=99)) as server:

        def restart() -> None:
            while server.mock.in_flight < 8:
                time.sleep(0.01)
            server.down()
            server.mock.script.hold, server.mock.script.root = 0, after
            server.up()

        found = draw(settings(server.url), ask(8), during=restart)
    assert {type(end) for end in found} == {EngineDown}, found
    assert f"came back with another model ({difference})" in str(found[0])
    assert "the same command resumes" in str(found[0])


def test_a_server_that_comes_back_under_another_name_ends_the_run() -> None:
    with Running(Script(kind="vllm", mean=0.05, sigma=0.0)) as server:
        engine = make_engine(settings(server.url))

        async def work() -> None:
            try:
                await engine.generate(ask()[0])
                server.mock.script.models = ("other",)
                await asyncio.gather(*(engine.generate(request) for request in ask(30)))
            finally:
                await engine.close()

        message = r"came back with another model \(model mock against other\)"
        with pytest.raises(EngineDown, match=message):
            asyncio.run(asyncio.wait_for(work(), 20))


def test_servers_of_one_run_serve_one_model() -> None:
    one_, other = (Script(kind="llamacpp", models=(f"{name}.gguf",)) for name in ("a", "b"))
    with Running(one_) as first, Running(replace(other, models=("a.gguf",))) as second:
        make_engine(settings(first.url, second.url, model="a"))
    message = r"serves b\.gguf, and answers"
    with (
        Running(one_) as first, Running(other) as second,
        pytest.raises(EngineDown, match=message),
    ):  # fmt: skip
        make_engine(settings(first.url, second.url, model="a"))
