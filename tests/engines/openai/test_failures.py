"""The openai engine on servers that fail, come and go: what is retried, and for how long."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.openai.address import Address
from harness.engines.openai.dispatch import Dispatch, Turn
from harness.engines.openai.server import Client, Server, TransientError
from harness.errors import EngineDown, EngineError
from harness.interfaces import Completion
from tests.support.endpoint import ask, draw, one, settings
from tests.support.limiters import FixedWindow
from tests.support.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")


# What is retried


@pytest.mark.parametrize("failure", ["500", "429", "drop", "truncated"])
def test_a_failed_request_is_retried(failure: str) -> None:
    with Running(Script(failures={failure: 0.4}, seed=3)) as server:
        found = draw(settings(server.url, options={"tries": "50"}), ask(40))
        assert all(isinstance(c, Completion) for c in found), found
        assert server.mock.outcomes[failure] > 5
        assert server.mock.answered.total() == 40


@pytest.mark.parametrize(
    "answer", [{"error": {"message": "busy"}}, {"choices": []}, [], {"choices": [{"message": 7}]}]
)
def test_a_reply_without_a_completion_is_retried(answer: Any) -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return (200, answer) if number < 2 else "4"

    with Running(Script(reply=reply)) as server:
        assert one(settings(server.url)).text == "4"
        assert len(server.mock.arrivals) == 3


def test_a_sample_that_keeps_failing_ends_in_error_and_says_why() -> None:
    with Running(Script(failures={"500": 1.0})) as server:
        with pytest.raises(EngineError, match="failed 3 times, at last: status 500: internal"):
            one(settings(server.url, options={"tries": "3"}))
        assert len(server.mock.arrivals) == 3


def test_a_slow_answer_runs_into_the_time_limit() -> None:
    with Running(Script(mean=2.0, sigma=0.0)) as server:
        given = settings(server.url, options={"timeout": "0.1"})
        with pytest.raises(EngineError, match=r"failed 2 times, at last: no answer within 0 s"):
            one(given)


def test_retry_after_is_waited_for() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return "4" if number else (429, {"error": {"message": "quota"}})

    with Running(Script(reply=reply, retry_after="0.4")) as server:
        began = time.monotonic()
        assert one(settings(server.url)).text == "4"
        assert 0.4 <= time.monotonic() - began < 10
        assert len(server.mock.arrivals) == 2


def test_a_wait_that_a_server_asked_for_does_not_count() -> None:
    now = [100.0]
    server = Server(Address.parse("http://a/v1", None, {}), Client())
    dispatch = Dispatch([server], no_probe, patience=10, notify=str, clock=lambda: now[0])
    why = TransientError("status 429: quota", wait=60, limited=True)
    dispatch.limited(Turn(server, now[0]), why)
    now[0] += 70
    dispatch.limited(Turn(server, now[0]), why)
    now[0] += 1
    with pytest.raises(EngineDown, match='nothing but "status 429: quota" for 10 s'):
        dispatch.limited(Turn(server, now[0]), why)


async def no_probe(server: Server) -> None:
    raise AssertionError


def test_a_server_that_is_back_is_used_before_its_earlier_wait_has_passed() -> None:
    async def back(server: Server) -> None:
        pass

    async def work() -> None:
        back_again, busy = (Server(Address.parse("http://a/v1", None, {}), Client()) for _ in "ab")
        notices: list[str] = []
        dispatch = Dispatch([back_again, busy], back, patience=10, notify=notices.append)
        why = TransientError("status 429: quota", wait=900, limited=True)
        dispatch.limited(Turn(back_again, time.monotonic()), why)
        dispatch.lost(back_again, why)
        with busy.request():
            while len(notices) < 2:
                await asyncio.sleep(0.01)
            assert (await dispatch.pick()).server is back_again
        await dispatch.close()

    asyncio.run(asyncio.wait_for(work(), 20))


def test_a_limited_server_leaves_the_requests_to_the_one_that_is_not() -> None:
    """What refuses at once is never busy, and must not draw every request for that."""
    with (
        Running(Script(failures={"429": 1.0}, retry_after="60")) as spent,
        Running(Script(mean=0.2)) as good,
    ):
        given = settings(spent.url, good.url, options={"patience": "0.4"})
        began = time.monotonic()
        found = draw(given, ask(60))
        assert all(isinstance(c, Completion) for c in found), found
        assert time.monotonic() - began < 40
        assert len(spent.mock.arrivals) < 120


def test_a_wait_of_no_time_doubles_as_without_one() -> None:
    with Running(Script(failures={"429": 1.0}, retry_after="0")) as server:
        with pytest.raises(EngineDown, match="nothing but"):
            one(settings(server.url, options={"patience": "1"}))
        assert len(server.mock.arrivals) < 14


def test_refusals_for_the_rate_alone_end_the_run_after_the_patience() -> None:
    message = r"nothing but .*too many requests.* --concurrency"
    limited = Script(failures={"429": 1.0})
    with Running(limited) as server, pytest.raises(EngineDown, match=message):
        one(settings(server.url, options={"patience": "0.3"}))


def test_a_completion_that_the_server_aborted_is_drawn_again() -> None:
    """The reasons of DeepSeek and TensorRT-LLM for a completion that they aborted."""
    reasons = ["insufficient_system_resource", "cancelled", "timeout", "abort", "error"]

    def reply(body: dict[str, Any], number: int) -> Any:
        return (
            {"message": {"content": "half a th"}, "finish_reason": reasons.pop()}
            if reasons
            else "4"
        )

    with Running(Script(reply=reply)) as server:
        assert one(settings(server.url)).text == "4"
        assert len(server.mock.arrivals) == 6


def test_a_failed_generation_of_tgi_is_retried() -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return "4" if number else (424, {"error": "Request failed during generation"})

    with Running(Script(reply=reply)) as server:
        assert one(settings(server.url)).text == "4"


def test_a_router_that_lost_its_servers_for_a_while_is_waited_for() -> None:
    """It answers 404 for the model until they are back."""
    notices: list[str] = []
    with Running(Script(mean=0.05, sigma=0.0, vllm=True)) as server:
        engine = make_engine(settings(server.url, notices=notices))

        async def work() -> list[Completion]:
            try:
                await engine.generate(ask()[0])
                server.mock.script.models = ()
                calls = [asyncio.create_task(engine.generate(r)) for r in ask(30)]
                while not notices:
                    await asyncio.sleep(0.01)
                server.mock.script.models = ("mock",)
                return await asyncio.gather(*calls)
            finally:
                await engine.close()

        assert len(asyncio.run(asyncio.wait_for(work(), 20))) == 30
    assert any("answers again" in text for text in notices)


def test_errors_in_answers_with_status_200_do_not_bring_a_server_back() -> None:
    notices: list[str] = []
    broken = (200, {"error": {"message": "upstream is gone"}})
    with Running(Script(reply=lambda body, number: broken)) as server:
        found = draw(settings(server.url, notices=notices, options={"patience": "0.4"}), ask(32))
        assert {type(c) for c in found} == {EngineDown}, found
    assert not any("answers again" in text for text in notices)


def test_many_samples_keep_to_a_limit_that_the_server_does_not_state() -> None:
    """Twenty requests in two seconds, over connections, with the header that OpenAI's API sends."""
    limiter = FixedWindow(20, 2.0)
    headers = lambda wait: {"retry-after-ms": str(int(1000 * wait) + 1)}  # noqa: E731
    with Running(Script(limiter=limiter, limit_headers=headers)) as server:
        found = draw(settings(server.url), ask(60))
        assert all(isinstance(c, Completion) for c in found), found
        assert server.mock.answered.total() >= 60
        assert server.mock.outcomes["limited"] <= 30


