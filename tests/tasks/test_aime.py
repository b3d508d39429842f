"""AIME: the exam that a problem comes from, where its row says it."""

from __future__ import annotations

import pytest

from harness.tasks.aime import parse

ROW = {"id": 60, "problem": "1 + 1?", "answer": "002"}


@pytest.mark.parametrize(
    ("url", "contest"),
    [
        ("https://wiki.example/index.php/2024_AIME_I_Problems/Problem_1", "2024 AIME I"),
        ("https://wiki.example/index.php/2024_AIME_II_Problems/Problem_15", "2024 AIME II"),
        ("https://wiki.example/2024_AMC_10A_Problems/Problem_1", None),
        (None, None),
    ],
)
def test_the_exam_is_the_contest_of_a_problem(url: str | None, contest: str | None) -> None:
    assert parse({**ROW, "url": url}).provenance.contest == contest
    assert parse(ROW).provenance.contest is None
