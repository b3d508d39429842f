"""Contests: penalties, places among the real participants, and the rating that explains them. Pure.

Under Elo's expectation a participant rated r finishes before one rated q with probability
1 / (1 + 10^((q - r) / 400)). So r implies an expected place, and a place implies an r. Two
ratings come from the places of several contests:

- the *joint* rating, whose expected places over all contests add up to the actual ones; and
- the *mean* of the ratings that each contest gives alone, as CodeElo (arXiv 2501.01257) reports
  it. A place turns into a rating along a curve that is steep at both ends of a field, so
  the mean is biased where the joint rating is not (`docs/rating.md` has the measurement).

A submission counts as made at minute 0 (CodeElo's convention), since a model has no clock.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal, NamedTuple

from harness.stats.intervals import mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Scoring = Literal["points", "icpc"]
"""`points`: a problem is worth its points less 50 per failed attempt, and never less than 0.
`icpc`: one point per problem, and 10 penalty minutes per failed attempt decide among equals."""

POINTS_PER_FAILURE = 50.0
MINUTES_PER_FAILURE = 10.0
CONFIDENCE = 0.95
_SCALE = math.log(10) / 400  # Elo's points to natural logarithms of odds
_REACH = 4000.0  # rating points beyond the field within which a rating is searched


class Result(NamedTuple):
    """The result of a participation: points, then penalty minutes, fewer being better."""

    points: float
    penalty: float = 0.0


@dataclass(frozen=True, slots=True)
class Entrant:
    """A real participant: the rating before the contest, and the result in it."""

    rating: float
    result: Result


@dataclass(frozen=True, slots=True)
class Contest:
    """A contest as it was held.

    Args:
        id: the site's number of it.
        name: as the site prints it.
        scoring: how its results are computed.
        problems: the points that each problem is worth, by its index in the contest ("A", "B1").
        entrants: the participants with a rating, in any order.
        newcomers: how many participants were left out because they had no rating yet.
    """

    id: str
    name: str
    scoring: Scoring
    problems: Mapping[str, float]
    entrants: tuple[Entrant, ...]
    newcomers: int = 0


def result_of(contest: Contest, attempts: Mapping[str, Sequence[bool]]) -> Result:
    """The result of a participation.

    Args:
        contest: whose scoring and points apply.
        attempts: for each problem that was tried, whether each attempt in turn was accepted;
            those after the first accepted one are ignored.
    """
    points = penalty = 0.0
    for index, worth in contest.problems.items():
        accepted = attempts.get(index, ())
        if not any(accepted):
            continue
        failures = list(accepted).index(True)
        if contest.scoring == "points":
            points += max(0.0, worth - POINTS_PER_FAILURE * failures)
        else:
            points += 1
            penalty += MINUTES_PER_FAILURE * failures
    return Result(points, penalty)


def place(contest: Contest, result: Result) -> float:
    """The place among the entrants, from 1; an equal result counts half, as a draw does in Elo's model."""
    ahead = 0.0
    for entrant in contest.entrants:
        other = entrant.result
        if other == result:
            ahead += 0.5
        elif (-other.points, other.penalty) < (-result.points, result.penalty):
            ahead += 1
    return 1 + ahead


@dataclass(frozen=True, slots=True)
class Placing:
    """A place, averaged over samples, in a field of participants with the given ratings."""

    ratings: Sequence[float]
    place: float


@dataclass(frozen=True, slots=True)
class Joint:
    """The joint rating and its score interval.

    A rating of None is above (first in every contest) or below (last in every one) all bounds;
    the limit on that side is then None too.
    """

    rating: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class MeanRating:
    """The mean of per-contest ratings, those ratings, and how many places had to be clamped."""

    rating: float
    ratings: tuple[float, ...]
    clamped: int


def expected_place(rating: float, ratings: Sequence[float]) -> float:
    """1 + the expected number of participants who finish before one rated `rating`."""
    return 1 + _Field.of(ratings).ahead(rating)


