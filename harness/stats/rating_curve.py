"""What a place in one contest says about a rating, and how much it varies. Pure.

Under Elo's expectation a participant rated r finishes before one rated q with probability
1 / (1 + 10^((q - r) / 400)). So r implies an expected place, and a place implies the r whose
expected place it is. The curve from places to ratings is steep at both ends of a field: a place that
varies gives a rating that is too far from the middle on average, by an amount computed here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

REACH = 4000.0
"""Rating points beyond the field within which a rating is searched."""

STEP = 8.0
"""Rating points between two entries of a table; what lies between is interpolated."""

_SCALE = math.log(10) / 400  # Elo's points to natural logarithms of odds
_NORMAL = ((0.0, 8 / 15), *((s * z, w) for z, w in ((1.355626, 0.222076), (2.856970, 0.011257))
                            for s in (-1, 1)))  # fmt: skip
"""Nodes and weights that integrate over a normal variable (Gauss and Hermite, five points)."""


def expected_place(rating: float, ratings: Sequence[float]) -> float:
    """1 + the expected number of participants who finish before one rated `rating`."""
    import numpy as np

    (share,), _ = _Race.of(ratings).over(np.array([rating]))
    return 1 + len(ratings) * float(share)


def place_variance(rating: float, ratings: Sequence[float], participations: int = 1) -> float:
    """Variance of a place that is the mean over participations in one contest.

    In an exponential race (Plackett-Luce) a participant at odds o against the player finishes before
    with probability 1 - v^o, v uniform in (0, 1) for the player's own time, and for given v
    independently of the others. So one place has the variance E[sum of p(1-p)] + Var(sum of p).
    Participations meet the same results of the field and have times of their own: what they share
    is the variance of E[place | the field's times], by the law of total variance, and only the rest
    averages out. That expectation is a sum of e^(-time) over the field, each of variance
    o / (2+o) - (o / (1+o))^2.

    Args:
        rating: of the player.
        ratings: of the field.
        participations: how many the place is the mean of.
    """
    import numpy as np

    race, at = _Race.of(ratings), np.array([rating])
    (share,), (shared,) = race.over(at)
    own, weights = _own_times()
    before, noise = race.given(rating + own / _SCALE)
    whole = float((noise + (before - share) ** 2) @ weights)
    return len(ratings) ** 2 * (float(shared) + (whole - float(shared)) / participations)


@dataclass(frozen=True, slots=True)
class Curve:
    """From a mean place in one field to a rating, and what is expected of both. Tables over `ratings`.

    Args:
        size: participants in the field.
        ratings: of a player, rising.
        share: of the field expected before the player.
        share_variance: of the share before the player, the mean over the participations.
        expectation: of the rating that such a place gives.
        variance: of that rating.
        third: its third central moment.
    """

    size: int
    ratings: Array
    share: Array
    share_variance: Array
    expectation: Array
    variance: Array
    third: Array

    def rating_at(self, place: float) -> float:
        """The rating whose expected place this is; a first or last place is moved half a place inwards."""
        import numpy as np

        return float(
            _inverse(np.array((place - 1) / self.size), self.share, self.ratings, self.size)
        )

    def over(self, ratings: Array) -> Curve:
        """The tables interpolated at other ratings."""
        import numpy as np

        tables = (
            self.share,
            self.share_variance,
            self.expectation,
            self.variance,
            self.third,
        )
        return Curve(
            self.size, ratings, *(np.interp(ratings, self.ratings, table) for table in tables)
        )


@lru_cache(maxsize=1024)
def curve(ratings: tuple[float, ...], participations: int) -> Curve:
    """The curve of a field for places that are the mean over some participations.

    The mean place over n participations is taken as one own time, weighted n^(-2/3), plus normal
    noise: that is exact for one, and has the expectation, the variance (`place_variance`) and the
    skewness of the mean for more.

    Args:
        ratings: of the field.
        participations: how many a place is the mean of.
    """
    import numpy as np

    drawn, size = _drawn(ratings), len(ratings)
    grid, share = drawn.ratings, drawn.share[:, None]
    share_variance = drawn.shared + (drawn.variance - drawn.shared) / participations
    part = participations ** (-2 / 3)
    noise = share_variance - part**2 * (drawn.variance - drawn.noise @ drawn.weights)
    uneven = (drawn.noise - (drawn.noise @ drawn.weights)[:, None]) / participations**2
    deviation = np.sqrt(np.maximum(noise[:, None] + uneven, 0.0))
    moments = np.zeros((3, len(grid)))  # about the player's own rating
    for node, weight in _NORMAL:
        varied = share + part * (drawn.before - share) + node * deviation
        off = _inverse(varied, drawn.share, grid, size) - grid[:, None]
        moments += weight * np.array([off**power @ drawn.weights for power in (1, 2, 3)])
    first, second, third = moments
    variance = np.maximum(second - first**2, 0.0)  # a difference of rounded numbers
    skew = third - 3 * first * second + 2 * first**3
    return Curve(size, grid, drawn.share, share_variance, grid + first, variance, skew)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """One participation of players of many ratings against one field, whatever their own time.

    Args:
        ratings: of the players, rising.
        share: of the field expected before them.
        shared: the part of its variance that participations share.
        variance: all of it.
        before: the share expected before them for each of their own times, (ratings, times).
        noise: the variance of that share, in the same shape.
        weights: of the times.
    """

    ratings: Array
    share: Array
    shared: Array
    variance: Array
    before: Array
    noise: Array
    weights: Array


@lru_cache(maxsize=32)
def _drawn(ratings: tuple[float, ...]) -> _Drawn:
    import numpy as np

    race = _Race.of(ratings)
    grid = np.arange(min(ratings) - REACH, max(ratings) + REACH, STEP)
    share, shared = race.over(grid)
    own, weights = _own_times()
    levels = grid[:, None] + own / _SCALE
    table = np.arange(levels.min(), levels.max() + STEP, STEP)
    before, noise = (np.interp(levels, table, column) for column in race.given(table))
    variance = (noise + (before - share[:, None]) ** 2) @ weights
    return _Drawn(grid, share, shared, variance, before, noise, weights)


def _inverse(found: Array, shares: Array, ratings: Array, size: int) -> Array:
    """The ratings at which shares of the field are expected before, half a place inside its ends.

    Args:
        found: the shares.
        shares: a table of expected shares, falling.
        ratings: those that it is a table over.
        size: participants in the field.
    """
    import numpy as np

    def log_odds(share: Array) -> Array:
        inside = np.clip(share, 1e-12, 1 - 1e-12)
        return np.log(inside) - np.log1p(-inside)

    half = 0.5 / size
    return np.interp(-log_odds(np.clip(found, half, 1 - half)), -log_odds(shares), ratings)


def _own_times() -> tuple[Array, Array]:
    """Minus the logarithms of exponential times, and their weights.

    With v = 1 / (1 + e^-x) uniform in (0, 1), the time -log v is integrated over the whole line by
    the trapezoidal rule.
    """
    import numpy as np

    x = np.arange(-15.0, 30.0, 0.5)
    weights = 1 / (2 + 2 * np.cosh(x))
    return -np.log(np.logaddexp(0.0, -x)), weights / weights.sum()


@dataclass(frozen=True, slots=True)
class _Race:
    """The field of one contest, equal ratings counted together; all figures are shares of it."""

    ratings: Array
    weights: Array
    size: int

    @classmethod
    def of(cls, ratings: Sequence[float]) -> _Race:
        import numpy as np

        found, counts = np.unique(np.asarray(ratings, dtype=float), return_counts=True)
        return cls(found, counts / len(ratings), len(ratings))

    def over(self, ratings: Array) -> tuple[Array, Array]:
        """For players with these ratings: the share expected before them, and its shared variance."""

        def at(odds: Array) -> tuple[Array, Array]:
            return odds / (1 + odds), odds / ((2 + odds) * (1 + odds) ** 2)

        return self._summed(ratings, at)

    def given(self, levels: Array) -> tuple[Array, Array]:
        """For players whose own time is known, by its logarithm: the share before them, and its variance."""
        import numpy as np

        def at(odds: Array) -> tuple[Array, Array]:
            before = -np.expm1(-odds)
            return before, before * (1 - before)

        return self._summed(levels, at)

    def _summed(
        self, levels: Array, at: Callable[[Array], tuple[Array, Array]]
    ) -> tuple[Array, Array]:
        """The mean over the field, and the variance of a mean, of what `at` gives for odds.

        One level at a time: a table over a field of thousands would need gigabytes at once.
        """
        import numpy as np

        means, variances = np.empty(len(levels)), np.empty(len(levels))
        for row, level in enumerate(levels):
            mean, variance = at(np.exp(_SCALE * (self.ratings - level)))
            means[row], variances[row] = self.weights @ mean, self.weights @ variance / self.size
        return means, variances
