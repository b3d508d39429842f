"""Whether draws are equal beyond what a model that is sure gives."""

from __future__ import annotations

import math
import random

import pytest

from harness.stats.equal_draws import CAP, FALSE_ALARM, RATE, EqualDraws, collapsed, shown_tokens


def drawn(
    problems: int, k: int, tokens: int, *, temperature: float | None = 1.0, differ: int = 0
) -> EqualDraws:
    """Draws of these problems, all equal but the last one of the first `differ` problems."""
    found = EqualDraws(temperature)
    for index in range(k):
        for problem in range(problems):
            other = index == k - 1 and problem < differ
            found.add(problem, "x" * tokens + "y" * other, tokens)
    return found


def test_long_equal_draws_of_many_prompts_are_no_chance() -> None:
    needed = math.ceil(-math.log(FALSE_ALARM) / CAP)
    assert collapsed([drawn(needed, 4, 2000)])
    assert not collapsed([drawn(needed - 1, 64, 2000)])  # each prompt may be known by heart


def test_one_difference_ends_it_and_frees_what_was_kept() -> None:
    found = drawn(100, 4, 2000, differ=1)
    assert found.sampled
    assert not collapsed([found])
    assert not found._draws
    assert not collapsed([found, drawn(100, 4, 2000)])


def test_a_letter_may_be_equal_in_all_draws_of_a_whole_task() -> None:
    assert not collapsed([drawn(198, 8, 2, temperature=0.6)])


def test_repeats_count_by_their_tokens_and_by_the_temperature() -> None:
    found = drawn(3, 4, 20)
    assert (found.prompts, found.repeats, found.tokens) == (3, 9, 180)
    assert found.evidence == pytest.approx(RATE * 3 * 20 * 3 / 4)
    assert drawn(3, 2, 20).evidence == pytest.approx(RATE * 3 * 20 / 2)
    assert drawn(3, 4, 20, temperature=0.5).evidence == pytest.approx(found.evidence / 16)
    assert drawn(3, 4, 20, temperature=None).evidence == pytest.approx(found.evidence)
    assert drawn(3, 4, 20, temperature=50.0).evidence == drawn(3, 4, 20, temperature=2.0).evidence


def test_tasks_add_up() -> None:
    one, other = drawn(8, 4, 2000), drawn(8, 4, 2000)
    assert not collapsed([one])
    assert collapsed([one, other])


@pytest.mark.parametrize(
    ("text", "tokens", "shown"),
    [("abcd" * 10, None, 10), ("abcd" * 10, 12, 12), ("\\boxed{7}", 5000, 9), ("", 3, 0)],
)
def test_what_a_server_hides_does_not_count(text: str, tokens: int | None, shown: int) -> None:
    assert shown_tokens(text, tokens) == shown


def test_equal_texts_of_different_length_are_different_draws() -> None:
    found = EqualDraws(0.6)
    found.add("p", "\\boxed{7}", 4000)  # the reasoning is hidden
    found.add("p", "\\boxed{7}", 5000)
    assert found.sampled


def test_a_model_as_sure_as_is_assumed_is_stopped_at_the_stated_rate_at_most() -> None:
    """Ville's bound, at a level that can be simulated: e^-CAP a prompt, looked at after each one."""
    rng, looks, runs, level = random.Random(7), 30, 20_000, 0.01
    ever = 0
    for _ in range(runs):
        found = EqualDraws(1.0)
        for problem in range(looks):
            found.add(problem, "x" * 2000, 2000)
            found.add(problem, "x" * 2000 + "y" * (rng.random() > math.exp(-CAP)), 2000)
            if not found.sampled and found.evidence >= -math.log(level):
                ever += 1
                break
    assert 0 < ever / runs <= level + 4 * math.sqrt(level / runs)
