"""Which published figures sources state differently. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from .scores import PublishedScore

_PARTS = (
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "effort",
    "reasoning_budget",
    "mode",
    "window",
)


def conflicts(scores: Iterable[PublishedScore]) -> list[tuple[PublishedScore, ...]]:
    """Figures that sources state with different values, each group in the order of the scores.

    Two figures contradict each other where nothing that both sources state of their protocols tells
    them apart, and neither source has the other's value under another protocol. A reproduction is
    another measurement, so it never conflicts with what it reproduces. Figures that a source only
    quotes come last in their group.
    """
    stated: dict[object, list[PublishedScore]] = {}
    for score in scores:
        if score.kind != "reproduction":
            about = (*score.subject, *sorted(score.subset.items()))
            stated.setdefault(about, []).append(score)
    groups = []
    for found in stated.values():
        if len({score.value for score in found}) > 1:
            groups += [
                tuple(sorted(group, key=lambda score: score.kind == "quoted"))
                for group in _joined(found, list(_contradictions(found)))
            ]
    return groups


def _contradictions(found: Sequence[PublishedScore]) -> Iterator[tuple[int, int]]:
    """The pairs of figures, by their places, that contradict each other."""
    values: dict[str, set[float]] = {}
    for score in found:
        values.setdefault(score.source, set()).add(score.value)
    for (i, first), (j, second) in combinations(enumerate(found), 2):
        elsewhere = first.value in values[second.source] or second.value in values[first.source]
        if first.source != second.source and not elsewhere and _same(first, second):
            yield i, j


def _same(first: PublishedScore, second: PublishedScore) -> bool:
    """Whether nothing that both state tells the two figures apart; tools are none unless stated."""
    ours, theirs = first.protocol, second.protocol
    if (ours.tools or "none") != (theirs.tools or "none"):
        return False
    stated = ((getattr(ours, part), getattr(theirs, part)) for part in _PARTS)
    return all(one is None or other is None or one == other for one, other in stated)


def _joined(
    found: Sequence[PublishedScore], pairs: Sequence[tuple[int, int]]
) -> list[list[PublishedScore]]:
    """The figures that pairs connect, in their order."""
    groups: list[set[int]] = []
    for pair in pairs:
        met = [group for group in groups if not group.isdisjoint(pair)]
        groups = [group for group in groups if group not in met] + [set(pair).union(*met)]
    return [[found[place] for place in sorted(group)] for group in groups]
