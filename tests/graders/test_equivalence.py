"""Votes: a partition of extracted answers that does not depend on the order of samples."""

import random

import pytest

from harness.graders.math import Math


def partition(answers):
    classes = {}
    for answer, number in zip(answers, Math().classes(answers), strict=True):
        classes.setdefault(number, set()).add(answer)
    return {frozenset(each) for each in classes.values()}


@pytest.mark.parametrize(
    "answers",
    [
        [{"1/3", "\\frac13", "0.3333333"}, {"0.333333", "\\frac{333333}{1000000}"}, {"0.33"}],
        [{"5"}, {"5 \\text{ cm}"}, {"5 \\text{ m}", "500 \\text{ cm}"}],
        [{"8", "8 \\text{ cm}", "8.0"}],
        [{"x=9", "9"}],
        [{"7"}, {"y=7"}, {"z=7"}],
        [{"0.5", "\\frac12", "1/2"}, {"50\\%"}],
        [{"(1,2)", "(1, 2)"}, {"\\{1,2\\}", "2,1"}, {"[1,2]"}, {"(2,1)"}],
        [{"\\sum_{k=1}^{10} k", "55"}],
        [{"?? nonsense $%"}, {"?? nonsense %$"}],
        [{"52_8"}, {"52_9"}, {"52"}, {"42"}],
        [{"|x-10|", "\\sqrt{(x-10)^2}", "|10-x|"}, {"10-x"}, {"\\max(10-x,0)"}],
        [
            {"\\lceil n/2\\rceil", "\\lfloor (n+1)/2\\rfloor"},
            {"\\lfloor n/2\\rfloor"},
            {"\\lfloor n/2\\rfloor+1"},
        ],
        [
            {"x<1", "2x<2", "-x>-1", "x-1<0", "(-\\infty,1)", "\\{x : x<1\\}", "]-\\infty,1["},
            {"x\\le 1"},
        ],
        [
            {"(-\\infty,0)\\cup(0,\\infty)", "x\\ne 0", "\\mathbb{R}\\setminus\\{0\\}"},
            {"\\mathbb{R}", "\\text{all real numbers}", "(-\\infty,\\infty)"},
            {"(0,\\infty)", "\\text{all positive real numbers}"},
        ],
        [{"x<1", "2x<2"}, {"y<1"}, {"(-\\infty,1)", "]-\\infty,1["}],
        [{"(0,3)", "(0,2]\\cup(1,3)", "(0,2)\\cup[2,3)"}, {"(0,2)\\cup(2,3)"}],
        [
            {"p=5,q=3;p=7,q=2", "p=7,q=2 \\text{ or } p=5,q=3"},
            {"p=7,q=3;p=5,q=2"},
            {"(5,3),(7,2)"},
        ],
        [{"x=1,y=2", "\\begin{cases}y=2\\\\x=1\\end{cases}"}, {"x=2,y=1"}, {"\\{1,2\\}", "1, 2"}],
        [{"3:2", "6:4", "3 \\text{ to } 2"}, {"2:3"}],
        [{"3 \\pmod 7", "10 \\pmod 7", "x\\equiv3\\pmod{7}"}, {"3 \\pmod 5"}, {"3"}],
        [{"1,2,\\ldots,n", "\\{1,2,3,\\dots,n\\}"}, {"1,2,\\ldots,2n"}],
    ],
)
def test_partition_in_any_order(answers):
    texts = [text for each in answers for text in each for _ in range(2)]
    for seed in range(6):
        random.Random(seed).shuffle(texts)
        assert partition(texts) == {frozenset(each) for each in answers}


def test_numbers_follow_first_appearance():
    assert Math().classes(["2", "1", "\\frac{4}{2}", "3", "1.0"]) == [0, 1, 0, 2, 1]


def test_no_answers():
    assert Math().classes([]) == []
