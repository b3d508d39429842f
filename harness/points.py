"""Points, in which margins are stated: on the command line, in YAML files and in JSON names.

One point is a hundredth of the scale from 0 to 1. Code computes with shares; the conversion, and the
check that a number is not a share by mistake, stand here.
"""

from __future__ import annotations

from typing import Final

from harness.errors import UsageError

MARGIN: Final = 5.0
"""The drop, in points, that "no regression" excludes where nothing else is asked for."""

_SHARE: Final = 0.1  # below it a number is a share: no run shows a tenth of a point


def share_of(points: float, place: str) -> float:
    """The share from 0 to 1 that a number of points is.

    Args:
        points: as it was given.
        place: what it was given for, such as "--margin"; messages begin with it.

    Raises:
        UsageError: a share where points are meant, or no number between 0 and 100.
    """
    if problem := problem_with(points):
        raise UsageError(f"{place} {points:g}: {problem}")
    return points / 100


def problem_with(points: float) -> str | None:
    """Why a number is not one of points above 0 and below 100; None where it is."""
    if 0 < points < _SHARE:
        return (
            f"points are meant; 5 is five points, and a share of {points:g} is {100 * points:g} "
            "points"
        )
    if not 0 < points < 100:  # also what is no number
        return "points above 0 and below 100 are meant"
    return None


def points_of(share: float) -> float:
    """The points that a share is, rounded so that `share_of` gives the same share again."""
    return round(100 * share, 10)
