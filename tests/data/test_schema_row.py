"""`--map` where a task reads rows by its own schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from harness.data.columns import Columns, parse_columns
from harness.data.schema_row import parse_published
from harness.errors import DataError, UsageError
from harness.registry import tasks
from harness.types import Problem

AIME = {"id": "1", "problem": "q", "answer": "70"}
MATH = {"unique_id": "1", "problem": "q", "answer": "70", "subject": "s", "level": 1}
GPQA = {"Record ID": "r", "Question": "q", "Correct Answer": "a", "Incorrect Answer 1": "b",
        "Incorrect Answer 2": "c", "Incorrect Answer 3": "d", "Subdomain": "s",
        "High-level domain": "h"}  # fmt: skip


def parse(task: str, row: Mapping[str, Any], **given: str) -> Problem:
    return parse_published(tasks()[task], "f.jsonl, line 1", row, Columns(given))


@pytest.mark.parametrize(("task", "row"), [("aime24", AIME), ("math500", MATH)])
def test_a_mapped_column_stands_for_the_schemas_own(task: str, row: dict[str, Any]) -> None:
    further = {"gold": "71", "n": "x", "meta": {"q": "other"}}
    found = parse(task, {**row, **further}, answer="gold", id="n", statement="meta.q")
    assert (found.answer, found.id, found.statement) == ("71", "x", "other")
    without = {name: value for name, value in row.items() if name != "answer"}
    assert parse(task, {**without, "gold": ["71"]}, answer="gold").answer == "71"


def test_a_schema_with_other_names_is_mapped_where_they_are_plain() -> None:
    found = parse("gpqa_diamond", {**GPQA, "n": "x", "q": "other"}, id="n", statement="q")
    assert (found.id, found.statement) == ("x", "other")


@pytest.mark.parametrize("row", [GPQA, {k: v for k, v in GPQA.items() if k != "Correct Answer"}])
def test_a_field_that_the_schema_does_not_read_is_refused(row: dict[str, Any]) -> None:
    with pytest.raises(
        UsageError, match=r"--map answer=gold: gpqa_diamond .*Correct Answer"
    ) as caught:
        parse("gpqa_diamond", {**row, "gold": "B"}, answer="gold")
    assert caught.value.exit_code == 2


def test_a_mapped_column_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="--map answer=gold: no such column"):
        parse("aime24", AIME, answer="gold")


@pytest.mark.parametrize(
    "answer", ["70.0", "$70$", r"\boxed{70}", "070", 70, 70.0, ["70.0"], " 70 "]
)
def test_an_aime_answer_is_read_as_any_integer(answer: object) -> None:
    assert parse("aime24", {**AIME, "answer": answer}).answer == "70"


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "",
        "70.5",
        70.5,
        "1000",
        "-1",
        True,
        "seventy-one or two",
        "four",
        "m+n=70",
        "140/2",
        "7 0",
        "70 or 71",
        "1e1",
    ],
)
def test_what_is_no_aime_answer_says_what_to_do(answer: object) -> None:
    with pytest.raises(DataError, match=r"integers from 0 to 999; .*--map answer=COLUMN") as caught:
        parse("aime24", {**AIME, "answer": answer})
    assert "int()" not in str(caught.value) and repr(answer) in str(caught.value)


def test_a_missing_column_says_how_it_is_named() -> None:
    row = {"id": "1", "problem": "q", "gold": "70"}
    with pytest.raises(DataError, match=r"'answer' is missing.*--map answer=COLUMN"):
        parse("aime24", row)


@pytest.mark.parametrize(
    ("given", "said"),
    [(["response=a,responses=b"], "give one of them"), (["answer=a", "answer=b"], "is a already")],
)
def test_a_field_is_mapped_once(given: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        parse_columns(given)
