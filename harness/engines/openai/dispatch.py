"""Chooses the server of each request, and waits for servers that are down."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from harness.engines.openai.rate_limit import Bucket
from harness.engines.openai.server import Server, TransientError, Unreachable
from harness.errors import EngineDown

_FAILURES = 16  # in a row, over all samples, after which a server counts as down
FIRST_PROBE_SECONDS = 0.25
"""Pause before the first probe of a server that is down; it doubles after each probe."""

_LONGEST_PROBE_SECONDS = 5.0
_STALLED_SECONDS = 30.0  # a request this old is being generated: it will not be refused

Probe = Callable[[Server], Awaitable[None]]
"""Sends a server one small request; raises Unreachable or TransientError when it does not answer.

Any other exception ends the run.
"""


@dataclass(frozen=True, slots=True)
class Turn:
    """One request that may be sent.

    Args:
        server: to which.
        sent: the time, by the clock of its `Dispatch`.
    """

    server: Server
    sent: float


class Dispatch:
    """Sends each request to the least busy of the servers that are up.

    A server that cannot be reached, or fails 16 times in a row, is down: its samples go to the
    others, and one small request at a time probes whether it is back. With all of them down the
    samples wait. A server that refuses requests for its rate limit gets them as fast as it takes
    them, from all samples together.

    Args:
        servers: one or more.
        probe: checks whether a server is back.
        patience: seconds without any server, or with rate-limit refusals alone, that end the run.
        notify: called with one line when a server goes down and when it is back.
        returned: added to the line that a server is back.
        absent: servers that are down from the start, and why.
        outlasts_failures: whether samples wait for a server that answers with failures alone; else
            it is down only while another one is up, and each sample ends after its tries.
        requests_per_minute: limit of all requests to all servers; None is no limit.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        probe: Probe,
        *,
        patience: float,
        notify: Callable[[str], None],
        returned: str = "",
        absent: Sequence[tuple[Server, Exception]] = (),
        outlasts_failures: bool = True,
        requests_per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.servers = servers
        self._probe, self._patience, self._notify = probe, patience, notify
        self._changed = asyncio.Event()
        self._probing: set[asyncio.Task[None]] = set()
        self._returned, self._absent = returned, list(absent)
        self._outlasts_failures = outlasts_failures
        self._fatal: Exception | None = None
        self._requests = Bucket(requests_per_minute, clock=clock)
        self._clock = clock
        self._turn = asyncio.Lock()  # samples are served in the order in which they came
        self._last_up = clock()

    async def pick(self) -> Turn:
        """The next request's server; waits while all of them are down, or take no further request.

        Raises:
            EngineDown: no server came back within the patience. What a probe raised beside
                Unreachable and TransientError is raised as well.
        """
        while self._absent:
            self.lost(*self._absent.pop())
        async with self._turn:
            held = False
            while True:
                if self._fatal is not None:
                    raise self._fatal
                self._changed.clear()
                now = self._clock()
                server, delay = self._choose(now)
                if server is not None and delay is not None and delay <= 0:
                    self._requests.take(1)
                    server.rate.sent(now, held=held)
                    return Turn(server, now)
                held = True
                await self._wait(delay)

    def _choose(self, now: float) -> tuple[Server | None, float | None]:
        """The least busy server of those that soonest take a request, and in how many seconds."""
        up = [server for server in self.servers if not server.down]
        if not up:
            return None, None
        delays = [max(0.0, server.rate.delay(now)) for server in up]

        def order(n: int) -> tuple[float, int]:
            # The groups of a start are no limit: the servers are to be used alike.
            return delays[n] if up[n].rate.learned else 0.0, up[n].in_flight

        chosen = min(range(len(up)), key=order)
        return up[chosen], max(delays[chosen], self._requests.wait(1))

    async def _wait(self, seconds: float | None) -> None:
        """Wait for so many seconds, or until a server's state has changed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if seconds is None else max(0.001, seconds)):
                await self._changed.wait()

    def answered(self, turn: Turn) -> None:
        """Record that a server completed a request."""
        server = turn.server
        server.failures, server.limited_since = 0, None
        if server.rate.limited:
            server.rate.accepted(turn.sent)
            self._changed.set()

    def failed(self, server: Server, why: Exception) -> None:
        """Record a failed request; after 16 in a row the server counts as down."""
        server.failures += 1
        others = any(not other.down for other in self.servers if other is not server)
        if server.failures >= _FAILURES and (others or self._outlasts_failures):
            self.lost(server, why)

    def limited(self, turn: Turn, why: TransientError) -> None:
        """Record a rate-limit refusal; the request may go into the queue again at once.

        Args:
            turn: that was refused.
            why: its refusal.

        Raises:
            EngineDown: no server has sent anything else within the patience, not counting the time
                that a server asked to wait, nor twice the time between two requests that it took.
        """
        now, server = self._clock(), turn.server
        server.rate.refused(now, turn.sent, why.wait, why.quota)
        self._changed.set()  # another server may be free sooner
        if server.limited_since is None:
            server.limited_since = now + (why.wait or 0.0)
        if any(not other.down and other.limited_since is None for other in self.servers):
            return
        patience = max(self._patience, 2 * server.rate.longest_cycle)
        if now - server.limited_since > patience and server.waiting(now) < _STALLED_SECONDS:
            raise EngineDown(
                f'{server.address.shown} has answered with nothing but "{why}" for '
                f"{_minutes(patience)}: use a smaller --concurrency, --requests-per-minute or "
                "--tokens-per-minute; what is finished is kept, and the same command resumes"
            )

    def lost(self, server: Server, why: Exception) -> None:
        """Record that a server is down, and probe it until it is back."""
        if server.down:
            return
        server.down = True
        others = any(not other.down for other in self.servers)
        if not others:
            self._last_up = self._clock()
        then = (
            "its samples go to the others until it is back"
            if others
            else f"waiting up to {_minutes(self._patience)} for it"
        )
        self._notify(f"{server.address.shown} does not answer ({why}): {then}")
        task = asyncio.create_task(self._probe_until_back(server, why))
        self._probing.add(task)
        task.add_done_callback(self._probing.discard)

    async def close(self) -> None:
        """Stop the probes."""
        for task in self._probing:
            task.cancel()
        await asyncio.gather(*self._probing, return_exceptions=True)

    async def _probe_until_back(self, server: Server, why: Exception) -> None:
        began, pause = self._clock(), FIRST_PROBE_SECONDS
        while self._fatal is None:
            await asyncio.sleep(pause)
            try:
                await self._probe(server)
            except (Unreachable, TransientError) as error:
                why = error
            except Exception as error:  # whatever it is: without it the samples would wait for ever
                self._end(error)
                return
            else:
                self._back(server, self._clock() - began)
                return
            pause = min(2 * pause, _LONGEST_PROBE_SECONDS)
            all_down = all(other.down for other in self.servers)
            if all_down and self._clock() - self._last_up > self._patience:
                self._end(
                    EngineDown(
                        f"{server.address.shown} has not answered for "
                        f"{_minutes(self._patience)} ({why}); what is finished is kept, and "
                        "the same command resumes"
                    )
                )

    def _back(self, server: Server, seconds: float) -> None:
        server.down = False
        server.failures, server.limited_since = 0, None
        server.rate.reopen(self._clock())
        self._changed.set()
        self._notify(f"{server.address.shown} answers again after {seconds:.0f} s{self._returned}")

    def _end(self, error: Exception) -> None:
        self._fatal = error
        self._changed.set()


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