@pytest.mark.parametrize("status", [404, 405, 429, 500, 501, 503])
def test_a_list_of_models_that_is_missing_or_busy_does_not_end_the_run(status: int) -> None:
    with Running(Script(models_status=(status, 99))) as server:
        assert one(settings(server.url)).text


def test_a_busy_list_of_models_is_asked_again_when_the_server_says() -> None:
    script = Script(vllm=True, context=4096, models_status=(429, 1), retry_after="0.6")
    with Running(script) as server:
        began = time.monotonic()
        engine = make_engine(settings(server.url))
        assert time.monotonic() - began >= 0.6
        assert engine.fingerprint()["max_model_len"] == 4096
        asyncio.run(engine.close())


# Servers that come and go


def take(server: Running, requests: int) -> None:
    """Wait until it has so many: what it is about to take as it goes down would hang on."""
    while server.mock.in_flight < requests:
        time.sleep(0.01)


def test_a_probe_that_fails_in_an_unknown_way_ends_the_run_and_hangs_nothing() -> None:
    async def broken(_: Server) -> None:
        raise OSError("no space left on device")

    async def work() -> None:
        server = Server(Address.parse("http://a/v1", None, {}), Client())
        dispatch = Dispatch([server], broken, patience=10, notify=str)
        dispatch.lost(server, TransientError("it is down"))
        try:
            await asyncio.gather(*(dispatch.pick() for _ in range(3)))
        finally:
            await dispatch.close()

    with pytest.raises(OSError, match="no space left"):
        asyncio.run(asyncio.wait_for(work(), 10))


