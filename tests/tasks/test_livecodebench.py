"""LiveCodeBench's rows: the tests, what the model is asked, dates, errata, and real responses."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from harness.data.datasets import FileDataset, HubParts, load_problems, select_problems
from harness.data.parsing import parse_row
from harness.data.prompts import render
from harness.data.readers import read_rows
from harness.data.selection import Selection, Window
from harness.errors import DataError
from harness.tasks.livecodebench import ERRATA, LIVECODEBENCH
from harness.types import Limits, Problem, TestCase


def case(input: str, output: str, kind: str = "stdin") -> dict[str, str]:
    return {"input": input, "output": output, "testtype": kind}


def row(**changed: Any) -> Mapping[str, Any]:
    """A problem of our own in the hub's schema."""
    return {
        "question_title": "Double",
        "question_content": "Print twice the number {starter_code}.",
        "platform": "atcoder",
        "question_id": "own_a",
        "contest_id": "own",
        "contest_date": "2024-08-31T23:30:00",
        "starter_code": "",
        "difficulty": "easy",
        "public_test_cases": json.dumps([case("2\n", "4\n")]),
        "private_test_cases": json.dumps([case("5\n", "10\n")]),
        "metadata": "{}",
        **changed,
    }


def parsed(**changed: Any) -> Problem:
    return parse_row(LIVECODEBENCH, "own.jsonl, line 1", row(**changed))


def test_public_and_private_tests_are_read_packed_or_not() -> None:
    packed = base64.b64encode(
        zlib.compress(pickle.dumps(json.dumps([case("7\n", "14\n")])))
    ).decode()
    due = (TestCase("2\n", "4\n"), TestCase("7\n", "14\n"))
    assert parsed(private_test_cases=packed).tests == due
    with pytest.raises(DataError, match="problem own_a, private_test_cases"):
        parsed(private_test_cases=packed[:-8])


def test_what_unpacking_would_execute_is_refused(tmp_path: Path) -> None:
    class Touch:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "touched",))

    packed = base64.b64encode(zlib.compress(pickle.dumps(Touch()))).decode()
    with pytest.raises(DataError, match="cannot be decoded"):
        parsed(private_test_cases=packed)
    assert not (tmp_path / "touched").exists()


def test_the_prompt_asks_for_a_program_or_for_the_function() -> None:
    program = render(LIVECODEBENCH.prompt, parsed())
    assert program.user.startswith("### Question:\nPrint twice the number {starter_code}.\n\n###")
    assert "```python\n# YOUR CODE HERE\n```\n\n### Answer: (use the" in program.user
    assert program.system is None
    starter = "class Solution:\n    def double(self, n: int) -> int:\n        "
    function = parsed(
        starter_code=starter,
        public_test_cases=json.dumps([case("2", "4", "functional")]),
        private_test_cases="[]",
        metadata='{"func_name": "double"}',
    )
    asked = render(LIVECODEBENCH.prompt, function).user
    assert f"starter code to write the solution to the problem and enclose your code within "\
        f"delimiters.\n```python\n{starter}\n```\n\n### Answer" in asked  # fmt: skip
    assert function.tests == (TestCase("2", "4", "double"),)


def test_date_errata_and_open_tests_are_on_record() -> None:
    assert parsed().provenance.date == date(2024, 8, 31)
    assert parsed().provenance.erratum is None
    assert parsed().provenance.contest == "own"
    assert parsed(contest_id=None).provenance.contest is None
    assert parsed().judging.decisive
    assert not parsed(decisive=False).judging.decisive
    assert parsed(question_id="arc185_c").provenance.erratum == ERRATA["abc343_a"]
    assert parsed(question_id="arc189_a").provenance.erratum == "tests that are wrong"
    assert parsed(question_id="abc337_e").provenance.erratum == "interactive"
    erratum = parsed(question_title="find-the-peaks").provenance.erratum
    assert erratum is not None and erratum.startswith("several outputs")
    with pytest.raises(DataError, match=r"own\.jsonl, line 1: field 'contest_date'"):
        parsed(contest_date="August")


def test_the_hub_has_six_files_at_one_revision() -> None:
    dataset = LIVECODEBENCH.dataset
    assert isinstance(dataset, HubParts)
    assert [part.file for part in dataset.parts][:2] == ["test.jsonl", "test2.jsonl"]
    assert len(dataset.parts) == 6
    assert len({part.revision for part in dataset.parts}) == 1


def test_the_window_of_the_paper_in_real_data(test_data: Path) -> None:
    path = test_data / "lcb_o1_mini.jsonl"
    if not path.is_file():
        pytest.skip(f"the test data has no {path.name}")
    task = replace(LIVECODEBENCH, dataset=FileDataset(path))
    problems = load_problems(task, None)
    assert len(problems) == 877
    assert sum(problem.provenance.erratum is not None for problem in problems) == len(ERRATA) - 2
    window = Selection(Window.parse("2024-08..2025-01"))
    inside, left_out = select_problems(task, None, window)
    assert (len(inside), left_out.total()) == (278, 599)
    assert sum(not problem.judging.decisive for problem in inside) == 30


# The two responses on which the scorings differ, and one in twenty of the others, or all.
@pytest.mark.parametrize(
    "step",
    [pytest.param(20, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.exhaustive)],
)
@pytest.mark.usefixtures("sandbox")
@pytest.mark.parametrize(
    ("scoring", "due"), [("process", "process_verdict"), ("lcb-official", "official_verdict")]
)
def test_real_responses_are_graded_as_due(
    test_data: Path, scoring: str, due: str, step: int
) -> None:
    """Rows whose tests at hand decide them; the two scorings differ on two of them."""
    path = test_data / "lcb_o1_mini.jsonl"
    if not path.is_file():
        pytest.skip(f"the test data has no {path.name}")
    from harness.types import Sample

    grader = replace(LIVECODEBENCH.grader, scoring=scoring)  # type: ignore[type-var]
    wrong, differing = [], 0
    decisive = (row for row in read_rows(path) if row[1]["decisive"])
    for number, (place, found) in enumerate(decisive):
        differs = found["process_verdict"] is not found["official_verdict"]
        differing += differs
        if not differs and number % step:
            continue
        problem = parse_row(LIVECODEBENCH, place, found)
        sample = Sample(problem.id, 0, None, found["response"], "stop")
        grade = grader.grade(problem, sample)
        if grade.verdict == "time_limit" and found[due]:
            # One program needs 5 of its 6 s on a quiet machine: speed is not what is tested here.
            grade = grader.grade(replace(problem, limits=Limits(cpu_seconds=30.0)), sample)
        if (grade.verdict == "correct") is not found[due]:
            wrong.append((problem.id, grade.verdict, grade.detail))
    assert wrong == []
    assert differing == 2
