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
