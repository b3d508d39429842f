"""Keeps to a server's rate limit in tokens per minute."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

_BURST = 0.05  # share of the limit that may be used at once; the rest becomes free over a minute
_POLL_SECONDS = 0.5  # a settled request may return tokens while others wait
_CHARACTERS = 3.5  # of English per token, on the low side: too small an estimate costs a 429


def estimate_tokens(text: str) -> int:
    """Estimated tokens of a prompt, without a tokenizer."""
    return int(len(text) / _CHARACTERS) + 8


class TokenRate:
    """A token bucket: a request takes what it is expected to use, and is corrected by what it used.

    The bucket holds a twentieth of the limit and fills by the rest in a minute, so that no minute
    exceeds the limit; a request larger than the bucket is sent when the bucket is full, whose level
    then is below zero. Requests are sent in the order in which they came.

    Args:
        per_minute: prompt and completion tokens that the server allows; None is no limit.
        clock: a monotonic clock, in seconds.
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
        self._updated = clock()
        self._turn = asyncio.Lock()
        self._mean = 0.0
        self._settled = 0

    def expected(self, cap: int | None) -> int:
        """Expected tokens of a completion: the mean so far, at first the cap."""
        if not self._settled:
            return cap or 0
        mean = int(self._mean) + 1
        return mean if cap is None else min(cap, mean)

    async def take(self, tokens: int) -> None:
        """Wait until a request of so many tokens may be sent."""
        if not self._limited:
            return
        async with self._turn:
            while (wait := self._wait(tokens)) > 0:
                await self._sleep(max(0.001, min(wait, _POLL_SECONDS)))
            self._level -= tokens

    def settle(self, taken: int, used: int | None, completion: int | None = None) -> None:
        """Correct what a request took by what it used.

        Args:
            taken: tokens that it took.
            used: tokens of its prompt and completion; 0 for a failed request.
            completion: tokens of its completion, for the mean.
        """
        if not self._limited or used is None:
            return
        self._level = min(self._size, self._level + taken - used)
        if completion is not None:
            self._settled += 1
            self._mean += (completion - self._mean) / self._settled

    def _wait(self, tokens: int) -> float:
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._updated) * self._fill)
        self._updated = now
        return (min(tokens, self._size) - self._level) / self._fill
