"""Whether a request to a server is retried, and after how many seconds."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

RETRIED = frozenset({408, 409, 424, 425, 429})
"""Statuses below 500 that say "not now" (424 is TGI's failed generation)."""

_NEVER = frozenset({501, 505})
"""Statuses from 500 on that say "not at all": the server has no such path or method."""

FIRST_SECONDS = 0.5
"""Longest wait before the first retry; it doubles with each further one."""

_LONGEST_SECONDS = 60.0
_TIMEOUTS = 2  # a request that ran into its time limit twice will do so again


def is_retried(status: int) -> bool:
    """Whether a status is about the state of the server, not about the request."""
    return status in RETRIED or (status >= 500 and status not in _NEVER)


@dataclass(slots=True)
class Tries:
    """The tries of one sample: how many are left, and how long to wait before the next.

    Args:
        limit: failed tries after which the sample is given up; rate-limit refusals do not count.
        random: draws the jitter, so that hundreds of samples do not retry at one moment.
    """

    limit: int
    random: random.Random
    failures: int = field(default=0, init=False)
    timeouts: int = field(default=0, init=False)

    def fail(self, *, timed_out: bool = False) -> bool:
        """Count a failed try; returns whether to retry.

        Args:
            timed_out: whether the time limit of the request ran out.
        """
        self.failures += 1
        self.timeouts += timed_out
        return self.failures < self.limit and self.timeouts < _TIMEOUTS

    def wait(self, asked: float | None = None) -> float:
        """Seconds until the next try: doubles each time, and is at least what the server asked for.

        The jitter is half of the wait, or a tenth on top of what the server asked for.

        Args:
            asked: seconds that the server asked to wait.
        """
        if asked:  # a wait of 0 s is no information
            return asked * (1 + 0.1 * self.random.random()) + 0.1 * self.random.random()
        round_ = min(max(self.failures, 1), 16)
        longest = min(_LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (round_ - 1))
        return longest * (0.5 + 0.5 * self.random.random())


def request_seconds(cap: int | None) -> float:
    """Time limit of one request in seconds: one for every four tokens of its cap, at least 600.

    Four tokens per second is less than a busy server generates for one sequence; the minimum covers
    the time that a request spends in its queue. Without a cap it is that of 32,768 tokens.
    """
    return max(600.0, (cap or 32_768) / 4)
