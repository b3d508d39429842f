"""The rating that explains a model's places in several contests, and how sure it is. Pure.

Under Elo's expectation a participant rated r finishes before one rated q with probability
1 / (1 + 10^((q - r) / 400)). So r implies an expected place, and a place, averaged over the
participations in a contest, implies a rating: that of the contest alone. Two ratings come of them:

- the *mean* of the contests' ratings, as CodeElo (arXiv 2501.01257) reports it. A place turns into
  a rating along a curve that is steep at both ends of a field, so a place that varies gives a
  rating that is too far from the middle on average;
- the *joint* rating, under which the ratings of the contests are expected to have the mean that
  they have. `docs/rating.md` has the bias of both.

What varies is an exponential race, which has Elo's odds for every pair exactly (Plackett-Luce), and
the contest effect: the problems of one contest suit a model better than those of another. Three
contests show the effect by the spread of their ratings.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.stats.intervals import mean
from harness.stats.rating_curve import REACH, STEP, Curve, curve
from harness.stats.student import student

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

CONFIDENCE = 0.95
LEAST_CONTESTS = 3
"""Contests from which on the contest effect is estimated."""


@dataclass(frozen=True, slots=True)
class Placing:
    """A place in a field of participants with the given ratings, averaged over participations."""

    ratings: Sequence[float]
    place: float
    participations: int = 1


@dataclass(frozen=True, slots=True)
class Joint:
    """The joint rating and its interval.

    A rating of None is above (first in every contest) or below (last in every one) all bounds;
    the limit on that side is then None too. `contest_effect` is the estimated standard deviation
    of the model's strength over contests, in rating points; None where it cannot be estimated, and
    then the interval leaves it out: it holds for these contests, not for others like these.
    """

    rating: float | None
    low: float | None
    high: float | None
    contest_effect: float | None = None


@dataclass(frozen=True, slots=True)
class MeanRating:
    """The mean of per-contest ratings, those ratings, and how many places had to be clamped."""

    rating: float
    ratings: tuple[float, ...]
    clamped: int


def mean_rating(placings: Sequence[Placing]) -> MeanRating:
    """The mean over contests of the rating whose expected place is the actual one.

    A first or last place has no such rating: it is moved half a place inwards, and counted.

    Raises:
        ValueError: no contest, or one without participants.
    """
    _check(placings)
    ratings, clamped = [], 0
    for placing in placings:
        ratings.append(curve(tuple(placing.ratings), 1).rating_at(placing.place))
        clamped += not 1.5 <= placing.place <= len(placing.ratings) + 0.5
    return MeanRating(mean(ratings), tuple(ratings), clamped)


def joint_rating(placings: Sequence[Placing], confidence: float = CONFIDENCE) -> Joint:
    """The one rating that explains the places in all contests, and its interval.

    From three contests on it is the r under which the contests' ratings are expected to have the
    mean that they have, with a random effect of the contest; see `_random_effect`. With one or two,
    where all places are first ones (or last ones), and where a single contest holds nearly all that
    there is to know, nothing shows how much contests differ. Then it is the r whose expected places
    add up to the actual ones, and the interval a score interval by `place_variance`, which leaves
    the contest effect out.

    Raises:
        ValueError: no contest, or one without participants.
    """
    import numpy as np

    grid = np.arange(*_check(placings), STEP)
    curves = [curve(tuple(p.ratings), p.participations) for p in placings]
    over = [found.over(grid) for found in curves]
    if len(placings) >= LEAST_CONTESTS and _tell_apart(placings):
        seen = [found.rating_at(p.place) for found, p in zip(curves, placings, strict=True)]
        residuals = np.array(seen)[:, None] - [found.expectation for found in over]
        joint = _random_effect(residuals, over, confidence)
        if joint is not None:
            return joint
    ahead = math.fsum(placing.place - 1 for placing in placings)
    first, last = ahead <= 0, ahead >= sum(found.size for found in over)
    total = np.sum([found.size * found.share for found in over], axis=0) - ahead
    variances = [found.size**2 * found.share_variance for found in over]
    half = student(confidence, math.inf) * np.sqrt(np.sum(variances, axis=0))
    low, high = _limits(grid, total, half)
    return Joint(
        rating=None if first or last else _crossing(grid, total),
        low=None if last else low,
        high=None if first else high,
    )


def _random_effect(residuals: Array, curves: Sequence[Curve], confidence: float) -> Joint | None:
    """The joint rating where the strength differs by contest, and Student's interval for it.

    Residuals are weighted by their information on the rating, the race's variance and that of the
    contest effect together (as DerSimonian and Laird 1986). The variance of their mean is found
    from their spread, not from the estimated effect, which few contests hardly show (Hartung and
    Knapp 2001; for unequal weights the robust form of Sidik and Jonkman 2006), with the degrees of
    freedom that the weights leave (Satterthwaite). A race is skewed: the interval is moved by the
    correction of Johnson (1978) for the race's third moment, its square at its expectation.

    Args:
        residuals: ratings of the contests less their expectations, (contests, ratings).
        curves: of the contests, over the same ratings.
        confidence: of the interval.

    Returns:
        None where the weights leave less than two contests.
    """
    import numpy as np

    grid = curves[0].ratings
    at = min(int((residuals.sum(axis=0) > 0).sum()), len(grid) - 1)
    slopes = np.array([np.gradient(found.expectation, STEP)[at] for found in curves])
    variances = np.array([max(float(found.variance[at]), 1.0) for found in curves])
    thirds = np.array([found.third[at] for found in curves])
    effect = _contest_effect(residuals[:, at], variances, slopes)
    weights = slopes / (variances + slopes**2 * effect**2)
    information = weights * slopes
    contests = information.sum() ** 2 / (information**2).sum()
    if contests < 2:
        return None
    weights /= information.sum()
    strength = weights @ residuals
    spread = weights**2 @ (residuals - slopes[:, None] * strength) ** 2 * contests / (contests - 1)
    skew = weights**3 @ thirds / (2 * np.maximum(spread, weights**2 @ variances))
    half = student(confidence, contests - 1) * np.sqrt(spread)
    low, high = _limits(grid, strength + skew, half)
    return Joint(_crossing(grid, strength), low, high, effect)


def _limits(ratings: Array, centre: Array, half: Array) -> tuple[float | None, float | None]:
    """The ratings around that of centre 0 at which it is `half` away; None where it never is."""
    start = min(int((centre > 0).sum()), len(ratings) - 1)
    low = _crossing(ratings[start::-1], (half - centre)[start::-1])
    return low, _crossing(ratings[start:], (half + centre)[start:])


def _tell_apart(placings: Sequence[Placing]) -> bool:
    """Whether not all places are within half a place of the first, or all of the last."""
    top = all(placing.place <= 1.5 for placing in placings)
    return not top and any(placing.place < len(placing.ratings) + 0.5 for placing in placings)


def _contest_effect(residuals: Array, variances: Array, slopes: Array) -> float:
    """Standard deviation of the strength over contests: the spread that the race leaves unexplained.

    The variance of the residuals less the mean variance of the race (Hedges and Olkin 1985), by the
    slope at which a strength shows in a contest's rating; 0 where nothing is left.

    Args:
        residuals: of the contests, at the joint rating.
        variances: of the race in each.
        slopes: of the expected ratings of the contests by the strength.
    """
    unexplained = float(residuals.var(ddof=1) - variances.mean())
    return math.sqrt(max(0.0, unexplained / max(float((slopes**2).mean()), 1e-9)))


def _crossing(ratings: Array, values: Array) -> float | None:
    """Where the values first turn from positive to not positive, interpolated; None where nowhere."""
    import numpy as np

    turns = np.flatnonzero((values[:-1] > 0) & (values[1:] <= 0))
    if not len(turns):
        return None
    i = turns[0]
    share = values[i] / (values[i] - values[i + 1])
    return float(ratings[i] + share * (ratings[i + 1] - ratings[i]))


def _check(placings: Sequence[Placing]) -> tuple[float, float]:
    """The interval in which a rating is searched.

    Raises:
        ValueError: no contest, or one without participants.
    """
    if not placings or not all(placing.ratings for placing in placings):
        raise ValueError("a rating needs a contest, and every contest a rated participant")
    ratings = [rating for placing in placings for rating in placing.ratings]
    return min(ratings) - REACH, max(ratings) + REACH


def percentile(rating: float, population: Sequence[float]) -> float:
    """Percentage (0 to 100) of a population that is rated lower.

    Args:
        rating: in Elo points.
        population: ratings in ascending order.

    Raises:
        ValueError: the population is empty.
    """
    if not population:
        raise ValueError("the percentile in an empty population")
    return 100 * bisect_left(population, rating) / len(population)