def test_a_server_that_goes_down_is_waited_for_with_one_notice() -> None:
    notices: list[str] = []
    with Running(Script(hold=99, vllm=True)) as server:

        def restart() -> None:
            take(server, 64)
            server.down()
            time.sleep(0.5)
            server.mock.script.hold = 0
            server.up()

        found = draw(settings(server.url, notices=notices), ask(64), during=restart)
        assert all(isinstance(c, Completion) for c in found), found
    assert len(notices) == 2, notices
    assert "): waiting up to 5 s for it" in notices[0]
    assert "answers again after" in notices[1] and "it needs another seed than before" in notices[1]


def test_only_one_request_probes_whether_a_server_is_back() -> None:
    """A port that takes a connection and closes it at once counts who comes."""
    came: list[float] = []

    with Running(Script(hold=99)) as server:

        def half_open() -> None:
            take(server, 64)
            server.down()
            asyncio.run(count_connections(server.port, came, 1.0))
            server.mock.script.hold = 0
            server.up()

        found = draw(settings(server.url), ask(64), during=half_open)
        assert all(isinstance(c, Completion) for c in found), found
    early = [at for at in came if at - came[0] > 0.5]
    assert len(came) < 64 + 32 + 12 and len(early) < 12


async def count_connections(port: int, came: list[float], seconds: float) -> None:
    async def slam(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(time.monotonic())
        writer.close()

    listener = await asyncio.start_server(slam, "127.0.0.1", port)
    await asyncio.sleep(seconds)
    listener.close()
    while taken := asyncio.all_tasks() - {asyncio.current_task()}:
        await asyncio.wait(taken)
    await asyncio.sleep(0.05)  # until the last of them is closed


def test_a_server_that_stays_away_ends_the_run() -> None:
    with Running(Script(hold=99)) as server:

        def leave() -> None:
            take(server, 16)
            server.down()

        given = settings(server.url, options={"patience": "0.4"})
        found = draw(given, ask(16), during=leave)
        assert {type(c) for c in found} == {EngineDown}
        assert "what is finished is kept, and the same command resumes" in str(found[0])


def test_samples_are_spread_over_servers_and_those_of_a_lost_one_go_to_the_other() -> None:
    notices: list[str] = []
    with Running(Script(hold=10)) as first, Running(Script(hold=10)) as second:
        found = draw(settings(first.url, second.url, notices=notices), ask(20))
        assert [len(s.mock.arrivals) for s in (first, second)] == [10, 10]

        first.mock.reset()
        first.mock.script.hold = 99

        def leave() -> None:
            take(first, 2)  # the other one answers at once, and is never as busy
            first.down()

        found = draw(settings(first.url, second.url, notices=notices), ask(20), during=leave)
        assert all(isinstance(c, Completion) for c in found), found
        assert len(second.mock.arrivals) == 30
    assert any("started with a seed of its own" in text for text in notices)
    assert any("its samples go to the others" in text for text in notices)


def test_a_server_that_is_missing_at_the_start_joins_later(server: Running) -> None:
    notices: list[str] = []
    with Running() as late:
        late.down()
        engine = make_engine(settings(server.url, late.url, notices=notices))

        async def work() -> None:
            await engine.generate(ask()[0])
            await asyncio.to_thread(late.up)
            while len(late.mock.arrivals) < 2:  # the probe, and a sample
                await asyncio.gather(*(engine.generate(r) for r in ask(4)))
                await asyncio.sleep(0.01)
            await engine.close()

        asyncio.run(asyncio.wait_for(work(), 20))
    assert any("its samples go to the others" in text for text in notices)


def test_two_thousand_requests_are_in_flight_at_once() -> None:
    with Running(Script(hold=2000)) as server:
        found = draw(settings(server.url), ask(2000))
        assert all(isinstance(c, Completion) for c in found)
        assert server.mock.most_in_flight == 2000
