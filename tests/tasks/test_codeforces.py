"""Codeforces rows in the schema of open-r1/codeforces: tests, checkers, files, what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from harness.data.datasets import select_problems
from harness.data.parsing import parse_row
from harness.data.prompts import render
from harness.data.selection import Selection
from harness.errors import DataError
from harness.problem_tests import PackedTests
from harness.protocol import content_hash
from harness.tasks.codeforces import CASELESS, CODEFORCES
from harness.types import Limits, Problem, Sample, TestCase, Verdict

CHECKER = """\
import sys
due, found = (open(path).read().split() for path in sys.argv[2:4])
print(1 if len(found) == 1 and int(found[0]) % 2 == int(due[0]) % 2 else 0)
"""


def case(number: int) -> dict[str, str]:
    return {"input": f"{number}\n", "output": f"{2 * number}\n"}


def row(**changed: Any) -> Mapping[str, Any]:
    """A problem of our own in the hub's columns."""
    return {
        "id": "9001/A",
        "aliases": None,
        "contest_id": "9001",
        "contest_name": "Own Round 1",
        "contest_type": "CF",
        "contest_start": 1733207100,
        "contest_start_year": 2024,
        "index": "A",
        "time_limit": 1.5,
        "memory_limit": 256.0,
        "title": "Twice",
        "description": "Print twice the given number.",
        "input_format": "One integer.",
        "output_format": "One integer.",
        "interaction_format": None,
        "note": None,
        "examples": [{"input": "3\n", "output": "6\n"}],
        "editorial": "SECRET: multiply by two.",
        "rating": 800,
        "tags": ["math"],
        "testset_size": 2,
        "official_tests": [case(1), case(2)],
        "official_tests_complete": True,
        "input_mode": "stdio",
        "generated_checker": None,
        "executable": True,
        "generated_tests": 0,
        **changed,
    }


def parsed(**changed: Any) -> Problem:
    return parse_row(CODEFORCES, "own, row 1", row(**changed))


def test_a_row_has_its_own_limits_and_tests() -> None:
    problem = parsed()
    assert problem.tests == (TestCase("1\n", "2\n"), TestCase("2\n", "4\n"))
    assert problem.limits == Limits(1.5, 256)
    assert (problem.provenance.contest, problem.provenance.index) == ("9001", "A")
    assert problem.provenance.date == date(2024, 12, 3)
    assert CODEFORCES.grader.version == "code/2+cpp-time-x1+python-time-x1"


def test_the_editorial_is_nowhere_and_the_limits_are_in_the_prompt() -> None:
    asked = render(CODEFORCES.prompt, parsed()).user
    assert "SECRET" not in str(parsed())
    assert "1.5 s, 256 MB; standard streams" in asked
    assert "```\n3\n```\n\ngives\n\n```\n6\n```" in asked
    assert "input.txt and output.txt" in render(CODEFORCES.prompt, parsed(input_mode="file")).user


