"""The second opinion, without a server: what is asked, how a reply is read, what a grade becomes."""

from __future__ import annotations

import time

import pytest

from harness.graders.choice import Choice
from harness.graders.integer import Integer
from harness.graders.math import Math
from harness.graders.model_judge import (
    LONGEST,
    PROMPT,
    is_too_long,
    question,
    read_reply,
    render,
    takes_opinions,
    with_opinion,
)
from harness.types import Grade, Verdict

WRONG = Grade("p", 0, Verdict.WRONG_ANSWER, answer=" 1/2 ")


@pytest.mark.parametrize(("reply", "verdict"), [
    ("SAME", Verdict.CORRECT), ("same", Verdict.CORRECT), ("**SAME**", Verdict.CORRECT),
    ("\n`Same`.\n", Verdict.CORRECT), ('"SAME"', Verdict.CORRECT),
    ("DIFFERENT", Verdict.WRONG_ANSWER), ("_different_.", Verdict.WRONG_ANSWER),
    ("CORRECT", Verdict.UNDECIDED), ("yes", Verdict.UNDECIDED), ("", Verdict.UNDECIDED),
    (None, Verdict.UNDECIDED), ("SAME or DIFFERENT", Verdict.UNDECIDED),
    ("They are the SAME", Verdict.UNDECIDED), ("SAME\nSAME", Verdict.UNDECIDED),
    ("NOT SAME", Verdict.UNDECIDED), ("SAME?", Verdict.UNDECIDED), ("SAMEDIFFERENT", Verdict.UNDECIDED),
])  # fmt: skip
def test_one_of_the_two_words_alone_is_an_opinion(reply: str | None, verdict: Verdict) -> None:
    assert read_reply(reply) is verdict


def test_a_long_reply_takes_no_time() -> None:
    started = time.perf_counter()
    assert read_reply("_*" * 500_000 + "x" + "_*" * 500_000) is Verdict.UNDECIDED
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize("verdict", Verdict)
def test_wrong_and_undecided_answers_are_asked_about_and_no_others(verdict: Verdict) -> None:
    asked = question(Grade("p", 0, verdict, answer="3"), "4")
    expected = verdict in (Verdict.WRONG_ANSWER, Verdict.UNDECIDED)
    assert asked == (("4", "3") if expected else None)
    assert question(Grade("p", 0, verdict), "4") is None


def test_of_a_reference_solution_the_answer_is_shown_and_not_its_reasoning() -> None:
    solution = r"First we halve it. So the answer is \boxed{\frac12}."
    assert question(WRONG, solution) == (r"\frac12", "1/2")


def test_mathematical_graders_take_opinions_and_others_do_not() -> None:
    assert takes_opinions(Math()) and takes_opinions(Integer(0, 999))
    assert not takes_opinions(Choice())


def test_a_grade_gets_the_opinion_or_repeats_the_rule_and_a_stale_one_goes() -> None:
    pair = question(WRONG, "0.5")
    known = with_opinion(WRONG, pair, {("0.5", "1/2"): Verdict.CORRECT})
    assert known.also == {"model-judge": "correct"} and known.verdict is Verdict.WRONG_ANSWER
    assert with_opinion(known, pair, {}).also == {}
    right = Grade("p", 0, Verdict.CORRECT, answer="1", also={"other": "correct"})
    assert with_opinion(right, None, {}).also == {"other": "correct", "model-judge": "correct"}
    assert with_opinion(Grade("p", 0, Verdict.ERROR), None, {}).also == {}


def test_the_mark_depends_on_both_texts_and_nothing_in_them_is_filled_in() -> None:
    prompts = {render(PROMPT, pair) for pair in (("1", "2"), ("2", "1"), ("12", ""), ("", "12"))}
    assert len({sent.partition("mark ")[2][:16] for sent in prompts}) == 4
    sent = render(PROMPT, ("{answer}", "{reference}{mark}"))
    assert "\n{answer}\n" in sent and "\n{reference}{mark}\n" in sent
    render(PROMPT, ("\ud800", "x"))  # half of a character


def test_texts_that_are_no_final_answers_are_too_long() -> None:
    assert not is_too_long(("1", "x" * LONGEST))
    assert is_too_long(("1", "x" * (LONGEST + 1)))
