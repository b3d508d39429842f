"""In which order samples are drawn: longest expected first. Pure.

A run ends with its last sample, and long reasoning that starts last keeps a whole cluster waiting.
So the problems with the longest samples go first and the short ones fill the gaps at the end:
longest processing time first, Graham's rule for parallel machines (R. L. Graham, "Bounds on
multiprocessing timing anomalies", SIAM J. Appl. Math. 17, 1969).

How long a problem's samples are is known from an earlier run or measured: one sample of every
unknown problem goes first, then the problems whose first sample is still being drawn (they outlast
those that have ended), then the longest mean so far. Samples of one problem stay together
otherwise, so that an engine's prefix cache serves them.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Generic, TypeVar

ORDER = "longest expected first; one sample of every problem of unknown length before"
"""The rule in words, for the manifest."""

Key = TypeVar("Key", bound=Hashable)
"""Identifies a problem of a run; in the runner it is (task, problem id)."""


class Lengths(Generic[Key]):
    """Mean length of each problem's samples, in tokens: measured, or taken from an earlier run.

    A mean from an earlier run is never updated: another model's samples may all be longer, and a
    problem with a mean over both could not be compared with one measured on either.
    """

    def __init__(self) -> None:
        self._assumed: dict[Key, float] = {}
        self._seen: dict[Key, tuple[int, int]] = {}

    def assume(self, means: Mapping[Key, float]) -> list[Key]:
        """Take these means for the problems without any; returns which problems those are."""
        new = [key for key in means if self.expected(key) is None]
        self._assumed |= {key: means[key] for key in new}
        return new

    def record(self, key: Key, tokens: int | None) -> None:
        """Add a sample that has ended; None where the engine counts no tokens."""
        if tokens is not None and key not in self._assumed:
            total, n = self._seen.get(key, (0, 0))
            self._seen[key] = total + tokens, n + 1

    def expected(self, key: Key) -> float | None:
        """Mean length of a problem's samples; None where nothing is known."""
        if key in self._assumed:
            return self._assumed[key]
        total, n = self._seen.get(key, (0, 0))
        return total / n if n else None

    def means(self) -> dict[Key, float]:
        """The measured mean of every problem that has one."""
        return {key: total / n for key, (total, n) in self._seen.items()}


class Schedule(Generic[Key]):
    """Which sample is drawn next. Memory grows with the problems, not with the samples.

    Args:
        missing: the sample indices that each problem lacks; ties are broken by this order.
        lengths: the lengths known so far; `record` adds to them.
    """

    def __init__(self, missing: Mapping[Key, Sequence[int]], lengths: Lengths[Key]) -> None:
        self._lengths = lengths
        self._left: dict[Key, Iterator[int]] = {key: iter(rows) for key, rows in missing.items()}
        self._n = sum(map(len, missing.values()))
        self._place = {key: place for place, key in enumerate(missing)}
        self._started: set[Key] = set()
        self._queue = [(*self._rank(key), key) for key in missing]
        heapq.heapify(self._queue)

    def __len__(self) -> int:
        """How many samples are left to take."""
        return self._n

    def take(self) -> tuple[Key, int] | None:
        """The next sample as (problem, index); None when all are taken."""
        while self._queue:
            *rank, key = self._queue[0]
            index = next(self._left[key], None) if tuple(rank) == self._rank(key) else None
            if index is None:  # nothing left of it, or its length is known by now
                heapq.heappop(self._queue)
                continue
            self._n -= 1
            if key not in self._started:
                self._started.add(key)
                self._move(key)
            return key, index
        return None

    def record(self, key: Key, tokens: int | None) -> None:
        """Add the length of a sample that has ended, and move its problem to its new place."""
        self._lengths.record(key, tokens)
        self._move(key)

    def _move(self, key: Key) -> None:
        if key in self._left:
            heapq.heappush(self._queue, (*self._rank(key), key))

    def _rank(self, key: Key) -> tuple[int, float, int]:
        """Unknown and not started; unknown and in flight; known, longest first."""
        expected = self._lengths.expected(key)
        if expected is not None:
            return 2, -expected, self._place[key]
        return int(key in self._started), 0.0, self._place[key]
