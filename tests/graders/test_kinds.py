"""Every kind of answer in tests/corpora/kinds gets its verdict, under both policies."""

import pytest

from harness.cli.match import match_row
from tests.support.answer_kinds import cases, kinds


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
