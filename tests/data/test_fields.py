"""Fields of a row: what each form admits, and what is said of another value."""

from __future__ import annotations

import pytest

from harness.data.fields import label, latex, texts
from harness.data.parsing import parse_row
from harness.errors import DataError
from harness.registry import tasks

NAN = float("nan")


@pytest.mark.parametrize("value", [NAN, float("inf"), True, None, "", " ", ["1"], {"a": 1}])
def test_an_answer_is_a_text_or_a_finite_number(value: object) -> None:
    with pytest.raises(ValueError, match="an answer is needed, a text or a number"):
        latex({"answer": value}, "answer")
    assert latex({"answer": 0.5}, "answer") == "0.5"


def test_an_integer_that_a_table_has_made_a_double_is_refused_where_it_may_be_another() -> None:
    assert latex({"answer": 2**100}, "answer") == str(2**100)
    for wide in (float(2**53), -1.2676506002282294e30):
        with pytest.raises(ValueError, match="too large to be exact there; write it as a text"):
            latex({"answer": wide}, "answer")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("Algebra ", "Algebra"), ("", None), (" ", None), (None, None), (NAN, None)],
)
def test_a_label_is_a_text_or_nothing(value: object, expected: str | None) -> None:
    assert label({"kind": value}, "kind") == expected


@pytest.mark.parametrize("value", [["Algebra"], {"a": 1}, 3, True])
def test_a_label_of_another_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="a text is needed, or nothing"):
        label({"kind": value}, "kind")


def test_a_long_value_is_cut_in_the_message() -> None:
    row = {"problem_idx": 1, "problem": "What?", "answer": ["9" * 5000]}
    with pytest.raises(DataError, match=r"field 'answer': .* an answer is needed") as caught:
        parse_row(tasks()["hmmt_feb26"], "rows.jsonl, line 1", row)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["A", "B"], ("A", "B")),
        ('["A", "B"]', ("A", "B")),
        ("['A', 'B']", ("A", "B")),
        ("[A", ("[A",)),
        ("A", ("A",)),
        (" ", ()),
        (None, ()),
    ],
)
def test_texts_are_a_list_also_as_csv_has_one(value: object, expected: tuple[str, ...]) -> None:
    assert texts({"kind": value}, "kind") == expected
    assert texts({}, "kind") == ()
