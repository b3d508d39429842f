"""Integer and choice graders."""

import pickle
from dataclasses import replace

import pytest

from harness.errors import DataError
from harness.graders.base import with_settings
from harness.graders.choice import Choice
from harness.graders.integer import Integer
from harness.graders.math import Math
from harness.interfaces import Grader
from harness.types import Grade, Problem, Sample, Verdict

AIME = Integer(0, 999)


def sample(response, **fields):
    return Sample("p", 0, None, response, fields.pop("finish_reason", "stop"), **fields)


@pytest.mark.parametrize("grader", [AIME, Choice(), Math()])
def test_graders_are_pickled_values(grader):
    assert isinstance(grader, Grader)
    assert pickle.loads(pickle.dumps(grader)) == grader
    assert replace(grader, extract="lenient") != grader


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        ("\\boxed{25}", Verdict.CORRECT),
        ("\\boxed{025}", Verdict.CORRECT),
        ("\\boxed{25.0}", Verdict.CORRECT),
        ("\\boxed{25^\\circ}", Verdict.CORRECT),
        ("\\boxed{\\textbf{25}}", Verdict.CORRECT),
        ("\\boxed{m+n=25}", Verdict.CORRECT),
        ("\\boxed{12 + 13 = 25}", Verdict.CORRECT),
        ("\\boxed{\\frac{50}{2}}", Verdict.CORRECT),
        ("Answer: 25", Verdict.CORRECT),
        ("\\boxed{26}", Verdict.WRONG_ANSWER),
        ("\\boxed{-25}", Verdict.WRONG_ANSWER),
        ("\\boxed{2525}", Verdict.WRONG_ANSWER),
        ("\\boxed{\\frac{25}{2}}", Verdict.WRONG_ANSWER),
        ("\\boxed{25, 26}", Verdict.WRONG_ANSWER),
        ("\\boxed{x}", Verdict.WRONG_ANSWER),
        ("\\boxed{25 ?? $#}", Verdict.UNDECIDED),
        ("I could not find it.", Verdict.NO_ANSWER),
    ],
)
def test_integers(response, verdict):
    assert AIME.grade(Problem("p", "", "025"), sample(response)).verdict is verdict


@pytest.mark.parametrize("reference", ["1000", "-1", "1/2", "x", ""])
def test_a_reference_out_of_range_is_an_error(reference):
    with pytest.raises(DataError, match="problem p"):
        AIME.grade(Problem("p", "", reference), sample("\\boxed{1}"))


def test_integer_classes():
    assert AIME.classes(["025", "25", "m=25", "26", "x", "x"]) == [0, 0, 0, 1, 2, 2]


CHOICES = ("red", "green", "blue", "grey")


def test_a_letter_is_read_in_the_order_that_was_shown():
    problem = Problem("p", "", "blue", choices=CHOICES)
    shown = sample("Answer: A", choice_order=(2, 0, 1, 3))
    graded = Choice().grade(problem, shown)
    assert (graded.verdict, graded.answer) == (Verdict.CORRECT, "blue")
    graded = Choice().grade(problem, replace(shown, response="Answer: B"))
    assert (graded.verdict, graded.answer) == (Verdict.WRONG_ANSWER, "red")


def test_a_letter_that_was_not_shown_is_wrong():
    problem = Problem("p", "", "blue", choices=CHOICES)
    graded = Choice().grade(problem, sample("Answer: E", choice_order=(0, 1, 2, 3)))
    assert (graded.verdict, graded.detail) == (Verdict.WRONG_ANSWER, "no such choice")


def test_without_choices_the_answer_is_the_letter():
    graded = Choice().grade(Problem("p", "", "(B)"), sample("so \\boxed{B}"))
    assert (graded.verdict, graded.answer) == (Verdict.CORRECT, "B")


@pytest.mark.parametrize(
    ("response", "finish_reason", "verdict"),
    [
        ("A or B", "stop", Verdict.NO_ANSWER),
        ("hm", "length", Verdict.TRUNCATED),
        (None, "length", Verdict.TRUNCATED),
    ],
)
def test_no_letter(response, finish_reason, verdict):
    shown = sample(response, finish_reason=finish_reason)
    assert Choice().grade(Problem("p", "", "B"), shown).verdict is verdict


def test_a_grader_that_says_no_more_than_it_must_has_the_defaults() -> None:
    class Least(Grader):
        version = "least/3"

        def grade(self, problem: Problem, sample: Sample) -> Grade:
            raise NotImplementedError

    grader = Least()
    grader.ready()
    assert (grader.scoring, grader.budget(Problem("p", "?")), grader.startup_seconds) == (
        "least",
        0.0,
        0.0,
    )
    assert grader.classes(["b", "a", " b"]) == [0, 1, 0]
    assert with_settings(grader, extract="lenient", scoring="process", unsafe=True) is grader


@pytest.mark.parametrize("policy", ["strict", "lenient"])
@pytest.mark.parametrize(
    ("response", "stopped", "capped"),
    [
        ("So the answer is 25. Hence", Verdict.CORRECT, Verdict.CORRECT),
        ("So \\boxed{25}", Verdict.CORRECT, Verdict.CORRECT),
        ("So the answer is 25", Verdict.CORRECT, Verdict.TRUNCATED),
        ("<answer>25", Verdict.CORRECT, Verdict.TRUNCATED),
        ("We get m = 25", None, Verdict.TRUNCATED),
        ("There are 25 in the first case, and", None, Verdict.TRUNCATED),
    ],
)
def test_what_a_response_breaks_off_with_is_no_answer(response, stopped, capped, policy):
    problem = Problem("p", "?", "25")
    for grader in (Integer(0, 999, extract=policy), Math(extract=policy)):
        cut = sample(response, finish_reason="length")
        assert grader.grade(problem, cut).verdict is capped
        if stopped:
            assert grader.grade(problem, sample(response)).verdict is stopped


def test_a_capital_in_a_response_that_was_cut_is_no_choice():
    problem, response = Problem("p", "?", "C"), "First, consider C"
    assert Choice("lenient").grade(problem, sample(response)).verdict is Verdict.CORRECT
    cut = sample(response, finish_reason="length")
    assert Choice("lenient").grade(problem, cut).verdict is Verdict.TRUNCATED
