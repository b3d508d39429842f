"""Scores by group, and their range where some problems lack the tests that decide."""

from __future__ import annotations

from datetime import date

import pytest

from harness.stats.breakdown import breakdown, open_range
from harness.stats.intervals import problems_interval, score_interval
from harness.stats.metrics import tallies
from harness.types import Grade, Judging, Problem, Provenance, Tally, Verdict


def problem(id: str, month: str, difficulty: str = "easy", *, decisive: bool = True) -> Problem:
    return Problem(
        id,
        "?",
        judging=Judging(decisive=decisive),
        provenance=Provenance(platform="atcoder", date=date.fromisoformat(f"{month}-03")),
        meta={"difficulty": difficulty},
    )


def grades(id: str, marks: str) -> list[Grade]:
    verdicts = {"+": Verdict.CORRECT, "-": Verdict.WRONG_ANSWER, "!": Verdict.ERROR}
    return [Grade(id, index, verdicts[mark]) for index, mark in enumerate(marks)]


PROBLEMS = {
    p.id: p
    for p in (
        problem("a", "2024-08"),
        problem("b", "2024-09", "hard"),
        problem("c", "2024-09", "medium", decisive=False),
        problem("d", "2024-10", "hard"),
    )
}
GRADES = [*grades("a", "++"), *grades("b", "+-"), *grades("c", "++"), *grades("d", "!!")]


def test_each_group_has_its_own_mean_and_errors() -> None:
    rows = breakdown(PROBLEMS, tallies(GRADES))
    assert [(r.by, r.group, r.n_problems, r.value) for r in rows] == [
        ("month", "2024-08", 1, 1.0),
        ("month", "2024-09", 2, 0.75),
        ("difficulty", "easy", 1, 1.0),
        ("difficulty", "medium", 1, 1.0),
        ("difficulty", "hard", 1, 0.5),
    ]
    september = rows[1]
    assert september.se_problems == pytest.approx(0.25)  # of the means 0.5 and 1
    assert september.se_sampling == pytest.approx((0.25 + 0) ** 0.5 / 2)
    assert rows[0].se_problems is None
    assert september.interval_problems == problems_interval([0.5, 1.0])
    assert september.interval_sampling == score_interval([Tally(2, 1), Tally(2, 2)])
    assert rows[0].interval_problems is None  # one problem says nothing of others
    assert rows[0].interval_sampling is not None
    assert rows[0].interval_sampling.low < rows[0].interval_sampling.high == 1


def test_a_property_that_not_every_problem_has_makes_no_rows() -> None:
    undated = PROBLEMS | {"e": Problem("e", "?", meta={"difficulty": "easy"})}
    found = breakdown(undated, tallies([*GRADES, *grades("e", "--")]))
    assert {row.by for row in found} == {"difficulty"}
    assert breakdown({}, tallies(GRADES)) == ()


def test_the_range_runs_from_all_open_ones_wrong_to_what_the_tests_say() -> None:
    found = open_range(PROBLEMS, tallies(GRADES))
    assert found is not None
    assert (found.n_open, found.low, found.high) == (1, 0.5, pytest.approx(2.5 / 3))
    assert found.low_se_problems == pytest.approx(3**-0.5 / 2)
    assert open_range({"a": PROBLEMS["a"]}, tallies(GRADES)) is None


def test_groups_and_ranges_know_which_problems_are_of_one_contest() -> None:
    """Four contests of three problems, all alike within a contest."""
    problems = {
        f"{contest}{i}": Problem(
            f"{contest}{i}", "?", judging=Judging(decisive=False),
            provenance=Provenance(contest=contest, date=date(2024, 8 + (i == 2), 3)),
        )
        for contest in "abcd" for i in range(3)
    }  # fmt: skip
    found = tallies([g for id in problems for g in grades(id, "++" if id[0] in "ac" else "--")])
    august, september = breakdown(problems, found)
    assert august.se_problems == pytest.approx((1 / 4 / 3) ** 0.5), "of four contests"
    assert september.se_problems == pytest.approx((1 / 4 / 3) ** 0.5)
    whole = open_range(problems, found)
    assert whole is not None
    assert whole.high_se_problems == pytest.approx((1 / 4 / 3) ** 0.5)
