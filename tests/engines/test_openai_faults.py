"""The endpoint engine on servers that fail, come and go: what is tried again, and for how long."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from harness.engines import make_engine
from harness.errors import EngineDown, EngineError
from harness.types import Completion
from tests.engines.endpoint import ask, draw, one, settings
from tests.engines.mock_server import Running, Script

pytestmark = pytest.mark.usefixtures("quick")


# What is tried again


@pytest.mark.parametrize("fault", ["500", "429", "drop", "truncated"])
def test_a_fault_is_tried_again(fault: str) -> None:
    with Running(Script(faults={fault: 0.4}, seed=3)) as server:
        found = draw(settings(server.url, options={"tries": "50"}), ask(40))
        assert all(isinstance(c, Completion) for c in found), found
        assert server.mock.outcomes[fault] > 5
        assert server.mock.answered.total() == 40


@pytest.mark.parametrize(
    "answer", [{"error": {"message": "busy"}}, {"choices": []}, [], {"choices": [{"message": 7}]}]
)
def test_an_answer_that_is_none_is_tried_again(answer: Any) -> None:
    def reply(body: dict[str, Any], number: int) -> Any:
        return (200, answer) if number < 2 else "4"

    with Running(Script(reply=reply)) as server:
        assert one(settings(server.url)).text == "4"
        assert len(server.mock.arrivals) == 3


def test_a_sample_that_keeps_failing_ends_in_error_and_says_why() -> None:
    with Running(Script(faults={"500": 1.0})) as server:
        with pytest.raises(EngineError, match="failed 3 times, at last: status 500: internal"):
            one(settings(server.url, options={"tries": "3"}))
        assert len(server.mock.arrivals) == 3


def test_a_slow_answer_runs_into_the_time_limit() -> None:
    with Running(Script(mean=2.0, sigma=0.0)) as server:
        given = settings(server.url, options={"timeout": "0.1"})
        with pytest.raises(EngineError, match=r"failed 2 times, at last: no answer within 0 s"):
            one(given)


def test_retry_after_is_waited_for() -> None:
    with Running(Script(faults={"429": 1.0}, retry_after="0.4")) as server:

        def relent() -> None:
            time.sleep(0.2)
            server.mock.script.faults = {}

        began = time.monotonic()
        (found,) = draw(settings(server.url), ask(), during=relent)
        assert isinstance(found, Completion)
        assert 0.4 <= time.monotonic() - began < 3
        assert len(server.mock.arrivals) == 2


def test_refusals_for_the_rate_alone_end_the_run_after_the_patience() -> None:
    message = r"nothing but .*too many requests.* --concurrency"
    limited = Script(faults={"429": 1.0})
    with Running(limited) as server, pytest.raises(EngineDown, match=message):
        one(settings(server.url, options={"patience": "0.3"}))


# Servers that come and go


def test_a_server_that_goes_down_is_waited_for_with_one_notice() -> None:
    told: list[str] = []
    with Running(Script(mean=0.3, sigma=0.0)) as server:

        def restart() -> None:
            time.sleep(0.15)
            server.down()
            time.sleep(0.5)
            server.up()

        found = draw(settings(server.url, told=told), ask(64), during=restart)
        assert all(isinstance(c, Completion) for c in found), found
    assert len(told) == 2, told
    assert "): waiting up to 5 s for it" in told[0]
    assert "answers again after" in told[1] and "let its seed be another one" in told[1]


def test_only_one_request_looks_whether_a_server_is_back() -> None:
    """A port that takes a connection and closes it at once counts who comes."""
    came: list[float] = []

    with Running(Script(mean=0.2, sigma=0.0)) as server:

        def half_dead() -> None:
            time.sleep(0.1)
            server.down()
            asyncio.run(count_connections(server.port, came, 1.0))
            server.up()

        found = draw(settings(server.url), ask(64), during=half_dead)
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
    await listener.wait_closed()


def test_a_server_that_stays_away_ends_the_run() -> None:
    with Running(Script(mean=0.2, sigma=0.0)) as server:

        def leave() -> None:
            time.sleep(0.05)
            server.down()

        given = settings(server.url, options={"patience": "0.4"})
        found = draw(given, ask(16), during=leave)
        assert {type(c) for c in found} == {EngineDown}
        assert "every finished sample is kept, and the same command resumes" in str(found[0])


def test_samples_are_spread_over_servers_and_those_of_a_dead_one_go_to_the_other() -> None:
    told: list[str] = []
    slow = Script(mean=0.2, sigma=0.0)
    with Running(slow) as first, Running(slow) as second:
        found = draw(settings(first.url, second.url, told=told), ask(20))
        assert [len(s.mock.arrivals) for s in (first, second)] == [10, 10]

        def leave() -> None:
            time.sleep(0.05)
            first.down()

        found = draw(settings(first.url, second.url, told=told), ask(20), during=leave)
        assert all(isinstance(c, Completion) for c in found), found
        assert len(second.mock.arrivals) == 30
    assert any("started with a seed of its own" in text for text in told)
    assert any("its samples go to the others" in text for text in told)


def test_a_server_that_is_missing_at_the_start_joins_later(server: Running) -> None:
    told: list[str] = []
    with Running() as late:
        late.down()
        engine = make_engine(settings(server.url, late.url, told=told))

        async def work() -> None:
            await engine.generate(ask()[0])
            await asyncio.to_thread(late.up)
            while len(late.mock.arrivals) < 2:  # the look, and a sample
                await asyncio.gather(*(engine.generate(r) for r in ask(4)))
                await asyncio.sleep(0.01)
            await engine.close()

        asyncio.run(asyncio.wait_for(work(), 20))
    assert any("its samples go to the others" in text for text in told)


def test_two_thousand_requests_are_in_flight_at_once() -> None:
    with Running(Script(hold=2000)) as server:
        found = draw(settings(server.url), ask(2000))
        assert all(isinstance(c, Completion) for c in found)
        assert server.mock.most_in_flight == 2000
