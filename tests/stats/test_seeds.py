"""Derived seeds."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.seeds import SEEDS, derive_seed

NEAR = 64  # further draws of one request that a server may number from its seed on


@given(st.lists(st.one_of(st.text(), st.integers()), min_size=1, max_size=4))
def test_a_derived_seed_is_a_signed_word_that_every_part_matters_to(
    parts: list[str | int],
) -> None:
    seed = derive_seed(*parts)
    assert 0 <= seed < SEEDS == 2**31
    assert seed == derive_seed(*parts)
    assert seed != derive_seed(*parts, "more")


def test_seeds_of_samples_are_spread_like_random_numbers() -> None:
    """300,000 samples: no more of them are equal, or near each other, than chance gives.

    In order, the gap from one of N random whole numbers below M to the next is at most g with a
    probability of about (g + 1/2) N / M.
    """
    problems, k = 1000, 300
    seeds = sorted(
        derive_seed("sample", 0, "task", f"problem {problem}", index)
        for problem in range(problems)
        for index in range(k)
    )
    n = problems * k
    assert seeds[-1] < SEEDS
    gaps = [later - earlier for earlier, later in pairwise(seeds)]
    for near in (0, NEAR):
        expected = n * -math.expm1(-(near + 0.5) * n / SEEDS)
        assert sum(gap <= near for gap in gaps) == pytest.approx(
            expected, abs=5 * math.sqrt(expected)
        )
    for bit in range(31):
        assert sum(seed >> bit & 1 for seed in seeds) == pytest.approx(n / 2, abs=5 * n**0.5 / 2)


@pytest.mark.parametrize("k", [64, 256])
def test_seeds_of_one_problem_are_far_from_each_other(k: int) -> None:
    """Where two samples of one problem had near seeds, a server may repeat a draw."""
    near = 0
    for problem in range(300):
        seeds = sorted(derive_seed("sample", 0, "aime24", problem, index) for index in range(k))
        assert len(set(seeds)) == k
        near += sum(later - earlier <= NEAR for earlier, later in pairwise(seeds))
    expected = 300 * k * (k - 1) / 2 * 2 * NEAR / SEEDS
    assert near <= expected + 5 * math.sqrt(expected) + 1


@pytest.mark.parametrize("what", ["replica", "engine"])
def test_seeds_of_engines_are_not_consecutive(what: str) -> None:
    seeds = sorted(derive_seed(what, 0, number, 0) for number in range(1000))
    assert min(later - earlier for earlier, later in pairwise(seeds)) > NEAR
