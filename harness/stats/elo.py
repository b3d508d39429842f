"""Contests: points, penalties, and places among the real participants. Pure.

A submission counts as made at minute 0 (CodeElo's convention, arXiv 2501.01257), since a model has
no clock. `harness.stats.rating` makes a rating of the places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Scoring = Literal["points", "icpc"]
"""`points`: a problem is worth its points less 50 per failed attempt, and never less than 0.
`icpc`: one point per problem, and 10 penalty minutes per failed attempt decide among equals."""

POINTS_PER_FAILURE = 50.0
MINUTES_PER_FAILURE = 10.0


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
