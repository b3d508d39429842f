"""Every kind of answer in tests/corpora/kinds gets its verdict, under both policies."""

import re

import pytest

from harness.cli.match import match_row
from harness.graders.math import STAGES
from tests.support.answer_kinds import cases, kinds
from tests.support.grading_docs import PAGE, page


@pytest.mark.parametrize(
    "case", list(cases()), ids=lambda case: f"{case.kind}-{case.grader}-{case.policy}"
)
def test_a_case_gets_its_verdict(case):
    row = {"gold": case.reference, "prediction": case.text, "form": case.form}
    found = match_row(row, kind=case.grader, extract=case.policy)
    assert (found.verdict == "correct") is case.correct, f"{found}: {case}"


def test_every_kind_has_a_rule_an_example_and_a_neighbour_that_differs():
    for group in kinds().values():
        for kind in group:
            assert kind.rule.strip(), kind.kind
            assert kind.equal or kind.different, kind.kind


def test_an_example_is_the_same_answer_in_a_box_and_as_a_bare_text_under_lenient():
    """What docs/grading.md says of the examples of its list."""
    for kind in (kind for group in kinds().values() for kind in group if kind.form == "answer"):
        for pairs, correct in ((kind.equal, True), (kind.different, False)):
            for reference, text in pairs[:1]:
                for prediction, policy in (
                    (rf"\boxed{{{text}}}", "strict"),
                    (rf"\boxed{{{text}}}", "lenient"),
                    (text, "lenient"),
                ):
                    row = {"gold": reference, "prediction": prediction}
                    found = match_row(row, kind=kind.graders[0], extract=policy)
                    assert (found.verdict == "correct") is correct, f"{found}: {kind.kind}"


def test_the_documentation_names_every_stage_as_it_is_printed():
    names = [stage.__name__ for stage in STAGES]
    found = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert found[found.index(names[0]) :][: len(names) + 1] == [*names, "undecided"]


def test_the_documentation_lists_the_kinds():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make docs`"


@pytest.mark.parametrize(
    ("reference", "answer", "verdict"),
    [
        (r"\frac{1}{2}", r"50\%", "wrong_answer"),
        (r"50\%", "50", "correct"),
        (r"\frac{\pi}{3}", r"60^\circ", "wrong_answer"),
        ("0.5", "0,5", "wrong_answer"),
        ("a^2+1", "x^2+1", "wrong_answer"),
        (r"\frac{1}{2}", r"\\frac12", "undecided"),
        (r"\frac13", "0.333333", "correct"),
        (r"\frac13", "0.3333", "wrong_answer"),
        (r"12\text{ cm}", r"12\text{ m}", "wrong_answer"),
        (r"\text{Yes}", "YES", "correct"),
    ],
)
def test_choices_of_ours_are_as_documented(reference, answer, verdict):
    row = {"gold": reference, "prediction": answer, "form": "answer"}
    assert match_row(row, kind="math", extract="strict").verdict == verdict
    assert f"| `{reference}` and `{answer}` |" in PAGE.read_text() or answer == "0.3333"
