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
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeVar

ORDER = "longest expected first; one sample of every problem of unknown length before"
"""The rule in words, for the manifest."""

Key = TypeVar("Key", bound=Hashable)
"""Identifies a problem of a run; in the runner it is (task, problem id)."""

Rank = tuple[int, float, int]
"""Where a problem stands in the order: the smallest goes first."""


class Lengths(Generic[Key]):
    """Mean length of each problem's samples, in tokens: measured, or taken from an earlier run.

    A mean from an earlier run is never updated: another model's samples may all be longer, and a
    problem with a mean over both could not be compared with one measured on either.
    """

    def __init__(self) -> None:
        self._assumed: dict[Key, float] = {}
        self._seen: dict[Key, tuple[int, int]] = {}
        self._logarithms: dict[Key, tuple[float, float]] = {}  # their sum and that of their squares
        self._earlier: list[Lengths[Key]] = []

    def assume(self, means: Mapping[Key, float]) -> list[Key]:
        """Take these means for the problems without any; returns which problems those are."""
        new = [key for key in means if self.expected(key) is None]
        self._assumed |= {key: means[key] for key in new}
        return new

    def assume_measured(self, earlier: Lengths[Key]) -> list[Key]:
        """Take the means, and the spread, that an earlier run has measured; see `assume`."""
        self._earlier.append(earlier)
        return self.assume(earlier.means())

    def record(self, key: Key, tokens: int | None) -> None:
        """Add a sample that has ended; None where the engine counts no tokens."""
        if tokens is not None and key not in self._assumed:
            total, n = self._seen.get(key, (0, 0))
            self._seen[key] = total + tokens, n + 1
            logarithm = math.log(max(1, tokens))
            first, second = self._logarithms.get(key, (0.0, 0.0))
            self._logarithms[key] = first + logarithm, second + logarithm**2

    def spread(self) -> float | None:
        """Standard deviation of the logarithm of a length within a problem, over all problems.

        None where no problem has two samples, here or in the earlier runs.
        """
        squares, degrees = 0.0, 0
        for lengths in (self, *self._earlier):
            for key, (first, second) in lengths._logarithms.items():
                n = lengths._seen[key][1]
                squares += max(0.0, second - first**2 / n)
                degrees += n - 1
        return math.sqrt(squares / degrees) if degrees else None

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
        self._left = {key: _Rows(rows) for key, rows in missing.items()}
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
        if self.rank() is None:
            return None
        key = self._queue[0][-1]
        index = self._left[key].pop()
        self._n -= 1
        if key not in self._started:
            self._started.add(key)
            self.move(key)
        return key, index

    def rank(self) -> Rank | None:
        """Where the next sample's problem stands; None when all are taken."""
        while self._queue:
            *rank, key = self._queue[0]
            if self._left[key] and tuple(rank) == self._rank(key):
                return self._rank(key)
            heapq.heappop(self._queue)  # nothing left of it, or its length is known by now
        return None

    def record(self, key: Key, tokens: int | None) -> None:
        """Add the length of a sample that has ended, and move its problem to its new place."""
        self._lengths.record(key, tokens)
        self.move(key)

    def move(self, key: Key) -> None:
        """Put a problem, more of whose lengths are known, to its new place."""
        if self._left.get(key):
            heapq.heappush(self._queue, (*self._rank(key), key))

    def _rank(self, key: Key) -> Rank:
        """Unknown and not started; unknown and in flight; known, longest first."""
        expected = self._lengths.expected(key)
        if expected is not None:
            return 2, -expected, self._place[key]
        return int(key in self._started), 0.0, self._place[key]


class _Rows:
    """The indices of a problem that are left to take, first to last."""

    __slots__ = ("_at", "_rows")

    def __init__(self, rows: Sequence[int]) -> None:
        self._rows, self._at = rows, 0

    def __len__(self) -> int:
        return len(self._rows) - self._at

    def pop(self) -> int:
        """Take the first."""
        self._at += 1
        return self._rows[self._at - 1]
