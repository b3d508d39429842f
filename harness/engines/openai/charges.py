"""What a server says that its tokens cost: per reply, or in its list of models. In USD.

Servers say it in different places and units. Only these are read, each as its provider documents it:

- OpenRouter: `usage.cost` of a reply. With a key of one's own for the provider (`is_byok`) that is
  OpenRouter's fee alone, and `cost_details.upstream_inference_cost` what the provider charges on top.
  `pricing` of a model: `prompt` and `completion`, in USD per token, as text ("0.00000055").
- xAI: `usage.cost_in_usd_ticks`, in units of 1e-10 USD.
- DeepInfra: `usage.estimated_cost`.

A `pricing` in numbers is not read: other providers state USD per million tokens under the same names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.stats.cost import Price

_TICKS = 1e10  # to the dollar


def stated_charge(usage: Mapping[str, Any]) -> float | None:
    """USD that a reply says it cost; None where it does not, or not all of it.

    Args:
        usage: of the reply.
    """
    cost = _dollars(usage.get("cost"))
    if cost is not None and usage.get("is_byok") is True:
        details = usage.get("cost_details")
        upstream = details.get("upstream_inference_cost") if isinstance(details, dict) else None
        further = _dollars(upstream)
        return None if further is None else cost + further
    if cost is not None:
        return cost
    ticks = _dollars(usage.get("cost_in_usd_ticks"))
    return ticks / _TICKS if ticks is not None else _dollars(usage.get("estimated_cost"))


def listed_price(entry: Mapping[str, Any]) -> Price | None:
    """The price of a model's tokens by a server's list; None where it states none.

    A negative one ("-1") stands for a price that depends on where the request ends up.

    Args:
        entry: of the model in /models.
    """
    pricing = entry.get("pricing")
    if not isinstance(pricing, dict):
        return None
    texts = pricing.get("prompt"), pricing.get("completion")
    try:
        # By the million, rounded to digits that survive the division: 0.55, not 0.5499999999999999.
        prompt, completion = (
            round(float(text) * 1e6, 9) if isinstance(text, str) else math.nan for text in texts
        )
        return Price(prompt, completion, listed=True)
    except ValueError:
        return None


def _dollars(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value < math.inf else None
