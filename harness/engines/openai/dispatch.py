"""Which of several servers gets a request, and waiting for those that went down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from harness.engines.openai.server import Fault, Server, Unreachable
from harness.errors import EngineDown

_FAILURES = 16  # in a row, over all samples, after which a server counts as down
_FIRST_LOOK = 0.25
_LONGEST_LOOK = 5.0
_LOOK_AGAIN = 1.0  # at a server that answered with a refusal for the rate
_STALLED = 30.0  # a request this old is being worked on, and not about to be refused

Probe = Callable[[Server], Awaitable[None]]
"""Asks a server for next to nothing; raises Unreachable or Fault when it does not answer.

Anything else that it raises ends the run."""


class Dispatch:
    """The least busy of the servers that are up.

    A server that cannot be reached, or fails 16 times in a row, is down: its samples go to the
    others, and one small request at a time looks whether it is back. With all of them down the
    samples wait.

    Args:
        servers: one or more.
        probe: looks whether a server is back.
        patience: seconds without any server, or with refusals for the rate alone, that end the run.
        notify: told once when a server goes down and when it is back.
        returned: what is said beside that it is back.
        absent: servers that are down from the start, and why.
    """

    def __init__(
        self,
        servers: Sequence[Server],
        probe: Probe,
        patience: float,
        notify: Callable[[str], None],
        returned: str = "",
        absent: Sequence[tuple[Server, Exception]] = (),
    ) -> None:
        self.servers = servers
        self._probe, self._patience, self._notify = probe, patience, notify
        self._changed = asyncio.Event()
        self._watching: set[asyncio.Task[None]] = set()
        self._returned, self._absent = returned, list(absent)
        self._fatal: Exception | None = None
        self._last_up = time.monotonic()

    async def pick(self) -> Server:
        """The server for the next request; waits while there is none. EngineDown ends the wait."""
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
        """The least busy one. One that refuses at once is never busy, and is only looked at."""
        now = time.monotonic()
        chosen = min(up, key=lambda server: (server.limited_until > now, server.in_flight))
        if chosen.limited_since is not None:
            chosen.limited_until = max(chosen.limited_until, now + _LOOK_AGAIN)
        return chosen

    def answered(self, server: Server) -> None:
        """A server completed a request."""
        server.failures = 0
        server.limited_since, server.limited_until = None, 0.0

    def failed(self, server: Server, why: Exception) -> None:
        """A request failed on the server's side."""
        server.failures += 1
        if server.failures >= _FAILURES:
            self.lost(server, why)

    def limited(self, server: Server, why: Fault, wait: float) -> float:
        """A request was one too many; seconds until its next try: none where another server is free.

        EngineDown when nothing else has come back for long, from any server; the time that a server
        asked to wait does not count.
        """
        now = time.monotonic()
        server.limited_until = now + wait
        if server.limited_since is None:
            server.limited_since = now + (why.wait or 0.0)
        if any(not other.down and other.limited_since is None for other in self.servers):
            return 0.0
        if now - server.limited_since > self._patience and server.waiting(now) < _STALLED:
            raise EngineDown(
                f'{server.address.shown} has answered with nothing but "{why}" for '
                f"{_minutes(self._patience)}: use a smaller --concurrency or --tokens-per-minute; "
                "every finished sample is kept, and the same command resumes"
            )
        return wait

    def lost(self, server: Server, why: Exception) -> None:
        """A server is down: watch for its return."""
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
        task = asyncio.create_task(self._watch(server, why))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def close(self) -> None:
        """Stop looking."""
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)

    async def _watch(self, server: Server, why: Exception) -> None:
        began, pause = time.monotonic(), _FIRST_LOOK
        while self._fatal is None:
            await asyncio.sleep(pause)
            try:
                await self._probe(server)
            except (Unreachable, Fault) as error:
                why = error
            except Exception as error:  # whatever it is: unsaid, the samples would wait for ever
                self._end(error)
                return
            else:
                self._back(server, time.monotonic() - began)
                return
            pause = min(2 * pause, _LONGEST_LOOK)
            all_down = all(other.down for other in self.servers)
            if all_down and time.monotonic() - self._last_up > self._patience:
                self._end(
                    EngineDown(
                        f"{server.address.shown} has not answered for "
                        f"{_minutes(self._patience)} ({why}); every finished sample is kept, and "
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
