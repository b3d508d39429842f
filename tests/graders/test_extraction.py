"""Extraction: where a response states its answer, and where it states none."""

import time

import pytest

from harness.data.reasoning import split_reasoning
from harness.graders.extraction.boxes import boxed
from harness.graders.extraction.find import find
from harness.graders.letters.stated import stated_letter

STRICT = [
    ("So the answer is $\\boxed{5}$.", "5"),
    ("**Final Answer**\n\n$$\\boxed{\\frac{1}{2}}$$", "\\frac{1}{2}"),
    ("\\boxed{\\{1,2\\}}", "\\{1,2\\}"),
    ("\\boxed{\\boxed{3}}", "\\boxed{3}"),
    ("\\fbox{3}", "3"),
    ("\\boxed 5", "5"),
    ("\\boxed{3} or \\boxed{4}", "3, 4"),
    ("$\\boxed{2}$, $\\boxed{3}$ and $\\boxed{5}$", "2, 3, 5"),
    ("$y_1 = \\boxed{2}$ and $y_2 = \\boxed{3}$", "2, 3"),
    ("$\\boxed{7}$. So, again: $\\boxed{7}$", "7"),
    ("First \\boxed{3}. Then \\boxed{4}", "4"),
    ("\\boxed{10} and then \\boxed{42}", "42"),
    ("\\boxed{5", None),
    ("I think \\boxed{4} but then \\boxed{5", "4"),
    ("The answer is $\\boxed{", None),
    ("The answer is not $5$.", None),
    ("The answer is 5. So the answer is not 6.", "5"),
    ("\\boxed{}", None),
    ("The final answer is: $5$", "5"),
    ("Final Answer: The final answer is $7$. I hope it is correct.", "7"),
    ("**Answer: 5**", "5"),
    ("### Answer\n\n5", "5"),
    ("### Final Answer:\n$$5$$", "5"),
    ("Answer: 42\n\nExplanation: since 6*7 = 42.", "42"),
    ("Therefore, the answer is 5 because 2+3=5.", "5"),
    ("The answer is $x = 5$ or $x = -3$.", "$x = 5$ or $x = -3$"),
    ("The answer is approximately $3.14$.", "3.14"),
    ("**Final Answer:** The value of $x$ is $7$.", "7"),
    ("ANSWER: 1,234", "1,234"),
    ("answer is -3", "-3"),
    ("The answer is .5", ".5"),
    ("So the answer is 5%.", "5%"),
    ("I can't find the answer.", None),
    ("The answer is not clear.", None),
    ("I hope this answer is correct.", None),
    ("So $x=5$.", None),
    ("", None),
]


@pytest.mark.parametrize(("response", "answer"), STRICT)
def test_strict_takes_a_box_or_an_answer_phrase_and_nothing_else(response, answer):
    found = find(response)
    assert (found.text if found else None) == answer


@pytest.mark.parametrize(
    ("response", "answer", "place"),
    [
        ("So $x=5$.", "x=5", "formula"),
        ("So $x=5$ and $y=6$.", "$x=5$ and $y=6$", "formula"),
        ("We get 5.\n\nThus there are 7 ways to do it.", "7", "number"),
        ("\\frac{1}{2}", "\\frac{1}{2}", "whole"),
        ("$28$ %", "$28$ %", "formula"),
        ("Therefore, there are 12 such sequences. I hope it is correct.", "12", "number"),
    ],
)
def test_lenient_goes_on_to_the_closing_sentence(response, answer, place):
    assert find(response) is None
    assert find(response, "lenient") == (answer, place)


@pytest.mark.parametrize(
    ("response", "letter"),
    [
        ("Answer: C", "C"),
        ("\\boxed{\\text{(C)}}", "C"),
        ("\\boxed{c}", "C"),
        ("Final answer: $\\boxed{\\textbf{(B)}\\ 12}$", "B"),
        ("**C**", "C"),
        ("The answer is (C).", "C"),
        ("The correct answer is **D) foo**", "D"),
        ("option C is right", "C"),
        ("(A) is tempting but (B) is right", "B"),
        ("The answer is B. Option A is wrong.", "B"),
        ("The answer is not A. The answer is B.", "B"),
        ("Answer: A, because B is wrong", "A"),
        ("Answer: C or D? I go with D. Answer: D", "D"),
        ("Answer:\n\nC", "C"),
        ("<answer>B</answer>", "B"),
        ("A or B", None),
        ("The answer is A or B.", None),
        ("\\boxed{A, B}", None),
        ("\\boxed{10}", None),
        ("The answer is a number.", None),
        ("I need a better look. A good idea.", None),
        ("The answer is I think unclear", None),
        ("The answer can be found by noting that E is conserved.", None),
        ("The answer can be found in source C of the text.", None),
        ("A is wrong and C is right.", None),
        ("", None),
    ],
)
def test_the_last_stated_letter(response, letter):
    assert stated_letter(response) == letter


@pytest.mark.parametrize("policy", ["strict", "lenient"])
def test_the_article_is_never_a_letter(policy):
    assert stated_letter("A look at a graph. That is a hint", policy) is None


def test_a_bare_capital_counts_only_when_lenient():
    response = "Or maybe C. Actually let's finalize B"
    assert stated_letter(response) is None
    assert stated_letter(response, "lenient") == "B"


def test_only_what_follows_the_reasoning_is_read():
    reasoning, response = split_reasoning("<think>\\boxed{1}</think> so \\boxed{2}")
    assert reasoning == "<think>\\boxed{1}"
    assert response is not None
    assert boxed(response) == "2"


HOSTILE = {
    "open braces": "{" * 200_000 + "\\boxed{1}",
    "open boxes": "\\boxed{" * 28_000,
    "nested boxes": "\\boxed{" * 10_000 + "1" + "}" * 10_000,
    "many boxes": "\\boxed{1} and " * 14_000,
    "boxes far apart": ("\\boxed{1}" + " " * 60) * 2_800,
    "answer phrases": "answer is " * 20_000,
    "answer and blanks": "answer" + " " * 200_000 + "x",
    "open formulas": "\\( " * 66_000,
    "dollars": "$" * 200_000,
    "stars": "** " * 66_000,
    "letters": "(A) " * 50_000,
    "digits": "1" * 200_000,
    "lines": "answer\n" * 28_000,
    "empty boxes": "\\boxed{}" * 50_000,
    "phrases with open formulas": ("answer is " + "\\( " * 1300) * 20,
    "phrases with copulas": ("answer: the " + "is 3 " * 800) * 20,
    "phrases with joints": ("answer is 3" + " and 3" * 700) * 20,
    "phrases with brackets": ("answer is 3" + " (aa" * 900) * 20,
    "phrases with words": ("answer: the value " + "of the " * 600) * 20,
    "open tags": "<answer>" * 40_000,
    "tags": "<answer></answer>" * 20_000,
    "wide phrases": "答案是12" * 50_000,
    "denials": "12 not " * 50_000 + "12",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_extraction_is_linear_on_hostile_text(name):
    started = time.process_time()
    find(HOSTILE[name], "lenient")
    stated_letter(HOSTILE[name], "lenient")
    assert time.process_time() - started < 1.5


def test_a_long_response_costs_little():
    prose = "We add $2+3=5$ and see that \\frac{1}{2} of it is {small}.\n\n" * 3_500
    response = prose + "The answer is $\\boxed{5}$."
    assert len(response) > 200_000
    times = []
    for _ in range(5):
        started = time.process_time()
        assert find(response) == ("5", "box")
        times.append(time.process_time() - started)
    assert min(times) < 0.002
