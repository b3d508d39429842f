"""Rate limits as servers count them, for the mock server and for simulated time. Times are in s."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class Limiter(Protocol):
    """Grants `limit` requests in `seconds`."""

    limit: int
    seconds: float

    def take(self, now: float) -> float:
        """0 where a request is granted, else the seconds until one would be."""


class FixedWindow:
    """So many per window; `phase` is how far the first window is at time 0."""

    def __init__(self, limit: int, seconds: float = 60.0, phase: float = 0.0) -> None:
        self.limit, self.seconds, self._phase = limit, seconds, phase
        self._window, self._used = -1, 0

    def take(self, now: float) -> float:
        window = int((now + self._phase) // self.seconds)
        if window != self._window:
            self._window, self._used = window, 0
        if self._used < self.limit:
            self._used += 1
            return 0.0
        return (window + 1) * self.seconds - self._phase - now


class SlidingWindow:
    """So many in the time before each request."""

    def __init__(self, limit: int, seconds: float = 60.0) -> None:
        self.limit, self.seconds = limit, seconds
        self._granted: deque[float] = deque()

    def take(self, now: float) -> float:
        while self._granted and self._granted[0] <= now - self.seconds:
            self._granted.popleft()
        if len(self._granted) < self.limit:
            self._granted.append(now)
            return 0.0
        return self._granted[0] + self.seconds - now


class TokenBucket:
    """A bucket of `burst` requests that fills at the rate."""

    def __init__(self, limit: int, seconds: float = 60.0, burst: int = 1) -> None:
        self.limit, self.seconds, self._burst = limit, seconds, burst
        self._level, self._at = float(burst), 0.0

    def take(self, now: float) -> float:
        rate = self.limit / self.seconds
        self._level = min(self._burst, self._level + max(0.0, now - self._at) * rate)
        self._at = now
        if self._level >= 1:
            self._level -= 1
            return 0.0
        return (1 - self._level) / rate
