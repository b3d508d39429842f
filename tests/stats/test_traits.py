"""The traits of two runs' samples, and the verdict that they come to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.stats.same_model import SameModelCase, TaskSameness, judge_traits
from harness.stats.traits import Observation, ObservedProblem, Trait

ONE = Observation(True, False, 1000.0, 0.9, "12", "Okay, so I need to find the sum.")


def drawn(random: np.random.Generator, m: int, k: int, **change: object) -> list[list[Observation]]:
    """Samples of m problems: rates from 0 to 1, lengths that spread by half."""
    return [
        [
            replace(
                ONE,
                right=bool(right),
                answer="12" if right else f"{random.integers(0, 3)}",
                length=float(1000 * np.exp(random.normal(0, 0.5))),
                reasoning=float(random.beta(20, 3)),
                **change,
            )
            for right in random.random(k) < i / m
        ]
        for i in range(m)
    ]


def judged(
    base: list[list[Observation]], new: list[list[Observation]], margin: float = 0.05
) -> dict[str, Trait]:
    problems = [ObservedProblem(b, n) for b, n in zip(base, new, strict=True)]
    (traits,) = judge_traits([SameModelCase(task="t", problems=problems)], margin=margin)
    return {trait.name: trait for trait in traits}


def verdict(traits: dict[str, Trait]) -> TaskSameness:
    return TaskSameness(task="t", traits=tuple(traits.values()), alpha=0.05)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(12)


def test_two_runs_of_one_model_do_not_differ(random: np.random.Generator) -> None:
    found = judged(drawn(random, 60, 32), drawn(random, 60, 32))
    assert verdict(found).verdict == "no difference found"
    assert verdict(found).differing == ()
    assert found["pass@1"].detectable == pytest.approx(0.046, abs=0.004)
    # Normal theory: sqrt(2 x 0.25 / 1920) by 3.48 at a level of 0.05 / 6.
    assert found["length"].detectable == pytest.approx(0.058, abs=0.004)


def test_what_never_varies_is_no_test_and_costs_the_others_nothing(
    random: np.random.Generator,
) -> None:
    found = judged(drawn(random, 30, 16), drawn(random, 30, 16))
    for name in ("truncated", "openings"):
        assert found[name].p is found[name].p_adjusted is None
        assert "alike" in found[name].why
    raw = sorted(t.p for t in found.values() if t.p is not None)
    assert len(raw) == 4
    assert min(t.p_adjusted for t in found.values() if t.p_adjusted is not None) == pytest.approx(
        min(1.0, 4 * raw[0])
    )
    assert found["truncated"].detectable is not None  # it could have been


@pytest.mark.parametrize(
    ("trait", "change"),
    [
        ("length", lambda o, i: replace(o, length=o.length * 1.15)),
        ("truncated", lambda o, i: replace(o, truncated=i % 16 == 0)),
        ("reasoning", lambda o, i: replace(o, reasoning=o.reasoning * 0.95)),
        ("answers", lambda o, i: o if o.right else replace(o, answer="none of those")),
        ("openings", lambda o, i: replace(o, opening="Alright, " + o.opening) if i % 4 == 0 else o),
        ("pass@1", lambda o, i: replace(o, right=o.right and i % 4 > 0)),
    ],
)
def test_a_change_is_seen_in_its_own_trait(
    random: np.random.Generator, trait: str, change: object
) -> None:
    base = drawn(random, 30, 32)
    new = [[change(o, i) for i, o in enumerate(row)] for row in drawn(random, 30, 32)]  # type: ignore[operator]
    found = verdict(judged(base, new))
    assert found.verdict == "different"
    assert [t.name for t in found.differing] == [trait]


def test_a_length_is_a_ratio_of_geometric_means(random: np.random.Generator) -> None:
    base = drawn(random, 20, 16)
    new = [[replace(o, length=o.length * 1.15) for o in row] for row in base]
    found = judged(base, new)["length"]
    assert found.difference == pytest.approx(0.15)
    assert found.interval is not None
    low, high = found.interval
    assert low < 0.15 < high


def test_one_sample_is_underpowered_and_says_how_many_would_do(random: np.random.Generator) -> None:
    found = judged(drawn(random, 30, 1), drawn(random, 30, 1))
    task = verdict(found)
    assert task.verdict == "underpowered"
    assert found["answers"].p is None
    assert "two samples" in found["answers"].why
    assert task.k_needed is not None
    assert task.k_needed > 8
    assert (
        verdict(judged(drawn(random, 30, 1), drawn(random, 30, 1), 0.6)).verdict != "underpowered"
    )


def test_five_single_samples_can_show_no_difference_in_length(random: np.random.Generator) -> None:
    found = judged(drawn(random, 5, 1), drawn(random, 5, 1))["length"]
    assert found.detectable is None
    assert found.blind


def test_an_allocation_that_looked_at_the_base_keeps_less_of_the_level(
    random: np.random.Generator,
) -> None:
    base, new = drawn(random, 30, 16), drawn(random, 30, 16, truncated=True)
    problems = [ObservedProblem(b, n) for b, n in zip(base, new, strict=True)]
    whole, kept = (
        judge_traits([SameModelCase(task="t", problems=problems, kept_level=share)])[0]
        for share in (1.0, 0.8)
    )
    for before, after in zip(whole, kept, strict=True):
        if before.p_adjusted is not None and after.p_adjusted is not None:
            assert after.p_adjusted == pytest.approx(min(1.0, before.p_adjusted / 0.8))
