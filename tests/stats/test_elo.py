"""Points, penalties and places in a contest."""

from __future__ import annotations

import pytest

from harness.stats.elo import Contest, Entrant, Result, place, result_of


def contest(scoring: str = "points", results: tuple[Result, ...] = ()) -> Contest:
    entrants = tuple(Entrant(1500, result) for result in results)
    return Contest("1", "Round 1", scoring, {"A": 500, "B": 1000}, entrants)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("attempts", "points", "icpc"),
    [
        ({}, Result(0), Result(0)),
        ({"A": [False, False]}, Result(0), Result(0)),
        ({"A": [True], "B": [True]}, Result(1500), Result(2)),
        ({"A": [False, True, False], "B": [False, False, True]}, Result(1350), Result(2, 30)),
        ({"A": [False] * 11 + [True]}, Result(0), Result(1, 110)),
    ],
)
def test_failed_attempts_cost_points_or_minutes(
    attempts: dict[str, list[bool]], points: Result, icpc: Result
) -> None:
    assert result_of(contest("points"), attempts) == points
    assert result_of(contest("icpc"), attempts) == icpc


def test_the_place_counts_who_is_ahead_and_half_of_who_is_level() -> None:
    field = contest("icpc", (Result(2, 10), Result(2, 40), Result(1, 0), Result(2, 40), Result(0)))
    assert place(field, Result(2, 40)) == 3
    assert place(field, Result(2, 0)) == 1
    assert place(field, Result(2, 20)) == 2
    assert place(field, Result(0)) == 5.5
