"""A compact set of samples, one bit each: those drawn, offered or graded in a run of any size. Pure."""

from __future__ import annotations

from collections.abc import Iterable


class SampleSet:
    """Samples by their key (problem id, index); an index is small, since it runs from 0 to k-1."""

    __slots__ = ("_bits",)

    def __init__(self, keys: Iterable[tuple[str, int]] = ()) -> None:
        self._bits: dict[str, int] = {}
        for key in keys:
            self.add(key)

    def add(self, key: tuple[str, int]) -> None:
        """Add a sample."""
        id, index = key
        self._bits[id] = self._bits.get(id, 0) | 1 << index

    def discard(self, key: tuple[str, int]) -> None:
        """Remove a sample, if it is there."""
        id, index = key
        self._bits[id] = self._bits.get(id, 0) & ~(1 << index)

    def __contains__(self, key: tuple[str, int]) -> bool:
        id, index = key
        return bool(self._bits.get(id, 0) >> index & 1)

    def __len__(self) -> int:
        return sum(bits.bit_count() for bits in self._bits.values())
