"""AIME: the exam that a problem comes from, where its row says it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from harness.data.datasets import load_problems
from harness.registry import tasks
from harness.stats.clusters import clustering
from harness.tasks.aime import parse, parse_2025

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


def test_an_exam_gives_number_and_day() -> None:
    url = "https://wiki.example/index.php/2024_AIME_II_Problems/Problem_15"
    origin = parse({**ROW, "url": url}).provenance
    assert (origin.index, origin.date) == ("15", date(2024, 2, 7))
    later = parse({**ROW, "url": url.replace("2024", "2031")}).provenance
    assert (later.contest, later.date) == ("2031 AIME II", None)


@pytest.mark.parametrize(
    ("id", "contest", "index", "day"),
    [
        ("0", "2025 AIME I", "1", 6),
        (14, "2025 AIME I", "15", 6),
        ("15", "2025 AIME II", "1", 12),
        ("29", "2025 AIME II", "15", 12),
        ("I-7", "2025 AIME I", "7", 6),
        ("II-3", "2025 AIME II", "3", 12),
    ],
)
def test_an_id_of_2025_names_the_exam(id: object, contest: str, index: str, day: int) -> None:
    origin = parse_2025({**ROW, "id": id}).provenance
    assert (origin.contest, origin.index, origin.date) == (contest, index, date(2025, 2, day))


@pytest.mark.parametrize("id", ["30", "p1", "III-1", "-1"])
def test_another_id_of_2025_names_none(id: str) -> None:
    assert parse_2025({**ROW, "id": id}).provenance.contest is None


@pytest.mark.parametrize("name", ["aime24", "aime25"])
def test_the_real_problems_are_of_two_exams(test_data: Path, name: str) -> None:
    found = load_problems(tasks()[name], test_data)
    exams = [problem.provenance.contest for problem in found]
    year = f"20{name[-2:]}"
    assert {exam: exams.count(exam) for exam in exams} == {
        f"{year} AIME I": 15, f"{year} AIME II": 15,
    }  # fmt: skip
    assert all(problem.provenance.date and problem.provenance.index for problem in found)
    assert (clusters := clustering(found)) is not None
    assert not clusters.used, "two exams do not tell how alike their problems are"
