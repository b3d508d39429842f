"""In which order samples are drawn: longest expected first. Pure.

A run ends with its last sample, and long reasoning that begins last keeps a whole cluster waiting.
So the problems with the longest samples go first and the short ones fill the gaps at the end, as in
Graham's rule for scheduling on parallel machines (1969: longest processing time first).

How long a problem's samples are is known from an earlier run, or learned: one sample of every
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
"""What names a problem of a run: in the runner (task, problem id)."""


class Lengths(Generic[Key]):
    """How long each problem's samples are, in tokens: as they end, or as an earlier run's were.

    An earlier run's mean stays as it is: another model's samples may all be longer, and then a
    problem that has some of both would not compare with one that has not.
    """

    def __init__(self) -> None:
        self._assumed: dict[Key, float] = {}
        self._seen: dict[Key, tuple[int, int]] = {}

    def assume(self, means: Mapping[Key, float]) -> list[Key]:
        """Expect these of the problems of which nothing is known yet; returns which those are."""
        new = [key for key in means if self.expected(key) is None]
        self._assumed |= {key: means[key] for key in new}
        return new

    def learn(self, key: Key, tokens: int | None) -> None:
        """Count a sample that has ended; None where the engine counts no tokens."""
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
        """What is expected of every problem that was seen."""
        return {key: total / n for key, (total, n) in self._seen.items()}


class Schedule(Generic[Key]):
    """Which sample is drawn next; it holds one entry per problem, not one per sample.

    Args:
        missing: the indices that each problem lacks, in the order in which equals are taken.
        lengths: what is known; what is learned here goes there.
    """

    def __init__(self, missing: Mapping[Key, Sequence[int]], lengths: Lengths[Key]) -> None:
        self._lengths = lengths
        self._left: dict[Key, Iterator[int]] = {key: iter(rows) for key, rows in missing.items()}
        self._n = sum(map(len, missing.values()))
        self._place = {key: place for place, key in enumerate(missing)}
        self._begun: set[Key] = set()
        self._queue = [(*self._rank(key), key) for key in missing]
        heapq.heapify(self._queue)

    def __len__(self) -> int:
        """Samples that are still to be taken."""
        return self._n

    def take(self) -> tuple[Key, int] | None:
        """The next sample as (problem, index); None when all are taken."""
        while self._queue:
            *rank, key = self._queue[0]
            index = next(self._left[key], None) if tuple(rank) == self._rank(key) else None
            if index is None:  # nothing left of it, or its length was learned meanwhile
                heapq.heappop(self._queue)
                continue
            self._n -= 1
            if key not in self._begun:
                self._begun.add(key)
                self._move(key)
            return key, index
        return None

    def learn(self, key: Key, tokens: int | None) -> None:
        """Count a sample that has ended, so that its problem takes its new place."""
        self._lengths.learn(key, tokens)
        self._move(key)

    def _move(self, key: Key) -> None:
        if key in self._left:
            heapq.heappush(self._queue, (*self._rank(key), key))

    def _rank(self, key: Key) -> tuple[int, float, int]:
        """Unknown and not begun; unknown and in flight; known, longest first."""
        expected = self._lengths.expected(key)
        if expected is not None:
            return 2, -expected, self._place[key]
        return int(key in self._begun), 0.0, self._place[key]
