"""The effect of the position of the right choice: against the closed case of one problem, and simulated."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness.stats.positions import position_effects


def test_one_problem_has_the_difference_of_two_shares() -> None:
    shown = [("p", 0, True)] * 3 + [("p", 0, False)] + [("p", 1, True)] * 2 + [("p", 1, False)] * 4
    first, second = position_effects(shown)
    assert (first.position, first.n, second.position, second.n) == (0, 4, 1, 6)
    assert first.difference == pytest.approx(3 / 4 - 2 / 6)
    assert first.error == pytest.approx(math.sqrt(3 / 4 / 4 / 4 + 2 / 6 * 4 / 6 / 6), rel=0.1)
    assert second.error == pytest.approx(first.error)
    assert second.difference == pytest.approx(-first.difference)


def test_problems_with_one_position_say_nothing() -> None:
    assert position_effects([("p", 0, True), ("p", 0, False), ("q", 1, True)]) == []
    assert position_effects([]) == []


@pytest.mark.parametrize("effect", [0.0, 0.1])
def test_the_effect_is_found_without_bias_and_its_error_is_the_spread(effect: float) -> None:
    random = np.random.default_rng(4)
    rates = random.uniform(0.2, 0.85, 60)
    found, errors = [], []
    for _ in range(300):
        places = random.integers(0, 4, (60, 8))
        right = random.random((60, 8)) < rates[:, None] + effect * (places == 0)
        shown = [
            (str(i), int(places[i, j]), bool(right[i, j])) for i in range(60) for j in range(8)
        ]
        first = position_effects(shown)[0]
        found.append(first.difference)
        errors.append(first.error)
    assert np.mean(found) == pytest.approx(effect, abs=3 * np.std(found) / 300**0.5)
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(found), rel=0.12)
