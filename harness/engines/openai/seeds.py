"""Whether a server keeps to the seeds that it is sent, tried before the first sample of a seeded run.

Some servers take the field and ignore it; `transformers serve` seeds one generator for all requests,
so that a seed holds while requests come one by one, and no longer. Temperature and top_p are not tried:
that would take requests that are sampled unlike the run's, and some servers keep to their first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import Any

from harness.engines.openai.completions import BadReply, read_completion
from harness.engines.openai.server import Refusal, TransientError, Unreachable
from harness.engines.settings import EngineSettings
from harness.errors import EngineError
from harness.sampling import Sampling
from harness.stats.seeds import derive_seed

Ask = Callable[[Mapping[str, Any]], Awaitable[Any]]
"""Posts a request with further fields, sampled as the run samples; returns the reply's JSON."""

_PROMPT = "Write the first lines of a story about anything you like."
_TOKENS = 48  # many continuations, so that two draws of a model that samples differ
_TOGETHER = 4  # requests in flight at once, two of each seed


class Seeds(StrEnum):
    """How a server keeps to seeds, as the fingerprint has it."""

    KEPT = "kept"
    ALONE = "kept by one request at a time"
    IGNORED = "ignored"
    UNKNOWN = "not told by equal texts"


async def try_seeds(ask: Ask, seed: int, cap_field: str, cap: int | None) -> Seeds | None:
    """Draw a text twice with one seed, once with another, and both again at the same time.

    Args:
        ask: posts a request to the server.
        seed: of the run.
        cap_field: the name of the cap.
        cap: tokens of the run's completions.

    Returns:
        What the texts tell; None where the server answers with failures.
    """
    turn = {"role": "user", "content": _PROMPT}
    fields = {"messages": [turn], cap_field: min(_TOKENS, cap or _TOKENS)}

    async def draw(number: int) -> tuple[str, str]:
        reply = await ask({**fields, "seed": derive_seed("honoured", seed, number)})
        found = read_completion(reply, 0.0)
        return found.reasoning or "", found.text

    try:
        first, again, other = await draw(0), await draw(0), await draw(1)
        if first != again:
            return Seeds.IGNORED
        if first == other:
            return Seeds.UNKNOWN
        together = await asyncio.gather(*(draw(number % 2) for number in range(_TOGETHER)))
    except (Refusal, TransientError, Unreachable, BadReply, EngineError):
        return None  # what keeps a request from being served is said of the run's own
    kept = list(together) == [first, other] * (_TOGETHER // 2)
    return Seeds.KEPT if kept else Seeds.ALONE


def remark_on_seeds(found: Seeds | None, where: str) -> str | None:
    """The line that a user of `--seeded` should read; None where seeds are kept.

    Args:
        found: by `try_seeds`.
        where: the server, as it is shown.
    """
    if found is Seeds.IGNORED:
        return (
            f"--seeded: {where} ignores seeds, as two requests with one seed gave two texts: its "
            "samples are draws, but none can be drawn again by its seed"
        )
    if found is Seeds.ALONE:
        return (
            f"--seeded: {where} keeps to a seed only while no other request is in flight: its "
            "samples are draws, but to draw one again takes --concurrency 1 in both runs"
        )
    if found is Seeds.UNKNOWN:
        return (
            f"--seeded: {where} gave one text for two seeds: either the model is this sure at the "
            "run's temperature, or the server does not sample; equal draws of a task stop the run"
        )
    return None


async def seed_facts(
    ask: Ask, settings: EngineSettings, cap_field: str, where: str
) -> dict[str, str]:
    """Try what a server keeps of `--seeded`, say what it does not, and return it for the fingerprint.

    Args:
        ask: posts a request to the server, sampled as the run samples.
        settings: of the engine.
        cap_field: the name of the cap.
        where: the server, as it is shown.
    """
    sampling = next(iter(settings.samplings), Sampling())
    if sampling.temperature == 0:
        return {}
    found = await try_seeds(ask, settings.seed, cap_field, sampling.max_tokens)
    if line := remark_on_seeds(found, where):
        settings.notify(line)
    return {} if found is None else {"seeds": str(found)}
