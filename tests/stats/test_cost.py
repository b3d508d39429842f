"""Prices, usage, costs and GPU hours: sums by hand, errors against simulated runs."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from harness.errors import UsageError
from harness.stats.cost import (
    Cost,
    CostRatio,
    Price,
    cost_of,
    cost_ratio,
    gpu_time,
    read_price,
    usd_text,
)
from harness.stats.usage import Usage, added, usage_of
from harness.types import Sample

PRICE, LISTED = Price(0.55, 2.19), Price(1.0, 4.0, listed=True)


def sample(
    id: str, prompt: int | None = 10, tokens: int | None = 100, cost: float | None = None
) -> Sample:
    return Sample(id, 0, None, "4", "stop", n_prompt_tokens=prompt, n_tokens=tokens, cost=cost)


def cost(at_k1: float, error: float | None) -> Cost:
    return Cost(usd=1.0, basis="given", price=PRICE, samples=1, unmeasured=0, at_k1=at_k1,
                at_k1_error=error)  # fmt: skip


def test_a_price_is_two_numbers_per_million_tokens() -> None:
    assert read_price("0.55, 2.19") == PRICE
    assert read_price("0,0").of(10**9, 10**9) == 0
    assert PRICE.of(2_000_000, 1_000_000) == pytest.approx(2 * 0.55 + 2.19)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.55", "two numbers are needed"),
        ("0.55,2.19,0.1", "two numbers are needed"),
        ("0.55,cheap", "not two numbers"),
        ("", "two numbers are needed"),
        ("-1,2", "-1 is no price"),
        ("1,nan", "nan is no price"),
        ("1,inf", "inf is no price"),
        ("1,20000", "20000 is no price of a million tokens: from 0 to 10,000 USD"),
    ],
)
def test_a_bad_price_is_named_with_the_option_and_the_form(text: str, why: str) -> None:
    with pytest.raises(UsageError) as error:
        read_price(text)
    assert str(error.value).startswith(f"--price {text}: ")
    assert why in str(error.value)


def test_usage_counts_a_prompt_with_each_sample_and_leaves_out_what_was_not_counted() -> None:
    used = usage_of([sample("a", 10, 100), sample("a", 10, 300), sample("b", 20, 50),
                     sample("b", None, 50), sample("b", 20, None)])  # fmt: skip
    assert (used.samples, used.counted) == (5, 3)
    assert (used.prompt_tokens, used.completion_tokens) == (40, 450)
    assert (used.at_k1.problems, used.at_k1.prompt_tokens) == (2, 30.0)
    assert used.at_k1.completion_tokens == 200 + 50
    assert used.at_k1.completion_error is None  # one counted sample of b


def test_the_cost_at_k_1_does_not_depend_on_how_many_samples_a_problem_has() -> None:
    few = [sample("a", 10, 100), sample("a", 10, 300), sample("b", 20, 50), sample("b", 20, 50)]
    ragged = few + [sample("a", 10, 200)] * 30
    for found in (few, ragged, few * 4):
        assert usage_of(found).at_k1.completion_tokens == pytest.approx(250)
        assert cost_of(usage_of(found), given=PRICE).at_k1 == pytest.approx(PRICE.of(30, 250))  # type: ignore[union-attr]


def test_the_error_at_k_1_is_that_of_simulated_runs() -> None:
    draw = random.Random(1)

    def run() -> Usage:
        return usage_of(sample(f"p{i}", 10, round(draw.gauss(500 + 100 * i, 40 + 10 * i)))
                        for i in range(20) for _ in range(4))  # fmt: skip

    runs = [run().at_k1 for _ in range(600)]
    spread = statistics.stdev(found.completion_tokens for found in runs)
    said = math.sqrt(statistics.fmean((found.completion_error or 0) ** 2 for found in runs))
    assert said == pytest.approx(spread, rel=0.08)


def test_a_price_given_now_goes_before_the_runs_the_servers_charge_and_its_list() -> None:
    charged = usage_of([sample("a", cost=0.5), sample("b", cost=0.25)])
    plain = usage_of([sample("a"), sample("b")])
    by = [
        cost_of(charged, given=PRICE, recorded=Price(9, 9)),
        cost_of(charged, recorded=PRICE),
        cost_of(charged, recorded=LISTED),
        cost_of(plain, recorded=LISTED),
        cost_of(plain),
    ]
    assert [found.basis if found else None for found in by] == [
        "given", "given", "charged", "listed", None,
    ]  # fmt: skip
    assert [found.usd for found in by if found] == pytest.approx(
        [PRICE.of(20, 200), PRICE.of(20, 200), 0.75, LISTED.of(20, 200)]
    )
    assert "as the server charged" in by[2].source  # type: ignore[union-attr]
    assert "as the server lists it" in by[3].source  # type: ignore[union-attr]


def test_what_is_not_measured_is_said_and_no_cost_at_k_1_is_given_without_it() -> None:
    used = usage_of([sample("a"), sample("a", None), sample("b", None)])
    found = cost_of(used, given=PRICE, n_problems=2)
    assert found is not None
    assert found.lacking == "of 3 samples 2 have no token counts and are not in the sum"
    assert found.at_k1 is None
    assert cost_of(usage_of([sample("a", None)]), given=PRICE) is None
    charged = cost_of(usage_of([sample("a", cost=0.1), sample("a")]), n_problems=1)
    assert charged is not None
    assert charged.lacking == "of 2 samples 1 has no stated charge and is not in the sum"


def test_samples_that_were_not_kept_are_paid_and_named() -> None:
    kept, lost = usage_of([sample("a"), sample("a")]), usage_of([sample("a")])
    found = cost_of(kept, given=PRICE, discarded=added([lost, lost]))
    assert found is not None
    assert found.usd == pytest.approx(PRICE.of(40, 400))
    assert found.discarded == pytest.approx(PRICE.of(20, 200))
    assert found.at_k1 == pytest.approx(PRICE.of(10, 100))


def test_the_ratio_of_two_costs_covers_the_true_one_in_95_of_100() -> None:
    draw = random.Random(2)
    inside = 0
    for _ in range(2000):
        base, new = (cost(draw.gauss(mean, 0.04), 0.04) for mean in (1.0, 1.5))
        found = cost_ratio(base, new)
        assert found is not None
        assert found.interval is not None
        inside += found.interval[0] <= 1.5 <= found.interval[1]
    assert 0.935 < inside / 2000 < 0.965
    assert cost_ratio(cost(1.0, None), cost(2.0, 0.1)) == CostRatio(2.0, None)
    assert cost_ratio(cost(0.0, 0.0), cost(2.0, 0.1)) is None


def test_gpu_hours_add_up_over_starts_and_name_those_without_a_time() -> None:
    found = gpu_time([(8, 1800.0), (4, 3600.0), (8, None), (0, 99.0)])
    assert found is not None
    assert (found.hours, found.starts, found.unknown, found.most) == (8.0, 3, 1, 8)
    assert found.lacking == "of 3 starts 1 recorded no time and is not in the sum"
    assert gpu_time([(None, 60.0), (0, 60.0)]) is None
    assert gpu_time([]) is None


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0.0, "0.00"), (1204.0, "1,204.00"), (1.234, "1.23"), (0.999, "1.00"), (0.0456, "0.0456"),
     (3.2e-7, "0.000000320")],
)  # fmt: skip
def test_dollars_are_printed_with_three_digits_and_cents(usd: float, text: str) -> None:
    assert usd_text(usd) == text
