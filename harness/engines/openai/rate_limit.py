"""Keeps to a server's stated rate limits, in requests and in tokens per minute."""

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


class Bucket:
    """What may be used of a limit per minute.

    It holds a twentieth of the limit and fills by the rest in a minute, so that no minute exceeds the
    limit; what is larger than the bucket may be taken when it is full, and its level then is below
    zero.

    Args:
        per_minute: the limit; None is no limit.
        clock: a monotonic clock, in seconds.
    """

    def __init__(
        self, per_minute: int | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limited = per_minute is not None
        self._size = (per_minute or 0) * _BURST
        self._fill = (per_minute or 0) * (1 - _BURST) / 60
        self._level = self._size
        self._clock = clock
        self._updated = clock()

    def wait(self, amount: float) -> float:
        """Seconds until so much may be taken; 0 or less if it may be now."""
        if not self.limited:
            return 0.0
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._updated) * self._fill)
        self._updated = now
        return (min(amount, self._size) - self._level) / self._fill

    def take(self, amount: float) -> None:
        """Take so much; less than nothing gives it back."""
        self._level = min(self._size, self._level - amount)


class TokenRate:
    """A bucket of tokens: a request takes what it is expected to use, and is corrected by what it used.

    Requests are sent in the order in which they came.

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
        self._bucket = Bucket(per_minute, clock=clock)
        self._sleep = sleep
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
        if not self._bucket.limited:
            return
        async with self._turn:
            while (wait := self._bucket.wait(tokens)) > 0:
                await self._sleep(max(0.001, min(wait, _POLL_SECONDS)))
            self._bucket.take(tokens)

    def settle(self, taken: int, used: int | None, completion: int | None = None) -> None:
        """Correct what a request took by what it used.

        Args:
            taken: tokens that it took.
            used: tokens of its prompt and completion; 0 for a failed request.
            completion: tokens of its completion, for the mean.
        """
        if not self._bucket.limited or used is None:
            return
        self._bucket.take(used - taken)
        if completion is not None:
            self._settled += 1
            self._mean += (completion - self._mean) / self._settled
