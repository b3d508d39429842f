"""Prompts, choice orders and derived seeds."""

from __future__ import annotations

from collections import Counter
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from harness.data.prompts import choice_order, fields, render
from harness.types import ChoiceOrdering, Problem

ORDERINGS = st.sampled_from(get_args(ChoiceOrdering))
MOLECULES = Problem("m", "Which one?", choices=("water", "ethanol", "benzene", "argon"))


def test_known_fields_are_filled_and_every_other_brace_is_sent_as_written() -> None:
    template = r"{statement} \boxed{} {unknown} {{statement}} \frac{1}{2}"
    prompt = render(template, Problem("p", "What is 1+1?"))
    assert prompt.user == r"What is 1+1? \boxed{} {unknown} {What is 1+1?} \frac{1}{2}"


def test_a_statement_that_looks_like_a_template_is_sent_as_it_is() -> None:
    text = r"Name the set {choices} and \1 and {statement}."
    assert render("Q: {statement}", Problem("p", text)).user == f"Q: {text}"


def test_choices_are_lettered_in_the_order_shown() -> None:
    shown = render("{statement}\n{choices}", MOLECULES, order=(2, 0, 3, 1)).user
    assert shown == "Which one?\nA) benzene\nB) water\nC) argon\nD) ethanol"
    assert render("{choices}", MOLECULES).user.startswith("A) water\nB) ethanol")


def test_starter_code_and_the_system_prompt_are_sent_where_there_are_any() -> None:
    problem = Problem("p", "Add.", starter_code="class Solution:")
    assert render("{starter_code}", problem, system="Be brief.").user == "class Solution:"
    assert render("{statement}", problem, system="Be brief.").system == "Be brief."
    assert render("{statement}", problem).system is None


def test_fields_are_those_that_would_be_filled() -> None:
    assert fields(r"{statement} {choices} \boxed{} {problem}") == {"statement", "choices"}


@given(st.integers(1, 10), ORDERINGS, st.integers(), st.text(), st.integers(0, 100))
def test_a_choice_order_is_a_permutation_and_repeats_itself(
    n: int, ordering: ChoiceOrdering, seed: int, problem_id: str, index: int
) -> None:
    first, again = (
        choice_order(n, ordering, seed=seed, problem_id=problem_id, index=index) for _ in "ab"
    )
    assert sorted(first) == list(range(n))
    assert first == again


def test_an_order_per_problem_is_one_for_all_samples_and_another_for_each_seed_and_problem() -> (
    None
):
    def orders(ordering: ChoiceOrdering, seed: int, problem_id: str) -> list[tuple[int, ...]]:
        return [
            choice_order(4, ordering, seed=seed, problem_id=problem_id, index=index)
            for index in range(64)
        ]

    assert len(set(orders("per-problem", 0, "p"))) == 1
    assert len(set(orders("per-sample", 0, "p"))) > 12
    assert orders("per-sample", 0, "p") != orders("per-sample", 1, "p")
    assert orders("per-sample", 0, "p") != orders("per-sample", 0, "q")
    by_problem = {orders("per-problem", 0, f"p{i}")[0] for i in range(64)}
    assert len(by_problem) > 12


def test_every_order_is_as_likely_as_any_other() -> None:
    counts = Counter(
        choice_order(4, "per-sample", seed=0, problem_id=f"p{i}", index=j)
        for i in range(200)
        for j in range(12)
    )
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 0.001


def test_the_orders_of_stored_runs_stay_what_they_were() -> None:
    assert choice_order(4, "per-problem", seed=0, problem_id="p", index=3) == (0, 3, 1, 2)
    assert choice_order(4, "per-sample", seed=0, problem_id="p", index=3) == (1, 2, 0, 3)
