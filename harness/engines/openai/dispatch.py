"""Chooses the server of each request, and waits for servers that are down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from harness.engines.openai.server import Server, TransientError, Unreachable
from harness.errors import EngineDown

_FAILURES = 16  # in a row, over all samples, after which a server counts as down
FIRST_PROBE_SECONDS = 0.25
"""Pause before the first probe of a server that is down; it doubles after each probe."""

_LONGEST_PROBE_SECONDS = 5.0
_LIMITED_SECONDS = 1.0  # between requests to a server that refuses them for its rate limit
_STALLED_SECONDS = 30.0  # a request this old is being generated: it will not be refused

Probe = Callable[[Server], Awaitable[None]]
"""Sends a server one small request; raises Unreachable or TransientError when it does not answer.

Any other exception ends the run.
"""


class Dispatch:
    """Sends each request to the least busy of the servers that are up.

    A server that cannot be reached, or fails 16 times in a row, is down: its samples go to the
    others, and one small request at a time probes whether it is back. With all of them down the
    samples wait.

    Args:
        servers: one or more.
        probe: checks whether a server is back.
        patience: seconds without any server, or with rate-limit refusals alone, that end the run.
        notify: called with one line when a server goes down and when it is back.
        returned: added to the line that a server is back.
        absent: servers that are down from the start, and why.
        outlasts_failures: whether samples wait for a server that answers with failures alone; else
            it is down only while another one is up, and each sample ends after its tries.
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
    ) -> None:
        self.servers = servers
        self._probe, self._patience, self._notify = probe, patience, notify
        self._changed = asyncio.Event()
        self._probing: set[asyncio.Task[None]] = set()
        self._returned, self._absent = returned, list(absent)
        self._outlasts_failures = outlasts_failures
        self._fatal: Exception | None = None
        self._last_up = time.monotonic()

    async def pick(self) -> Server:
        """The server for the next request; waits while all of them are down.

        Raises:
            EngineDown: no server came back within the patience. What a probe raised beside
                Unreachable and TransientError is raised as well.
        """
        while self._absent:
            self.lost(*self._absent.pop())
        while True:
            if self._fatal is not None:
                raise self._fatal
            up = [server for server in self.servers if not server.down]
            if up:
                return self._choose(up)
            self._changed.clear()
            await self._changed.wait()

    def _choose(self, up: Sequence[Server]) -> Server:
        """The least busy one; one that refuses at once is never busy, and gets a request now and then."""
        now = time.monotonic()
        chosen = min(up, key=lambda server: (server.limited_until > now, server.in_flight))
        if chosen.limited_since is not None:
            chosen.limited_until = max(chosen.limited_until, now + _LIMITED_SECONDS)
        return chosen

    def answered(self, server: Server) -> None:
        """Record that a server completed a request."""
        server.failures = 0
        server.limited_since, server.limited_until = None, 0.0

    def failed(self, server: Server, why: Exception) -> None:
        """Record a failed request; after 16 in a row the server counts as down."""
        server.failures += 1
        others = any(not other.down for other in self.servers if other is not server)
        if server.failures >= _FAILURES and (others or self._outlasts_failures):
            self.lost(server, why)

    def limited(self, server: Server, why: TransientError, wait: float) -> float:
        """Record a rate-limit refusal; returns the seconds until the next try, 0 if another is free.

        Args:
            server: that refused.
            why: its refusal.
            wait: seconds that the request would wait for this server.

        Raises:
            EngineDown: no server has sent anything else within the patience, not counting the time
                that a server asked to wait.
        """
        now = time.monotonic()
        server.limited_until = now + wait
        if server.limited_since is None:
            server.limited_since = now + (why.wait or 0.0)
        if any(not other.down and other.limited_since is None for other in self.servers):
            return 0.0
        if now - server.limited_since > self._patience and server.waiting(now) < _STALLED_SECONDS:
            raise EngineDown(
                f'{server.address.shown} has answered with nothing but "{why}" for '
                f"{_minutes(self._patience)}: use a smaller --concurrency or --tokens-per-minute; "
                "what is finished is kept, and the same command resumes"
            )
        return wait

    def lost(self, server: Server, why: Exception) -> None:
        """Record that a server is down, and probe it until it is back."""
        if server.down:
            return
        server.down = True
        others = any(not other.down for other in self.servers)
        if not others:
            self._last_up = time.monotonic()
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
        began, pause = time.monotonic(), FIRST_PROBE_SECONDS
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
                self._back(server, time.monotonic() - began)
                return
            pause = min(2 * pause, _LONGEST_PROBE_SECONDS)
            all_down = all(other.down for other in self.servers)
            if all_down and time.monotonic() - self._last_up > self._patience:
                self._end(
                    EngineDown(
                        f"{server.address.shown} has not answered for "
                        f"{_minutes(self._patience)} ({why}); what is finished is kept, and "
                        "the same command resumes"
                    )
                )

    def _back(self, server: Server, seconds: float) -> None:
        server.down = False
        self.answered(server)
        self._changed.set()
        self._notify(f"{server.address.shown} answers again after {seconds:.0f} s{self._returned}")

    def _end(self, error: Exception) -> None:
        self._fatal = error
        self._changed.set()


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
