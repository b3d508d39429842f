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
        [{"\\frac32", "\\frac32\\text{ m}", "1\\frac12\\,\\mathrm{m}"}, {"\\frac32 m"}],
        [{"12\\pi"}, {"12\\pi\\text{ m}^2"}, {"12\\pi\\text{ m}^3"}],
        [{"22\\frac12^\\circ", "22.5^\\circ", "22^\\circ 30'"}, {"11^\\circ"}],
        [{"2^{n-1}", "2^{n-1}\\ (n\\ge1)", "2^{n-1} \\text{ for } n\\ge1", "2^{n-1}, n\\ge1"}],
        [{"x^2"}, {"x^2, x>0"}, {"x^2 \\text{ for } x<0"}],
        [{"34", "34\\text{ at }n=5", "34 \\text{ (}n=5)"}, {"5"}],
        [{"3:30 \\text{ p.m.}", "15:30", "3{:}30\\text{ PM}"}, {"3:30 \\text{ a.m.}"}, {"3:30"}],
        [{"10:30", "10\\!:\\!30 \\text{ a.m.}"}, {"\\frac13", "1/3"}],
        [{"\\text{March }4", "4 March", "\\text{March 4th}"}, {"4"}, {"\\text{March 5}"}],
        [{"3", "\\text{three}", "Three"}, {"30", "\\text{thirty}"}],
        [{"120", "C(10,3)", "{}_{10}C_3", "C_{10}^3", "\\binom{10}{3}"}],
        [{"3/5", "0.6"}, {"60\\%", "\\frac35 = 60\\%"}],
        [{"\\frac17", "0.\\dot14285\\dot7", "0.\\overline{142857}"}],
        [{"\\text{(C)}", "\\text{(C) Plane}", "C: \\text{Plane}"}, {"\\text{(B)}"}],
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
