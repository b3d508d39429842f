"""A server's rate limit in tokens per minute, kept by the client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_BURST = 0.05  # of the limit may go out at once; the rest flows in over the minute
_LOOK_SECONDS = 0.5  # a settled request may give tokens back while others wait
_CHARACTERS = 3.5  # of English a token, on the low side: an estimate that is too small costs a 429


def estimate_tokens(text: str) -> int:
    """Tokens of a prompt, where nothing can count them."""
    return int(len(text) / _CHARACTERS) + 8


class TokenRate:
    """A token bucket: a request takes what it is expected to use, and settles with what it used.

    The bucket holds a twentieth of the limit and fills by the rest in a minute, so that no minute
    sees more than the limit; a request larger than the bucket goes when it is full, and is paid
    for afterwards. Requests go in the order in which they came.

    Args:
        per_minute: prompt and completion tokens that the server grants; None is no limit.
        clock: seconds that only go forward.
        sleep: waits for seconds.
    """

    def __init__(
        self,
        per_minute: int | None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._limited = per_minute is not None
        self._size = (per_minute or 0) * _BURST
        self._fill = (per_minute or 0) * (1 - _BURST) / 60
        self._level = self._size
        self._clock, self._sleep = clock, sleep
        self._seen = clock()
        self._turn = asyncio.Lock()
        self._mean = 0.0
        self._settled = 0

    def expected(self, cap: int | None) -> int:
        """Tokens that a completion will likely have: the mean so far, and the cap before that."""
        if not self._settled:
            return cap or 0
        mean = int(self._mean) + 1
        return mean if cap is None else min(cap, mean)

    async def take(self, tokens: int) -> None:
        """Wait until a request of so many tokens may go."""
        if not self._limited:
            return
        async with self._turn:
            while (wait := self._wait(tokens)) > 0:
                await self._sleep(max(0.001, min(wait, _LOOK_SECONDS)))
            self._level -= tokens

    def settle(self, taken: int, used: int | None, completion: int | None = None) -> None:
        """Correct what a request took by what it used; 0 for one that failed."""
        if not self._limited or used is None:
            return
        self._level = min(self._size, self._level + taken - used)
        if completion is not None:
            self._settled += 1
            self._mean += (completion - self._mean) / self._settled

    def _wait(self, tokens: int) -> float:
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._seen) * self._fill)
        self._seen = now
        return (min(tokens, self._size) - self._level) / self._fill