def joint_rating(placings: Sequence[Placing], confidence: float = CONFIDENCE) -> Joint:
    """The one rating whose expected places over all contests add up to the actual ones.

    The interval holds the ratings under which the sum of places is not surprising at the given
    confidence: its distance from the expectation, over its standard deviation *at that rating*,
    lies within the normal quantile. The deviation is that of one draw per contest, as when
    performances run an exponential race, which has Elo's odds for every pair exactly
    (Plackett-Luce). Places averaged over samples vary less, so the interval is then wide rather
    than narrow.

    Raises:
        ValueError: no contest, or one without participants.
    """
    fields = [_Field.of(placing.ratings) for placing in placings]
    ahead = math.fsum(placing.place - 1 for placing in placings)
    size = sum(len(placing.ratings) for placing in placings)
    bounds = _bounds(placings)
    surprise = NormalDist().inv_cdf((1 + confidence) / 2)

    def excess(rating: float) -> float:
        return math.fsum(field.ahead(rating) for field in fields) - ahead

    def tension(rating: float) -> float:
        return excess(rating) / math.sqrt(math.fsum(field.variance(rating) for field in fields))

    last, first = ahead >= size, ahead <= 0
    return Joint(
        rating=None if first or last else _root(excess, bounds),
        low=None if last else _root(lambda rating: tension(rating) - surprise, bounds),
        high=None if first else _root(lambda rating: tension(rating) + surprise, bounds),
    )


def mean_rating(placings: Sequence[Placing]) -> MeanRating:
    """The mean over contests of the rating whose expected place is the actual one.

    A first or last place has no such rating: it is moved half a place inwards, and counted.

    Raises:
        ValueError: no contest, or one without participants.
    """
    bounds = _bounds(placings)
    ratings, clamped = [], 0
    for placing in placings:
        inside = min(max(placing.place, 1.5), len(placing.ratings) + 0.5)
        clamped += inside != placing.place
        ahead, entrants = inside - 1, _Field.of(placing.ratings)
        ratings.append(_root(lambda r, e=entrants, a=ahead: e.ahead(r) - a, bounds))  # type: ignore[misc]
    return MeanRating(mean(ratings), tuple(ratings), clamped)


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


@dataclass(frozen=True, slots=True)
class _Field:
    """The ratings of one contest, equal ones counted together."""

    ratings: NDArray[np.float64]
    counts: NDArray[np.int64] = field(repr=False)

    @classmethod
    def of(cls, ratings: Sequence[float]) -> _Field:
        import numpy as np

        return cls(*np.unique(np.asarray(ratings, dtype=float), return_counts=True))

    def ahead(self, rating: float) -> float:
        """Expected number of participants who finish before one rated `rating`."""
        odds = self._odds(rating)
        return float(self.counts @ (odds / (1 + odds)))

    def variance(self, rating: float) -> float:
        """Variance of the number who finish before, in an exponential race.

        With v uniform in (0, 1) for the player's own time, participant i finishes before with
        probability p = 1 - v^odds, independently of the others. So the variance is
        E[sum of p(1-p)] + Var(sum of p) over v: an integral over the whole line after
        v = 1 / (1 + e^-x), where the trapezoidal rule at step 1 is right to four digits.
        """
        import numpy as np

        x = np.arange(-25.0, 50.0)
        weights = 1 / (2 + 2 * np.cosh(x))
        before = -np.expm1(np.outer(-np.logaddexp(0.0, -x), self._odds(rating)))
        own = (before * (1 - before)) @ self.counts
        together = before @ self.counts - self.ahead(rating)
        return float(weights @ (own + together**2))

    def _odds(self, rating: float) -> NDArray[np.float64]:
        import numpy as np

        return np.exp(_SCALE * (self.ratings - rating))


def _bounds(placings: Sequence[Placing]) -> tuple[float, float]:
    """The interval in which a rating is searched.

    Raises:
        ValueError: no contest, or one without participants.
    """
    if not placings or not all(placing.ratings for placing in placings):
        raise ValueError("a rating needs a contest, and every contest a rated participant")
    ratings = [rating for placing in placings for rating in placing.ratings]
    return min(ratings) - _REACH, max(ratings) + _REACH


def _root(falling: Callable[[float], float], bounds: tuple[float, float]) -> float:
    """Where a falling function of the rating crosses zero, to a hundredth of a point."""
    from scipy.optimize import brentq

    return float(brentq(falling, *bounds, xtol=1e-2))
