"""Intervals as figures draw them: as far below a value as above it only where they are so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Ends = tuple[float, float] | None
"""Both ends of an interval; None where there is none."""

_ROOM = 0.04  # of the height of a panel, beyond a share of 0 or 1, so that no marker is cut


def whiskers(values: Sequence[float], intervals: Sequence[Ends]) -> tuple[list[float], list[float]]:
    """How far each interval reaches below and above its value, as `errorbar` takes it.

    Where there is none both are NaN, and nothing is drawn.
    """
    known = [ends or (math.nan, math.nan) for ends in intervals]
    return (
        [value - low for value, (low, _) in zip(values, known, strict=True)],
        [high - value for value, (_, high) in zip(values, known, strict=True)],
    )


def within_shares(axes: Axes) -> None:
    """Let the y axis of a share end where shares do, however near 0 or 1 its values lie."""
    low, high = axes.get_ylim()
    low, high = max(low, 0.0), min(high, 1.0)
    room = _ROOM * (high - low)
    axes.set_ylim(low - room, high + room)
