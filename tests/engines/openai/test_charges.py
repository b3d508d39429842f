"""What servers say that their tokens cost: OpenRouter's, xAI's and DeepInfra's replies, and price lists."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engines.openai.charges import listed_price, stated_charge
from harness.engines.openai.completions import read_completion
from harness.engines.openai.serve import gpus_served
from harness.stats.cost import Price


def reply(**usage: Any) -> dict[str, Any]:
    return {"choices": [{"finish_reason": "stop", "message": {"content": "4"}}], "usage": usage}


@pytest.mark.parametrize(
    ("usage", "usd"),
    [
        ({"cost": 0.0033789, "is_byok": False}, 0.0033789),
        ({"cost": 0}, 0.0),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}, 0.021),
        ({"cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
        ({"cost": 0.001, "is_byok": True}, None),
        ({"cost_in_usd_ticks": 37_756_000}, 0.0037756),
        ({"estimated_cost": 1.2e-5}, 1.2e-5),
        ({"cost": None}, None),
        ({"cost": "0.1"}, None),
        ({"cost": True}, None),
        ({"cost": -1}, None),
        ({"cost": float("nan")}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_a_charge_is_read_where_it_is_whole(usage: dict[str, Any], usd: float | None) -> None:
    assert stated_charge(usage) == (None if usd is None else pytest.approx(usd))
    found = read_completion(reply(prompt_tokens=3, completion_tokens=9, **usage), 1.0)
    assert found.cost == (None if usd is None else pytest.approx(usd))


@pytest.mark.parametrize(
    ("pricing", "price"),
    [
        ({"prompt": "0.00000055", "completion": "0.00000219"}, Price(0.55, 2.19, listed=True)),
        ({"prompt": "0", "completion": "0", "request": "0"}, Price(0.0, 0.0, listed=True)),
        ({"prompt": "-1", "completion": "-1"}, None),  # the price of whatever a router takes
        ({"prompt": 0.55, "completion": 2.19}, None),  # per million, or per token?
        ({"input": 0.55, "output": 2.19}, None),
        ({"prompt": "0.55", "completion": "2.19"}, None),  # no price per token
        ({"prompt": "0.00000055"}, None),
        ({"prompt": "free", "completion": "free"}, None),
        ("free", None),
        (None, None),
    ],
)
def test_a_price_list_is_read_in_the_unit_that_is_known(pricing: Any, price: Price | None) -> None:
    assert listed_price({"id": "m", "pricing": pricing}) == price


def test_reasoning_that_a_server_counts_beside_the_completion_is_added_to_it() -> None:
    details = {"completion_tokens_details": {"reasoning_tokens": 2809}}
    apart = reply(prompt_tokens=10_120, completion_tokens=1499, total_tokens=14_428, **details)
    found = read_completion(apart, 1.0)
    assert (found.n_tokens, found.n_reasoning_tokens) == (1499 + 2809, 2809)
    within = reply(prompt_tokens=10_120, completion_tokens=4308, total_tokens=14_428, **details)
    assert read_completion(within, 1.0).n_tokens == 4308
    unstated = reply(prompt_tokens=10_120, completion_tokens=4308, **details)
    assert read_completion(unstated, 1.0).n_tokens == 4308


def test_a_served_model_holds_the_gpus_that_its_options_spread_it_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch = pytest.importorskip("torch")
    options = {"tensor_parallel_size": "4", "pipeline-parallel-size": "2", "max_model_len": "4096"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert (gpus_served(options), gpus_served({})) == (8, 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpus_served(options) == 0