def test_file_input_and_checker_are_part_of_the_protocol() -> None:
    filed, checked = parsed(input_mode="file"), parsed(generated_checker=CHECKER)
    assert (filed.judging.input_file, filed.judging.output_file) == ("input.txt", "output.txt")
    assert checked.judging.checker == CHECKER
    assert content_hash(checked) != content_hash(parsed())
    assert content_hash(checked) != content_hash(parsed(generated_checker=CHECKER + "#"))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"input_mode": "socket"}, "field 'input_mode': 'socket'"),
        ({"official_tests": []}, "no tests"),
        ({"time_limit": None}, "field 'time_limit'"),
    ],
)
def test_a_row_that_cannot_be_judged_as_it_says_is_an_error(
    changed: dict[str, Any], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        parsed(**changed)


def write(path: Path, rows: list[Mapping[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist([dict(found) for found in rows]), path)


def test_cut_tests_are_completed_and_what_cannot_be_judged_is_counted(tmp_path: Path) -> None:
    cut = {"official_tests_complete": False}
    write(
        tmp_path / "codeforces.parquet",
        [
            row(),
            row(id="9001/B", index="B", generated_tests=2, **cut),
            row(id="9001/C", index="C", interaction_format="Ask and read."),
            row(id="9001/D", index="D", **cut),
            row(id="9001/E", index="E", executable=False, official_tests=None, time_limit=None),
        ],
    )
    generated = [{"problem_id": "9001/B", "test_i": n, **case(10 + n)} for n in (2, 1)]
    write(tmp_path / "generated_tests" / "test_cases_9001.parquet", generated)
    problems, left_out = select_problems(CODEFORCES, tmp_path, Selection())
    assert [problem.id for problem in problems] == ["9001/A", "9001/B"]
    assert [test.input for test in problems[1].tests] == ["1\n", "2\n", "11\n", "12\n"]
    assert sum(left_out.values()) == 3
    assert left_out["not judged (interactive)"] == 1


RAISES = """\
import sys
due, found = (open(path).read().split() for path in sys.argv[2:4])
(number,) = map(int, found)
if number < 0: sys.exit(3)
if number == 0: print("well"), sys.exit()
print(int(number % 2 == int(due[0]) % 2))
"""


@pytest.mark.parametrize(
    "text",
    [
        "You can print each letter in any case.",
        "You can output the answer in any case (upper or lower). For example, yEs.",
        'You can output "YES" and "NO" in any case.',
        "You may print every letter in any case you want.",
        "You can print each letter in any register.",
    ],
)
def test_letters_in_any_case(text: str) -> None:
    for field in ("description", "output_format", "note"):
        assert parsed(**{field: f"Print YES or NO.\n\n{text}"}).judging.checker == CASELESS
    assert parsed(note=text, generated_checker=CHECKER).judging.checker == CHECKER


@pytest.mark.parametrize(
    "text",
    ["In any case, print -1.", "Print it.\nThe letters are in any case lower.", "Print any."],
)
def test_letters_in_the_case_of_the_tests(text: str) -> None:
    assert parsed(output_format=text).judging.checker is None


ONLINE = """```cpp
#include <bits/stdc++.h>
int main() {
#ifndef ONLINE_JUDGE
freopen("in.txt", "r", stdin);
#endif
int n; std::cin >> n; std::cout << 2 * n; }
```
```bash
g++ -DONLINE_JUDGE a.cpp
```"""
RESPONSES = {
    "online": ONLINE,
    "word": "```python\nprint('x' * 3)\n```",
    "two": "```python\nprint(1, 2)\n```",
    "negative": "```python\nprint(-4)\n```",
    "zero": "```python\nprint(0)\n```",
    "nothing": "```python\n0\n```",
    "bytes": "```python\nimport sys\nsys.stdout.buffer.write(b'\\xff')\n```",
    "upper": "```python\nprint('YES' if int(input()) < 9 else 'no')\n```",
    "python": "```python\nprint(2 * int(input()))\n```",
    "cpp": "```cpp\n#include <iostream>\nint main() { int n; std::cin >> n; std::cout << 2 * n; }\n```",
    "file": "```python\nopen('output.txt', 'w').write(str(2 * int(open('input.txt').read())))\n```",
    "other": "```python\nprint(4 * int(input()))\n```",
}


ANY_CASE = "You can print each letter in any case."
YES = [{"input": "3\n", "output": "Yes\n"}]


@pytest.mark.parametrize(
    ("response", "changed", "due"),
    [
        ("python", {}, Verdict.CORRECT),
        ("cpp", {}, Verdict.CORRECT),
        ("file", {"input_mode": "file"}, Verdict.CORRECT),
        ("other", {}, Verdict.WRONG_ANSWER),
        ("other", {"generated_checker": CHECKER}, Verdict.CORRECT),
        ("online", {}, Verdict.CORRECT),
        # the checker fails on the output, and decides on the expected one
        ("other", {"generated_checker": RAISES}, Verdict.CORRECT),
        ("word", {"generated_checker": RAISES}, Verdict.WRONG_ANSWER),
        ("two", {"generated_checker": RAISES}, Verdict.WRONG_ANSWER),
        ("negative", {"generated_checker": RAISES}, Verdict.WRONG_ANSWER),
        ("zero", {"generated_checker": RAISES}, Verdict.WRONG_ANSWER),
        ("nothing", {"generated_checker": RAISES}, Verdict.WRONG_ANSWER),
        ("bytes", {"generated_checker": RAISES}, Verdict.WRONG_ANSWER),
        # it decides on neither
        ("other", {"generated_checker": "1/0"}, Verdict.ERROR),
        ("other", {"generated_checker": "x ="}, Verdict.ERROR),
        ("other", {"generated_checker": "raise SystemExit(3)"}, Verdict.ERROR),
        ("other", {"generated_checker": "print('maybe')"}, Verdict.ERROR),
        # letters in any case
        ("upper", {"note": ANY_CASE, "official_tests": YES}, Verdict.CORRECT),
        ("upper", {"official_tests": YES}, Verdict.WRONG_ANSWER),
        ("bytes", {"note": ANY_CASE, "official_tests": YES}, Verdict.WRONG_ANSWER),
    ],
)
@pytest.mark.usefixtures("sandbox")
def test_programs_are_judged(response: str, changed: dict[str, Any], due: Verdict) -> None:
    sample = Sample("9001/A", 0, None, RESPONSES[response], "stop")
    grade = CODEFORCES.grader.grade(parsed(**changed), sample)
    assert grade.verdict is due, grade.detail


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("time_limit", 0.0),
        ("time_limit", float("nan")),
        ("time_limit", float("inf")),
        ("time_limit", "2"),
        ("memory_limit", float("inf")),
        ("memory_limit", -1),
        ("contest_start", 10**30),
        ("contest_start", float("nan")),
        ("official_tests", [{"input": "1", "output": 2}]),
        ("official_tests", [{"input": "1"}]),
    ],
)
def test_a_row_of_other_values_is_one_line_with_its_place(field: str, value: object) -> None:
    with pytest.raises(DataError, match=r"own, row 1: ") as error:
        parsed(**{field: value})
    assert "\n" not in str(error.value)


def test_large_tests_are_held_packed() -> None:
    tests = [{"input": f"{number}\n" * 2000, "output": "1\n"} for number in range(3)]
    problem = parsed(official_tests=tests)
    assert isinstance(problem.tests, PackedTests)
    assert problem.tests == tuple(TestCase(test["input"], test["output"]) for test in tests)
