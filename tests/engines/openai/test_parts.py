"""The pure parts of the endpoint engine: retries, rates, addresses and what refusals say."""

from __future__ import annotations

import asyncio
import random
import ssl
from datetime import UTC, datetime
from typing import Any

import pytest

from harness.credentials import without_credentials
from harness.engines.openai import serve as serving
from harness.engines.openai.address import Address
from harness.engines.openai.completions import (
    BadReply,
    context_refusal,
    read_completion,
    wants_other_cap,
)
from harness.engines.openai.limit_headers import Quota, asked_wait, quota, retry_after
from harness.engines.openai.rate_limit import TokenRate, estimate_tokens
from harness.engines.openai.retries import Tries, is_retried, request_seconds
from harness.engines.openai.server import connection_error, status_error

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        ("0.5", 0.5),
        ("-3", 0.0),
        ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0.0),
        ("soon", None),
        ("inf", None),
        ("nan", None),
        ("1e12", 86_400.0),
    ],
)
def test_retry_after_is_a_number_or_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, NOW) == seconds


OPENAI = {"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "0",
          "x-ratelimit-reset-requests": "1m0.5s", "x-ratelimit-limit-tokens": "1000",
          "x-ratelimit-remaining-tokens": "900", "x-ratelimit-reset-tokens": "20ms"}  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({}, None),
        (OPENAI, Quota(60, 60.5, True)),
        ({**OPENAI, "x-ratelimit-remaining-requests": "9",
          "x-ratelimit-remaining-tokens": "1"}, Quota(1000, 0.02, False)),
        ({"Anthropic-Ratelimit-Requests-Limit": "50", "anthropic-ratelimit-requests-remaining": "0",
          "anthropic-ratelimit-requests-reset": "2026-01-02T03:04:35Z"}, Quota(50, 30.0, True)),
        ({"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0",
          "X-RateLimit-Reset": "1767323075000"}, Quota(20, 30.0, True)),
        ({f"llm_provider-{name}": value for name, value in OPENAI.items()}, Quota(60, 60.5, True)),
        ({**OPENAI, "x-ratelimit-reset-requests": "soon"}, Quota(1000, 0.02, False)),
    ],
)  # fmt: skip
def test_the_limit_that_a_refusal_ran_into_is_read(
    headers: dict[str, str], found: Quota | None
) -> None:
    assert quota(headers, NOW) == found


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"llm_provider-retry-after": "9"}, 9.0),
        ({"llm_provider-retry-after": "9", "retry-after": "2"}, 2.0),
        ({"x-ratelimit-reset-requests": "3s"}, None),
    ],
)
def test_a_wait_is_read_from_the_server_or_from_the_one_behind_it(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert asked_wait(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("choice", "reason", "looped"),
    [
        ({"finish_reason": "stop", "provider_specific_fields": {
            "native_finish_reason": "repetition"}}, "length", True),
        ({"finish_reason": "stop", "native_finish_reason": "length"}, "length", False),
        ({"finish_reason": "stop", "native_finish_reason": "end_turn"}, "stop", False),
        ({"finish_reason": "length", "native_finish_reason": "stop"}, "length", False),
        ({"finish_reason": "stop", "provider_specific_fields": None}, "stop", False),
    ],
)  # fmt: skip
def test_the_reason_of_the_server_behind_a_proxy_is_read(
    choice: dict[str, Any], reason: str, looped: bool
) -> None:
    found = read_completion({"choices": [{"message": {"content": "4"}, **choice}]}, 0.0)
    assert (found.finish_reason, found.looped) == (reason, looped)


def test_what_the_server_behind_a_proxy_aborted_is_no_completion() -> None:
    fields = {"native_finish_reason": "abort"}
    choice = {
        "message": {"content": "4"},
        "finish_reason": "stop",
        "provider_specific_fields": fields,
    }
    with pytest.raises(BadReply, match=r"aborted the completion \(abort\)"):
        read_completion({"choices": [choice]}, 0.0)


def test_only_the_servers_moment_is_retried() -> None:
    assert [s for s in range(400, 430) if is_retried(s)] == [408, 409, 424, 425, 429]
    assert [s for s in range(500, 530) if not is_retried(s)] == [501, 505]  # not this server's path


def test_waits_double_with_jitter_up_to_a_minute_and_never_undercut_what_was_asked() -> None:
    tries = Tries(20, random.Random(0))
    waits = []
    while tries.fail():
        waits.append(tries.wait())
        assert 9 <= tries.wait(9) <= 10
    assert len(waits) == 19
    for number, wait in enumerate(waits):
        longest = min(60, 0.5 * 2**number)
        assert longest / 2 <= wait <= longest
    assert len(set(waits)) == len(waits)


def test_jitter_leaves_the_global_random_state_alone() -> None:
    random.seed(1)
    before = random.getstate()
    Tries(3, random.Random(0)).wait()
    assert random.getstate() == before


def test_two_timeouts_are_enough() -> None:
    tries = Tries(8, random.Random(0))
    assert tries.fail(timed_out=True) and not tries.fail(timed_out=True)


def test_a_request_gets_a_second_for_four_tokens_and_ten_minutes_at_least() -> None:
    assert [request_seconds(cap) for cap in (16, 2400, 32_768, None)] == [600, 600, 8192, 8192]


class Clock:
    """Time that goes on when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def spend(per_minute: int, used: list[tuple[int, int]], expected: int | None = None) -> list[float]:
    """When each request went, given what each takes and turns out to use."""
    clock = Clock()
    rate = TokenRate(per_minute, clock=clock, sleep=clock.sleep)
    went = []

    async def work() -> None:
        for taken, really in used:
            await rate.take(taken)
            went.append(clock.now)
            rate.settle(taken, really, really)

    asyncio.run(work())
    return went


def test_no_minute_sees_more_tokens_than_are_granted() -> None:
    went = spend(6000, [(100, 100)] * 400)
    for start in went:
        assert sum(100 for at in went if start <= at < start + 60) <= 6000
    assert went[-1] == pytest.approx(400 * 100 / 6000 * 60, rel=0.08)


def test_what_a_request_did_not_use_is_given_back_and_what_it_overdrew_is_paid_for() -> None:
    thrifty, honest, greedy = (spend(6000, [(100, used)] * 200)[-1] for used in (50, 100, 200))
    assert thrifty == pytest.approx(honest / 2, rel=0.1)
    assert greedy == pytest.approx(honest * 2, rel=0.1)


def test_a_request_larger_than_the_bucket_goes_when_it_is_full() -> None:
    went = spend(6000, [(3000, 3000)] * 3)
    assert went[0] == 0
    assert went[1] - went[0] == pytest.approx(3000 / (6000 * 0.95) * 60, rel=0.05)


def test_the_expected_length_is_the_cap_first_and_then_the_mean() -> None:
    rate = TokenRate(1000)
    assert rate.expected(500) == 500
    for used in (10, 20, 30):
        rate.settle(0, used, used)
    assert (rate.expected(500), rate.expected(15), rate.expected(None)) == (21, 15, 21)


def test_without_a_limit_nothing_waits() -> None:
    async def work() -> None:
        rate = TokenRate(None)
        for _ in range(1000):
            await asyncio.wait_for(rate.take(10**9), 1)

    asyncio.run(work())
    assert estimate_tokens("word " * 70) == 108


REFUSALS = [
    ("'max_tokens' or 'max_completion_tokens' is too large: 32768. This model's maximum context "
     "length is 32768 tokens and your request has 95 input tokens (32768 > 32768 - 95).",
     (32768, 95)),
    ("This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
     "(1000 in the messages, 4000 in the completion). Please reduce the length.", (4096, 1000)),
    ("This model's maximum context length is 4097 tokens. However, your messages resulted in 5000 "
     "tokens.", (4097, 5000)),
    ("The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure "
     "that `max_model_len` is no smaller than the number of text tokens.", (4096, 5000)),
    ("This model's maximum context length is 512 tokens. However, your prompt contains at least "
     "513 input tokens, which exceeds this limit even without any output tokens.", (512, 513)),
    ("You passed 95 input tokens and requested 32768 output tokens. However, the model's context "
     "length is only 32768 tokens, resulting in a maximum input length of 0 tokens.", (32768, 95)),
    ("Input is longer than the context of this model: too many tokens.", (None, None)),
    ("Requested token count exceeds the model's maximum context length of 4096 tokens. You "
     "requested a total of 4596 tokens: 500 tokens from the input messages and 4096 tokens for "
     "the completion.", (4096, 500)),
    ("This model's maximum context length is 4096 tokens. However, you requested 4000 output "
     "tokens and your prompt contains at least 97 input tokens, for a total of at least 4097 "
     "tokens.", (4096, 97)),
    ("request (95 tokens) exceeds the available context size (64 tokens), try increasing it "
     "(exceed_context_size_error)", (64, 95)),
    ("This model's maximum context length is 64 tokens, however you requested 95 tokens (90 in your "
     "prompt; 5 for the completion). Please reduce your prompt; or completion length.", (64, 90)),
    ("litellm.ContextWindowExceededError: litellm.BadRequestError: ContextWindowExceededError: "
     "Hosted_vllmException - {\"error\":{\"message\":\"This model's maximum context length is 512 "
     "tokens and your request has 95 input tokens\"}}", (512, 95)),
]  # fmt: skip


@pytest.mark.parametrize(("text", "numbers"), REFUSALS)
def test_refusals_for_the_context_are_read(
    text: str, numbers: tuple[int | None, int | None]
) -> None:
    assert context_refusal(text) == numbers


@pytest.mark.parametrize(
    "text",
    ["temperature must be non-negative", "invalid stop", "no such thing", "bad request: top_p"],
)
def test_other_refusals_are_not_taken_for_it(text: str) -> None:
    assert context_refusal(text) is None


def test_the_other_name_of_the_cap_is_recognised() -> None:
    assert wants_other_cap(
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead."
    )
    assert not wants_other_cap(REFUSALS[0][0])


def test_an_address_hides_what_is_secret() -> None:
    address = Address.parse(
        "https://me:p%40ss@host.example:8443/v1/?api-version=9", "sk-1", {"api-key": "abcd"}
    )
    assert address.shown == "https://host.example:8443/v1"
    assert address.url("/models") == "https://host.example:8443/v1/models?api-version=9"
    assert address.root.url("/version").startswith("https://host.example:8443/version")
    assert address.headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert address.hide("p@ss sk-1 abcd") == "*** *** ***"
    assert not any(secret in repr(address) for secret in ("p@ss", "sk-1", "abcd", "bWU6"))


def test_what_is_secret_is_hidden_word_by_word_and_short_values_blot_out_no_numbers() -> None:
    headers = {"Authorization": "Bearer sk-12345", "X-Priority": "1", "X-Limit": "4096"}
    address = Address.parse("https://h/v1?api-version=9&code=topsecret", None, headers)
    assert address.hide("Incorrect API key provided: sk-12345") == "Incorrect API key provided: ***"
    assert address.hide("https://h/v1?code=topsecret") == "https://h/v1?code=***"
    assert address.hide("a context of 4096 tokens, 1 of 9") == "a context of 4096 tokens, 1 of 9"


def test_where_a_server_redirects_to_is_said_without_the_query_that_may_hold_a_key() -> None:
    refusal = status_error(307, {"Location": "https://h/v1/models?code=topsecret"}, "")
    assert str(refusal).endswith("it redirects to https://h/v1/models: use that as --base-url")


def test_a_certificate_that_is_not_trusted_is_named() -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed: self-signed certificate")
    assert "self-signed certificate" in str(connection_error(error, ""))


def test_a_server_of_ours_takes_nothing_from_the_checkpoints_own_settings() -> None:
    plain = ["--generation-config", "vllm"]
    assert serving.serve_arguments({}) == plain
    asked = serving.serve_arguments({"generation_config": "auto", "enforce_eager": "true"})
    assert asked == [*plain, "--generation-config", "auto", "--enforce-eager"]  # the last one wins


def test_a_proxy_of_the_environment_is_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    found = {
        host: Address.parse(f"http://{host}/v1", None, {}).proxy
        for host in ("api.example", "inside.example", "127.0.0.1", "localhost")
    }
    assert found == {"api.example": "http://proxy:3128", "inside.example": None,
                     "127.0.0.1": None, "localhost": None}  # fmt: skip


def test_a_command_line_is_written_down_without_secrets() -> None:
    command = ["run", "--base-url", "http://u:p@h:1/v1?key=4,https://x/v1", "--engine-arg",
               "header.api-key=abc", "--engine-arg=header.X=7", "--prompt", "a=b {statement}"]  # fmt: skip
    assert [without_credentials(word) for word in command] == [
        "run", "--base-url", "http://***@h:1/v1?***,https://x/v1", "--engine-arg",
        "header.api-key=***", "--engine-arg=header.X=***", "--prompt", "a=b {statement}",
    ]  # fmt: skip
