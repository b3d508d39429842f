"""What a run's score says about a published figure: pure arithmetic, with figures made here."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from harness.reports.baselines.verdict import (
    Measured,
    apart,
    interval,
    judge_cell,
    k_needed,
    measured,
    published_error,
)
from harness.reports.format import signed_points
from harness.reports.results import Rate
from harness.stats.intervals import sampling_error
from harness.stats.metrics import cons_at
from harness.types import Score, Tally, Vote

HALF = [Rate(4, 8)] * 30  # p = 1/2 everywhere: one draw has the variance 8/7 · 1/4 / 30
DRAW = 8 / 7 / 4 / 30


def score(value: float, error: float | None, *, k: int = 8, metric: str = "pass@1") -> Score:
    return Score(metric=metric, scoring="integer", value=value, se_sampling=error, se_problems=None,
                 n_problems=30, n=30 * k, k=k, verdicts={}, complete=True)  # fmt: skip


def judged(ours: Measured, published: float, **changes: Any) -> Any:
    settings = {"stated_k": None, "differences": (), "margin": 0.03, "n_problems": 30, **changes}
    return judge_cell(ours, published, settings.pop("stated_k"), **settings)


def with_k(k: int, value: float = 0.5) -> Measured:
    return Measured(value, math.sqrt(DRAW / k), k, DRAW)


def test_one_draw_of_pass_at_1_varies_as_the_rates_say() -> None:
    found = measured(score(0.5, math.sqrt(DRAW / 8)), HALF)
    assert found.draw == pytest.approx(DRAW)
    assert found.error == pytest.approx(math.sqrt(DRAW / 8))


def test_ragged_counts_are_weighed_by_problem() -> None:
    rates = [Rate(1, 2), Rate(3, 4), Rate(5, 5)]
    expected = (1 / 4 * 2 + 3 / 16 * 4 / 3 + 0) / 9
    assert measured(score(0.7, 0.1), rates).draw == pytest.approx(expected)
    assert measured(score(0.7, None), [*rates, Rate(1, 1)]).draw is None


def test_a_vote_of_more_samples_varies_as_often_as_its_own_error_says() -> None:
    tallies = [Tally(128, 70, (Vote(70, 70), Vote(58, 0)))] * 30
    error = sampling_error([cons_at(64).variance(tally) for tally in tallies])
    assert error is not None
    found = measured(score(0.9, error, k=128, metric="cons@64"), HALF)
    assert found.draw is not None
    assert math.sqrt(found.draw / 128) == pytest.approx(error)
    assert published_error(found.draw, 64) == pytest.approx(error * math.sqrt(2), rel=1e-3)


def test_an_interval_is_1_96_errors_to_both_sides() -> None:
    assert interval(0.5, 0.1) == pytest.approx((0.5 - 0.1959964, 0.5 + 0.1959964))


@pytest.mark.parametrize(
    ("k", "published", "word"),
    [
        (64, 0.51, "reproduced"),
        (64, 0.40, "differs"),
        (8, 0.51, "underpowered"),
        (8, 0.10, "differs"),
    ],
)
def test_each_verdict_is_what_the_interval_says(k: int, published: float, word: str) -> None:
    margin = 0.04
    found = judged(with_k(k), published, margin=margin)
    error = math.sqrt(2 * DRAW / k)
    low, high = 0.5 - published - 1.959964 * error, 0.5 - published + 1.959964 * error
    assert (found.low, found.high) == pytest.approx((low, high), abs=2e-5)  # and the rounding
    assert found.word == word
    assert (found.word == "differs") == (not low <= 0 <= high)
    if low <= 0 <= high:
        assert (found.word == "reproduced") == ((high - low) / 2 <= margin)
    assert found.difference == pytest.approx(0.5 - published)


def test_a_part_that_differs_makes_it_not_comparable_whatever_the_values() -> None:
    found = judged(
        with_k(64), 0.5, differences=["cap 512 against 32,768", "top-p 1.0 against 0.95"]
    )
    assert found.word == "not comparable"
    assert found.why == "cap 512 against 32,768; top-p 1.0 against 0.95"
    assert (found.low, found.high, found.k_needed) == (None, None, None)


def test_the_k_of_the_source_is_taken_and_ours_where_it_states_none() -> None:
    stated, unstated = judged(with_k(16), 0.5, stated_k=64), judged(with_k(16), 0.5)
    assert (stated.published_k, stated.assumed_k) == (64, False)
    assert (unstated.published_k, unstated.assumed_k) == (16, True)
    assert stated.published_error == pytest.approx(math.sqrt(DRAW / 64), rel=1e-3)
    assert unstated.published_error == pytest.approx(math.sqrt(DRAW / 16), rel=1e-3)


@pytest.mark.parametrize("stated_k", [None, 64, 200])
@pytest.mark.parametrize("margin", [0.02, 0.03, 0.05])
def test_with_the_k_needed_the_interval_is_narrow_enough_and_with_one_less_it_is_not(
    stated_k: int | None, margin: float
) -> None:
    needed = judged(with_k(4), 0.5, stated_k=stated_k, margin=margin).k_needed
    if stated_k == 64 and margin == 0.02:
        assert needed is None  # the figure's own error is ±2.4 points
        return
    assert needed is not None
    enough = judged(with_k(needed), 0.5, stated_k=stated_k, margin=margin)
    assert enough.word == "reproduced"
    assert (enough.high - enough.low) / 2 <= margin
    short = judged(with_k(needed - 1), 0.5, stated_k=stated_k, margin=margin)
    assert short.word == "underpowered"


def test_where_the_figures_own_error_is_too_wide_it_says_so() -> None:
    found = judged(with_k(500), 0.5, stated_k=4)
    assert (found.word, found.k_needed) == ("underpowered", None)
    assert "the figure's own error at k = 4 is too wide for any k of ours" in found.why


def test_one_sample_a_problem_is_underpowered_and_the_k_that_does_is_bounded() -> None:
    found = judged(Measured(0.5, None, 1, None), 0.9, n_problems=30)
    assert (found.word, found.low) == ("underpowered", None)
    assert found.why == "one sample per problem gives no sampling error"
    assert found.k_needed == k_needed(0.25 / 30, 0.03, None)
    assert found.k_needed is not None
    k, most = found.k_needed, 0.25 / 30
    assert judged(Measured(0.5, math.sqrt(most / k), k, most), 0.5).word == "reproduced"
    assert judged(Measured(1.0, None, 1, None), 1.0).k_needed == 2  # one sample shows no error


def test_printing_to_a_tenth_alone_is_no_difference() -> None:
    certain = Measured(25 / 30, 0.0, 64, 0.0)  # every sample of a problem ends alike
    assert judged(certain, 0.833).word == "reproduced"
    assert judged(certain, 0.835).word == "differs"


def test_a_lead_is_real_where_the_interval_lacks_0() -> None:
    assert apart((0.8, 0.01), (0.7, 0.01))
    assert not apart((0.71, 0.01), (0.7, 0.01))
    assert not apart((0.7, 0.0), (0.7, 0.0))


def test_differences_have_a_sign() -> None:
    assert [signed_points(0.0651), signed_points(-0.0651), signed_points(0.0)] == [
        "+6.5",
        "−6.5",
        "+0.0",
    ]


def test_a_model_against_itself_differs_in_about_one_case_of_twenty() -> None:
    draw = random.Random(8)
    chances = [draw.random() for _ in range(30)]

    def sample(k: int) -> list[int]:
        return [sum(draw.random() < chance for _ in range(k)) for chance in chances]

    cases, differing = 600, 0
    for _ in range(cases):
        rates = [Rate(right, 16) for right in sample(16)]
        value = sum(rate.share for rate in rates) / 30
        ours = measured(score(value, 0.1, k=16), rates)
        assert ours.draw is not None
        ours = Measured(ours.value, math.sqrt(ours.draw / 16), 16, ours.draw)
        printed = round(sum(sample(64)) / 64 / 30, 3)
        differing += judged(ours, printed, stated_k=64).word == "differs"
    assert 0.025 < differing / cases < 0.08  # three binomial deviations about 0.05
