"""The values: what a Sampling refuses, and what a Sample says about itself."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from harness.errors import UsageError
from harness.sampling import Sampling
from harness.types import Problem, Sample, TestCase, Verdict


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": 0}, "k is 0"),
        ({"k": -3}, "k is -3"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"top_p": 0.0}, "top_p is 0.0"),
        ({"top_p": 1.5}, "top_p is 1.5"),
        ({"top_p": float("nan")}, "top_p is nan"),
        ({"max_tokens": 0}, "max_tokens is 0"),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_value(values: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Sampling(**values)


def test_several_greedy_samples_are_refused_with_both_ways_out() -> None:
    with pytest.raises(UsageError, match=r"k is 8 at temperature 0.*--k 1.*above 0"):
        Sampling(k=8, temperature=0)
    assert Sampling(k=1, temperature=0).k == 1


def test_whole_numbers_are_the_same_sampling_as_floats() -> None:
    assert repr(Sampling(temperature=1, top_p=1)) == repr(Sampling(temperature=1.0, top_p=1.0))


@pytest.mark.parametrize(
    ("reasoning", "response", "raw"),
    [
        ("a", "b", "a</think>b"),
        ("a", None, "a"),
        (None, "b", "b"),
        ("", "b", "</think>b"),
        ("a", "", "a</think>"),
    ],
)
def test_raw_text_is_what_the_model_wrote(
    reasoning: str | None, response: str | None, raw: str
) -> None:
    assert Sample("p", 0, reasoning, response, "stop").raw("</think>") == raw


def test_verdicts_are_their_own_names() -> None:
    assert f"{Verdict.WRONG_ANSWER}" == Verdict("wrong_answer") == "wrong_answer"


def test_problems_travel_to_worker_processes() -> None:
    problem = Problem("p", "s", tests=(TestCase("1\n", "2\n"),), meta={"level": 5})
    assert pickle.loads(pickle.dumps(problem)) == problem
