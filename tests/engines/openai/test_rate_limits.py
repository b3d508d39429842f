"""Servers that refuse requests for their rate limit: few refusals, and nearly all of the limit used.

Time is simulated: the samples of a run, the queue, and servers that count as real ones do.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.engines.openai.address import Address
from harness.engines.openai.dispatch import Dispatch
from harness.engines.openai.learned_rate import LearnedRate
from harness.engines.openai.limit_headers import Quota
from harness.engines.openai.server import Client, Server, TransientError
from harness.errors import EngineDown
from tests.support.limiters import FixedWindow, Limiter, SlidingWindow, TokenBucket
from tests.support.virtual_time import VirtualLoop, run_virtual

SAMPLES = 120
LANES = 64
ROUND_TRIP = 0.1
MOST_REFUSALS = SAMPLES / 10
LEAST_SHARE = 0.9  # of what the limit allows

LIMITERS: dict[str, Callable[[], Limiter]] = {
    "fixed": lambda: FixedWindow(60),
    "fixed, begun": lambda: FixedWindow(60, phase=30),
    "fixed, nearly over": lambda: FixedWindow(60, phase=54),
    "sliding": lambda: SlidingWindow(60),
    "bucket of a minute": lambda: TokenBucket(60, burst=60),
    "bucket of one": lambda: TokenBucket(60),
}


@dataclass
class Outcome:
    """Of all samples: refusals, and when each was accepted."""

    refused: int = 0
    accepted: list[float] = field(default_factory=list)


class Simulation:
    """Samples that are drawn from servers through one `Dispatch` each.

    Args:
        limiter: counts the requests of all clients.
        tells: what a refusal says: nothing, "retry-after" in whole seconds, or "quota".
        patience: of each dispatch.
        stated: requests per minute that the run states.
    """

    def __init__(
        self,
        limiter: Limiter,
        tells: str | None = None,
        *,
        patience: float = 600.0,
        stated: int | None = None,
    ) -> None:
        self.loop = VirtualLoop()
        self._limiter, self._tells, self._patience = limiter, tells, patience
        self._stated = stated
        self._random = random.Random(1)

    def run(self, clients: int = 1, samples: int = SAMPLES, other: float = 0.0) -> list[Outcome]:
        """The outcomes of clients with so many samples each, beside another client's requests.

        Args:
            clients: of ours, each with a queue of its own.
            samples: of each client.
            other: seconds between two requests of the other client; 0 is none.
        """
        return run_virtual(self._run(clients, samples, other), self.loop)  # type: ignore[no-any-return]

    async def _run(self, clients: int, samples: int, other: float) -> list[Outcome]:
        outcomes = [Outcome() for _ in range(clients)]
        beside = asyncio.create_task(self._other(other)) if other else None
        await asyncio.gather(*(self._client(outcome, samples) for outcome in outcomes))
        if beside is not None:
            beside.cancel()
        return outcomes

    async def _other(self, seconds: float) -> None:
        while True:
            self._limiter.take(self.loop.time())
            await asyncio.sleep(seconds)

    async def _client(self, outcome: Outcome, samples: int) -> None:
        server = Server(Address.parse("http://a/v1", None, {}), Client())
        server.rate = LearnedRate(random.Random(self._random.random()), ROUND_TRIP)
        dispatch = Dispatch(
            [server], no_probe, patience=self._patience, notify=str, clock=self.loop.time,
            requests_per_minute=self._stated,
        )  # fmt: skip
        left = iter(range(samples))
        lanes = [self._lane(dispatch, left, outcome) for _ in range(LANES)]
        await asyncio.gather(*lanes)
        await dispatch.close()

    async def _lane(self, dispatch: Dispatch, left: Any, outcome: Outcome) -> None:
        for _ in left:
            while True:
                turn = await dispatch.pick()
                with turn.server.request():
                    await asyncio.sleep(ROUND_TRIP / 2)
                    wait = self._limiter.take(self.loop.time())
                    if not wait:
                        outcome.accepted.append(self.loop.time())
                        await asyncio.sleep(self._random.lognormvariate(0.0, 0.5))
                    await asyncio.sleep(ROUND_TRIP / 2)
                if not wait:
                    dispatch.answered(turn)
                    break
                outcome.refused += 1
                dispatch.limited(turn, self._refusal(wait))

    def _refusal(self, wait: float) -> TransientError:
        quota = Quota(self._limiter.limit, wait, True) if self._tells == "quota" else None
        asked = float(math.ceil(wait)) if self._tells == "retry-after" else None
        return TransientError("status 429: slow down", wait=asked, limited=True, quota=quota)


async def no_probe(server: Server) -> None:
    raise AssertionError


def throughput(accepted: Sequence[float]) -> float:
    """Requests per minute, from the first to the last."""
    return (len(accepted) - 1) / (max(accepted) - min(accepted)) * 60


@pytest.mark.parametrize("tells", [None, "retry-after", "quota"])
@pytest.mark.parametrize("name", LIMITERS)
def test_a_server_of_60_requests_per_minute_refuses_few_and_is_kept_busy(
    name: str, tells: str | None
) -> None:
    (found,) = Simulation(LIMITERS[name](), tells).run()
    assert len(found.accepted) == SAMPLES
    assert 0 < found.refused <= MOST_REFUSALS
    assert throughput(found.accepted) >= LEAST_SHARE * 60


@pytest.mark.parametrize("name", LIMITERS)
def test_over_a_longer_run_the_share_stays_small_and_the_server_busy(name: str) -> None:
    (found,) = Simulation(LIMITERS[name]()).run(samples=600)
    assert found.refused <= 600 / 10
    assert throughput(found.accepted) >= LEAST_SHARE * 60


@pytest.mark.parametrize("name", LIMITERS)
def test_what_another_client_leaves_of_the_limit_is_used(name: str) -> None:
    """It sends 20 requests per minute, whatever happens to them.

    A bucket of one request has nothing left for whoever is refused and asks again a second later, so
    that chance divides it.
    """
    (found,) = Simulation(LIMITERS[name](), "retry-after").run(other=3.0)
    assert found.refused <= 1.5 * MOST_REFUSALS
    share = 0.4 if name == "bucket of one" else LEAST_SHARE
    assert throughput(found.accepted) >= share * 40


@pytest.mark.parametrize("name", ["fixed", "sliding"])
def test_two_runs_share_a_limit(name: str) -> None:
    both = Simulation(LIMITERS[name](), "retry-after").run(clients=2)
    everything = [at for found in both for at in found.accepted]
    assert len(everything) == 2 * SAMPLES
    assert throughput(everything) >= LEAST_SHARE * 60
    assert sum(found.refused for found in both) <= 2 * SAMPLES / 2


def test_a_server_without_a_limit_is_not_slowed_down() -> None:
    (found,) = Simulation(FixedWindow(10**6)).run(samples=LANES)
    assert found.refused == 0
    assert max(found.accepted) < 1.0


@pytest.mark.parametrize("name", LIMITERS)
def test_a_stated_limit_is_kept_without_a_refusal(name: str) -> None:
    (found,) = Simulation(LIMITERS[name](), stated=54).run()
    assert found.refused <= (2 if name == "bucket of one" else 0)
    assert throughput(found.accepted) >= 0.9 * 54
    for start in found.accepted:
        assert sum(start <= at < start + 60 for at in found.accepted) <= 54


def test_a_low_limit_is_no_stalled_server() -> None:
    """Two requests in ten minutes, and a patience of one."""
    limiter = FixedWindow(2, 600.0)
    (found,) = Simulation(limiter, "retry-after", patience=60).run(samples=8)
    assert len(found.accepted) == 8


def test_a_server_that_takes_nothing_any_more_ends_the_run() -> None:
    with pytest.raises(EngineDown, match=r"nothing but .* --requests-per-minute"):
        Simulation(FixedWindow(0), patience=60).run(samples=8)


def test_refusals_that_are_not_about_a_rate_do_not_stop_a_run() -> None:
    """An overloaded server refuses two requests in five, however slowly they come."""

    class Overloaded(FixedWindow):
        chance = random.Random(5)

        def take(self, now: float) -> float:
            return 1.0 if self.chance.random() < 0.4 else 0.0

    (found,) = Simulation(Overloaded(1)).run(samples=40)
    assert throughput(found.accepted) >= 4
