"""Learns from a server's refusals how fast it takes requests.

A server may count requests in fixed windows, over the last minute, or by a bucket that fills; it may
share its limit with other clients, and say how long to wait, or not. One measure holds for all: the
requests that it accepted between one end of refusals and the next, over the time between these two.
"""

from __future__ import annotations

import random
from collections import deque

from harness.engines.openai import retries
from harness.engines.openai.limit_headers import Quota

# The pace is the measured rate times 1 + _GAIN * (x - 1)^3: at first a little below it, level around
# it, and soon far above it if nothing is refused. This is the curve of CUBIC (RFC 9438), which AWS's
# clients use against rate limits too. x grows by 1 with as many requests as the measure rests on,
# between the two of _PLATEAU, or in _PLATEAU_SECONDS for each of these.
_GAIN = 0.04
_PLATEAU = (4, 24)
_PLATEAU_SECONDS = 5.0
_MEASURED = 48  # accepted requests that a measured rate rests on, as soon as there are so many
_MOST_GROWTH = 2.0  # then the pace counts as measured, and growth begins again
_ABOVE = 1.2  # most that a refused pace counts above the measured mean
_FIRST_WAITS = 4  # the longest first wait, as a multiple of the first of all
_LEAST_PACE = 0.05  # requests in the first wait; short refusals lower the pace no further
_SHORT_SECONDS = 10.0  # refusals that end so soon after a first burst are rather a bucket's

_FIRST_GROUP = 2
_MARGIN = 1.25  # a refusal takes about a round trip
_GROUPS = 12  # after so many a server takes thousands at once
_LONGEST_PROBE_SECONDS = 60.0
_SLACK_SECONDS = 0.25  # a request that is late by up to this does not delay the next one
_GRACE_SECONDS = (0.02, 5.0)  # bounds of the time in which a refusal is expected

LONGEST_HOLD_SECONDS = 3600.0
"""A server that asks to wait for longer is asked again every hour."""


