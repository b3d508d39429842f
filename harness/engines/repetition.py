"""Detects that a text has become a loop: its last tokens are N repeats of one pattern. Pure.

The pattern has 8 to 64 tokens. A shorter pattern is found as a multiple of itself, so it must have
repeated for at least 8 N tokens: a row of zeros in a matrix is no loop. vLLM's own detection, which
its engine uses, gets the same three numbers and cuts at the same token.
"""

from __future__ import annotations

from collections import deque

SHORTEST = 8
LONGEST = 64
"""Tokens of a pattern. They are part of what a guard of N means, and so of the protocol."""


def detection(guard: int | None) -> dict[str, int] | None:
    """The guard as vLLM's `repetition_detection`; None without one."""
    if guard is None:
        return None
    return {"max_pattern_size": LONGEST, "min_pattern_size": SHORTEST, "min_count": guard}


class LoopDetector:
    """Checks one completion, a token at a time, for N repeats of a pattern at its end.

    For each distance it counts how many tokens in a row equal the token that far back: N repeats of
    a pattern of p tokens are (N - 1) p such tokens.

    Args:
        repeats: N, at least 2.
    """

    def __init__(self, repeats: int) -> None:
        self._repeats = repeats
        self._last: deque[int] = deque(maxlen=LONGEST)  # the latest token first
        self._runs: dict[int, int] = {}  # by distance, those that are above 0

    def add(self, token: int) -> bool:
        """Count one more token; True when the text has become a loop."""
        runs = self._runs
        self._runs = {
            distance: runs.get(distance, 0) + 1
            for distance, earlier in enumerate(self._last, 1)
            if earlier == token
        }
        self._last.appendleft(token)
        return any(
            run >= (self._repeats - 1) * distance and distance >= SHORTEST
            for distance, run in self._runs.items()
        )
