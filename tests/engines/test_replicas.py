"""Several engines as one: where samples go, and what happens when an engine is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from harness.engines.replicas import ReplicaLost, Replicas
from harness.errors import DataError, EngineDown, EngineError, UsageError
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt
from tests.support.fakes import FakeEngine, answer


def ask(index: int) -> Request:
    return Request("p", index, Prompt("x"), Sampling(k=64))


class Cluster:
    """Starts fake engines, each when `late` more samples were asked for than for the one before it.

    `reply` gets (replica, restart, request).
    """

    def __init__(
        self,
        reply: Callable[[int, int, Request], Completion],
        *,
        n: int = 2,
        start: Callable[[int, int], None] = lambda replica, restart: None,
        seconds: float = 0.001,
        late: int = 0,
    ) -> None:
        self.starts: list[tuple[int, int]] = []
        self.engines: list[FakeEngine] = []
        self.notices: list[str] = []

        async def begin(replica: int, restart: int) -> FakeEngine:
            self.starts.append((replica, restart))
            while sum(len(engine.requests) for engine in self.engines) < late * replica:
                await asyncio.sleep(0.001)
            start(replica, restart)
            self.engines.append(
                FakeEngine(lambda r: reply(replica, restart, r), concurrency=4, seconds=seconds)
            )
            return self.engines[-1]

        self.all = Replicas(
            begin, n, each=4, opens_reasoning=False, fingerprint={"engine": "fake"},
            count_tokens=lambda text: None, notify=self.notices.append,
        )  # fmt: skip

    def draw(self, count: int) -> list[Completion | BaseException]:
        async def work() -> list[Completion | BaseException]:
            try:
                calls = (self.all.generate(ask(index)) for index in range(count))
                return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
            finally:
                await self.all.close()

        return asyncio.run(work())


def same(replica: int, restart: int, request: Request) -> Completion:
    return answer(str(request.index))


def test_samples_are_spread_evenly() -> None:
    cluster = Cluster(same)
    assert cluster.draw(20) == [answer(str(index)) for index in range(20)]
    assert min(len(engine.requests) for engine in cluster.engines) >= 8


def test_a_lost_engines_samples_are_drawn_elsewhere_and_nothing_else_is() -> None:
    def reply(replica: int, restart: int, request: Request) -> Completion:
        if (replica, restart) == (1, 0):
            raise ReplicaLost("killed")
        return answer(str(request.index))

    cluster = Cluster(reply)
    assert cluster.draw(20) == [answer(str(index)) for index in range(20)]
    assert cluster.starts == [(0, 0), (1, 0), (1, 1)]
    lost = [request.index for request in cluster.engines[1].requests]
    asked = [request.index for engine in cluster.engines for request in engine.requests]
    assert len(lost) == 4
    assert sorted(asked) == sorted([*range(20), *lost])
    assert len(cluster.notices) == 1 and "engine 1 stopped" in cluster.notices[0]
    assert all(engine.closed for engine in cluster.engines)


def test_engines_join_as_they_become_ready() -> None:
    cluster = Cluster(same, n=3, seconds=0.002, late=20)

    async def work() -> None:
        waiting = iter(range(600))

        async def lane() -> None:
            for index in waiting:
                await cluster.all.generate(ask(index))

        await asyncio.gather(*(lane() for _ in range(6)))
        await cluster.all.close()

    asyncio.run(work())
    counts = [len(engine.requests) for engine in cluster.engines]
    assert sum(counts) == 600
    assert counts[0] > counts[1] > counts[2] > 0


def test_a_late_engine_finds_work_though_all_samples_were_asked_for_before() -> None:
    cluster = Cluster(same, seconds=0.005, late=20)
    assert cluster.draw(200) == [answer(str(index)) for index in range(200)]
    first, second = (len(engine.requests) for engine in cluster.engines)
    assert second > 60 and first + second == 200
    assert [engine.most_in_flight for engine in cluster.engines] == [4, 4]


def test_an_engine_that_never_starts_is_given_up_and_the_others_go_on() -> None:
    def start(replica: int, restart: int) -> None:
        if replica == 1:
            raise RuntimeError("no memory")

    cluster = Cluster(same, start=start)
    assert cluster.draw(8) == [answer(str(index)) for index in range(8)]
    assert cluster.notices[-1] == "engine 1 is given up after 3 failures in a row"


def test_with_no_engine_left_the_run_is_down() -> None:
    def start(replica: int, restart: int) -> None:
        raise RuntimeError("no memory")

    found = Cluster(same, start=start).draw(3)
    assert all(isinstance(error, EngineDown) for error in found)


def test_a_start_that_no_other_try_makes_better_ends_at_once() -> None:
    def start(replica: int, restart: int) -> None:
        raise UsageError("no such option")

    cluster = Cluster(same, start=start)
    assert [str(error) for error in cluster.draw(2)] == ["no such option"] * 2
    assert cluster.starts == [(0, 0), (1, 0)]


def test_a_sample_that_stops_every_engine_ends_in_error_and_the_rest_is_drawn() -> None:
    def reply(replica: int, restart: int, request: Request) -> Completion:
        if request.index == 0:
            raise ReplicaLost("out of memory")
        return answer(str(request.index))

    found = Cluster(reply).draw(6)
    assert isinstance(found[0], EngineError) and "may be the cause" in str(found[0])
    assert found[1:] == [answer(str(index)) for index in range(1, 6)]


@pytest.mark.parametrize("error", [EngineError("refused"), EngineDown("gone")])
def test_other_errors_are_raised_to_the_caller(error: Exception) -> None:
    def reply(replica: int, restart: int, request: Request) -> Completion:
        raise error

    cluster = Cluster(reply)
    assert cluster.draw(1) == [error]
    assert cluster.notices == []


def test_a_late_engine_that_cannot_start_does_not_end_a_run_that_draws() -> None:
    """A node without the model, say: those that draw go on."""

    def start(replica: int, restart: int) -> None:
        if replica == 1:
            raise DataError("on node b: there is no such model folder")

    cluster = Cluster(same, start=start, late=20)
    assert cluster.draw(200) == [answer(str(index)) for index in range(200)]
    assert cluster.notices[0] == "engine 1 did not start: on node b: there is no such model folder"


def test_an_engine_that_ran_is_restarted_though_its_start_is_refused() -> None:
    def start(replica: int, restart: int) -> None:
        if restart == 1:
            raise UsageError("too little memory")  # that of the lost one is not free yet

    def reply(replica: int, restart: int, request: Request) -> Completion:
        if restart == 0:
            raise ReplicaLost("killed")
        return answer(str(request.index))

    cluster = Cluster(reply, n=1, start=start)
    assert cluster.draw(3) == [answer(str(index)) for index in range(3)]
    assert cluster.starts == [(0, 0), (0, 1), (0, 2)]


@pytest.mark.parametrize(("each", "whole"), [({"gpus": 4}, 12), ({"gpus": 0.5}, 1.5), ({}, None)])
def test_replicas_hold_the_gpus_of_all_of_them(each: dict[str, float], whole: float | None) -> None:
    replicas = Replicas(
        lambda *_: None, 3, each=4, opens_reasoning=False, fingerprint={"engine": "fake", **each},
        count_tokens=lambda text: None, notify=lambda text: None,
    )  # type: ignore[arg-type]  # fmt: skip
    found = replicas.fingerprint()
    assert (found["replicas"], found.get("gpus")) == (3, whole)