class LearnedRate:
    """When one server is sent its next request. Times are in s of one monotonic clock.

    As long as nothing was refused, requests go out in groups that double with each round trip, and
    soon without any bound. The first refusal holds all of them back until a single one is accepted;
    from then on they go out at the measured rate.

    Args:
        jitter: draws what is added to waits, so that clients of one limit do not meet.
        round_trip: seconds that a small exchange with the server takes.
    """

    def __init__(self, jitter: random.Random, round_trip: float = 0.1) -> None:
        self.round_trip = round_trip
        self.longest_cycle = 0.0
        """Seconds of the longest wait for an accepted request, among those that ended."""
        self._jitter = jitter
        self._opened: float | None = None  # when the first request of this cycle was sent
        self._accepted = 0  # requests of this cycle, less those refused
        self._earlier = 0, 0.0  # accepted requests and seconds of this cycle before that
        self._cycles: deque[tuple[int, float]] = deque()  # accepted requests, and seconds
        self._ceiling = float("inf")  # of the first measure, by what the server says of its limit
        self._pace: float | None = None  # requests per second; None before the first refusal
        self._latest = 0.0  # pace of the latest request
        self._blocked = False
        self._refused = 0.0  # when the latest request that was refused was sent
        self._asked = False  # whether the server said how long to wait
        self._probes = 0  # refused in a row
        self._probe: float | None = None  # when the one in flight was sent
        self._next = 0.0
        self._calm = 0.0  # x above; only requests that waited for their turn count
        self._refusal_seconds = 0.0

    @property
    def limited(self) -> bool:
        """Whether requests are held back until one is accepted."""
        return self._blocked

    @property
    def learned(self) -> bool:
        """Whether the server has refused a request."""
        return self._blocked or self._pace is not None

    def delay(self, now: float) -> float:
        """Seconds until the next request may be sent; 0 or less if it may be now."""
        if self._blocked and self._probe is not None:
            left = self._probe + self._grace() - now
            if left > 0:
                return left
            self._open(self._probe)
        if self.learned:
            return self._next - now
        return self._group_delay(now)

    def sent(self, now: float, *, held: bool) -> None:
        """Record that a request was sent.

        Args:
            now: the time.
            held: whether it had to wait for its turn.
        """
        if self._opened is None:
            self._opened = now
        if self._blocked:
            self._probe = now
            return
        self._accepted += 1
        if self._pace is not None:
            pace = self._grown(self._pace, held=held)
            self._next = max(self._next, now - _SLACK_SECONDS) + 1 / pace
        if self._accepted >= _MEASURED and self._pace is not None:
            # What is older says little of the present rate.
            self._earlier = self._accepted, now - self._opened
            self._opened, self._accepted = now, 0

    def accepted(self, sent: float) -> None:
        """Record a reply that is no refusal, to a request of that time."""
        if self._blocked and self._probe == sent:
            self._open(sent)

    def refused(
        self, now: float, sent: float, asked: float | None = None, quota: Quota | None = None
    ) -> None:
        """Record a refusal.

        Args:
            now: the time.
            sent: when the request was sent.
            asked: seconds that the server asks to wait.
            quota: what it says of its limit.
        """
        self._refusal_seconds = max(now - sent, 0.7 * self._refusal_seconds)
        if self._blocked and self._probe != sent:  # sent before the first refusal was read
            if sent >= (self._opened or 0.0):
                self._accepted -= 1
            if asked:
                self._next = max(self._next, now + min(asked, LONGEST_HOLD_SECONDS))
            return
        if self._blocked:
            self._probes += 1
        else:
            if self._opened is not None and sent < self._opened:  # of a cycle that is measured
                return
            self._blocked, self._probes, self._calm = True, 0, 0.0
            self._accepted -= 1
        self._probe, self._refused, self._asked = None, sent, bool(asked)
        if quota is not None and quota.requests and quota.limit and quota.reset > 0:
            self._ceiling = quota.limit / quota.reset
        self._next = now + self._wait(asked, quota)

    def reopen(self, now: float) -> None:
        """Let the next request go at once, as to a server that was restarted."""
        self._next = min(self._next, now)

    def _wait(self, asked: float | None, quota: Quota | None) -> float:
        spread = 1 + 0.1 * self._jitter.random()
        if asked:  # a wait of 0 s is no information
            return min(asked * spread, asked + 1.0, LONGEST_HOLD_SECONDS)
        first = retries.FIRST_SECONDS
        if self._pace is not None:
            first = min(1 / self._pace, _FIRST_WAITS * first)
        wait = min(max(first, self._grace()) * 2.0 ** min(self._probes, 16), _LONGEST_PROBE_SECONDS)
        if quota is None:
            return wait * spread
        # A bucket has room soon; where the first probe found none, a window has to end.
        return min(quota.reset if self._probes else min(wait, quota.reset), LONGEST_HOLD_SECONDS)

    def _open(self, probe: float) -> None:
        """End a cycle: the request sent at `probe` was accepted, and begins the next one."""
        began = probe if self._opened is None else self._opened
        # Without a word of the server's, the moment is somewhere between the last two probes.
        reopened = probe if self._asked else (max(self._refused, began) + probe) / 2
        seconds = max(reopened - began, 1e-3)
        self.longest_cycle = max(self.longest_cycle, probe - began)
        earlier, earlier_seconds = self._earlier
        pace = self._measure(max(self._accepted + earlier, 1), seconds + earlier_seconds)
        self._earlier = 0, 0.0
        self._blocked, self._probe, self._opened, self._accepted = False, None, probe, 1
        self._next = probe + max(1 / self._grown(pace, held=False), self._grace())

    def _measure(self, accepted: int, seconds: float) -> float:
        """The pace by one more cycle."""
        rate = accepted / seconds
        if self._pace is None:
            if seconds < _SHORT_SECONDS:
                rate = accepted**0.5 / seconds
            rate = min(rate, self._ceiling)
            accepted = 1
            seconds = accepted / rate
        elif rate < self._pace / 2 or len(self._cycles) == 1:
            self._cycles.clear()  # a first burst shows a bucket's size, not the rate; or less is granted
        self._cycles.append((accepted, seconds))
        while sum(n for n, _ in self._cycles) - self._cycles[0][0] >= _MEASURED:
            self._cycles.popleft()
        mean = sum(n for n, _ in self._cycles) / sum(s for _, s in self._cycles)
        # The mean has the slow start of the cycle and the wait at its end in it; what was refused
        # in the end is at or above the rate.
        pace = (mean + min(max(self._latest, mean), _ABOVE * mean)) / 2
        if self._probes <= 1 and not self._asked:
            # The server had room soon: its refusals may be about an overload, not about a rate.
            pace = max(pace, _LEAST_PACE / retries.FIRST_SECONDS)
        self._pace = pace
        return pace

    def _group_delay(self, now: float) -> float:
        if self._opened is None:
            return 0.0
        seconds = _MARGIN * self.round_trip
        trips = int((now - self._opened) / seconds)
        if trips >= _GROUPS or self._accepted < _FIRST_GROUP * (2 ** (trips + 1) - 1):
            return 0.0
        return seconds * (trips + 1) - (now - self._opened)

    def _grown(self, pace: float, *, held: bool) -> float:
        """The pace after one more request that was accepted, as far as is known."""
        growth = 1 + _GAIN * (self._calm - 1) ** 3
        if growth > _MOST_GROWTH:
            self._pace, self._calm, growth = pace * growth, 1.0, 1.0
            pace = self._pace
        pace = self._latest = pace * growth
        self._calm += held * max(1.0, 1 / pace / _PLATEAU_SECONDS) / self._plateau()
        return pace

    def _plateau(self) -> float:
        least, most = _PLATEAU
        return min(
            most, max(least, self._accepted + self._earlier[0], *(n for n, _ in self._cycles))
        )

    def _grace(self) -> float:
        """Seconds after which a request without a reply is taken for accepted."""
        least, most = _GRACE_SECONDS
        return min(most, max(least, 2 * self._refusal_seconds))
