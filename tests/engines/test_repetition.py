"""The repetition guard: what counts as a loop, and what becomes of a sample that is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.engines.repetition import LONGEST, SHORTEST, LoopDetector
from harness.engines.settings import EngineSettings
from harness.errors import UsageError
from harness.types import Sampling


def first_loop(tokens: list[int], repeats: int) -> int | None:
    """The number of tokens at which the guard cuts."""
    detector = LoopDetector(repeats)
    return next((n for n, token in enumerate(tokens, 1) if detector.add(token)), None)


def first_loop_by_trying(tokens: list[int], repeats: int) -> int | None:
    """The same, trying every pattern at every length."""
    for n in range(1, len(tokens) + 1):
        for size in range(SHORTEST, min(LONGEST, n // repeats) + 1):
            pattern = tokens[n - size : n]
            if tokens[n - size * repeats : n] == pattern * repeats:
                return n
    return None


TOKENS = st.integers(0, 2)


@given(
    st.lists(TOKENS, max_size=30),
    st.lists(TOKENS, min_size=1, max_size=70),
    st.integers(1, 9),
    st.lists(TOKENS, max_size=8),
    st.integers(2, 5),
)
def test_the_first_loop_is_found_at_its_first_token(
    before: list[int], pattern: list[int], times: int, after: list[int], repeats: int
) -> None:
    tokens = before + pattern * times + after
    assert first_loop(tokens, repeats) == first_loop_by_trying(tokens, repeats)


@pytest.mark.parametrize(
    ("size", "cut"),
    [(1, 4 * 8), (3, 4 * 9), (8, 4 * 8), (40, 4 * 40), (64, 4 * 64), (65, None)],
    ids=["one token", "three tokens", "8", "40", "64", "a longer pattern is none"],
)
def test_four_repeats_of_a_pattern_are_a_loop(size: int, cut: int | None) -> None:
    assert first_loop(list(range(size)) * 40, 4) == cut


def test_a_pattern_that_is_broken_starts_again() -> None:
    pattern = list(range(10))
    assert first_loop([*pattern * 3, 99, *pattern * 3, 99], 4) is None


def test_a_guard_of_one_repeat_is_refused() -> None:
    with pytest.raises(UsageError, match="repetition_guard is 1: a loop is 2 repeats at least"):
        Sampling(repetition_guard=1)


@pytest.mark.parametrize("engine", ["openai", "lm_eval:dummy", "recorded"])
def test_an_engine_that_cannot_watch_its_tokens_refuses_the_guard(engine: str) -> None:
    with pytest.raises(UsageError, match=r"--repetition-guard: the .* engine has no use for it"):
        EngineSettings(engine=engine, model="m", repetition_guard=8).check_used()
