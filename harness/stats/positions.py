"""How a rate depends on the position at which the right choice was shown. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PositionEffect:
    """Samples that showed the right choice at one position, against the other samples of their problem.

    Args:
        position: from 0.
        n: samples that showed it there, of problems that also showed it elsewhere.
        difference: their rate less that of the others, as a share.
        error: standard error of the difference over the same problems again.
    """

    position: int
    n: int
    difference: float
    error: float


def position_effects(shown: Iterable[tuple[str, int, bool]]) -> list[PositionEffect]:
    """The effect of each position, by ascending position; none where no problem has two of them.

    A risk difference stratified by problem (Mantel and Haenszel), so that it does not matter which
    problems happened to show their right choice where, with the variance of Sato (1989), which holds
    for few samples per problem as well as for many.

    Args:
        shown: of each graded sample, the problem's id, the position of the right choice, and whether
            the response was right.
    """
    problems: dict[str, dict[int, list[int]]] = {}
    for id, position, right in shown:
        counts = problems.setdefault(id, {}).setdefault(position, [0, 0])
        counts[0] += 1
        counts[1] += right
    found = []
    for position in sorted({at for counts in problems.values() for at in counts}):
        pairs = [(counts[position], _others(counts, position)) for counts in problems.values()
                 if position in counts and len(counts) > 1]  # fmt: skip
        if pairs:
            found.append(_effect(position, pairs))
    return found


def _others(counts: dict[int, list[int]], position: int) -> list[int]:
    rest = [pair for at, pair in counts.items() if at != position]
    return [sum(n for n, _ in rest), sum(right for _, right in rest)]


def _effect(position: int, pairs: list[tuple[list[int], list[int]]]) -> PositionEffect:
    difference = weight = slope = spread = 0.0
    for (n, right), (m, other) in pairs:
        size = n + m
        weight += n * m / size
        difference += (right * m - other * n) / size
        slope += (n * n * other - m * m * right + n * m * (m - n) / 2) / size**2
        spread += (right * (m - other) + other * (n - right)) / (2 * size)
    difference /= weight
    error = math.sqrt(max(0.0, difference * slope + spread)) / weight
    return PositionEffect(position, sum(n for (n, _), _ in pairs), difference, error)
