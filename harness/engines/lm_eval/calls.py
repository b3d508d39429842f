"""One call of an lm-eval model: its arguments, its draws, and the fields of a server's reply."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.interfaces import Completion
from harness.sampling import Sampling


def arguments(sampling: Sampling, cap: int, *, transformers: bool) -> dict[str, Any]:
    """A sampling as lm-eval's generation arguments. An unstated temperature is 1.

    Args:
        sampling: of the samples.
        cap: tokens that a completion may have.
        transformers: whether transformers' `generate` makes the texts.
    """
    temperature = 1.0 if sampling.temperature is None else sampling.temperature
    found: dict[str, Any] = {"max_gen_toks": cap, "until": list(sampling.stop)}
    if temperature == 0:
        return {**found, "do_sample": False, "temperature": 0.0}
    if transformers:
        found |= {"top_k": 0, "top_p": 1.0}  # its own default draws from the 50 likeliest tokens
    if sampling.top_p is not None:
        found["top_p"] = sampling.top_p
    return {**found, "do_sample": True, "temperature": temperature}


@contextmanager
def torch_draws(seed: int) -> Iterator[None]:
    """Seed torch's global generators for a batch, and restore their state afterwards."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def record_replies(client: Any, record: Callable[[Mapping[str, Any] | None], None]) -> None:
    """Call `record` with each reply from which an API client takes the text.

    The reply holds what lm-eval drops: finish_reason, token counts, reasoning.
    """
    parse = client.parse_generations

    def recorded(outputs: Any, **rest: Any) -> Any:
        record(outputs if isinstance(outputs, Mapping) else None)
        return parse(outputs=outputs, **rest)

    client.parse_generations = recorded


def from_reply(reply: Mapping[str, Any], text: str, seconds: float) -> Completion:
    """The completion of a server's reply: text, finish reason, token counts, reasoning.

    Args:
        reply: JSON of the server.
        text: as lm-eval read it from the reply.
        seconds: that the call took.
    """
    choice = (reply.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    reason = choice.get("finish_reason")
    reasoning = message.get("reasoning") or message.get("reasoning_content")
    if "content" in message and message["content"] is None:
        text = ""  # lm-eval puts a placeholder there
    usage = reply.get("usage") or {}
    return Completion(
        text,
        reason if reason in ("stop", "length") else "unknown",
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        seconds=seconds,
        reasoning=reasoning,
    )
