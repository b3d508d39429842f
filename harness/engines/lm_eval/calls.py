"""One call of an lm-eval model: its arguments, its draws, and what a reply holds beside the text."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from harness.interfaces import Completion
from harness.types import Sampling


def arguments(sampling: Sampling, cap: int, *, transformers: bool) -> dict[str, Any]:
    """Our sampling in lm-eval's words. An unstated temperature is 1."""
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
    """Torch's global generators in a state of this batch's own, and afterwards as they were."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
        return
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


def hear_replies(client: Any, tell: Callable[[Mapping[str, Any] | None], None]) -> None:
    """Be told each reply from which an API client takes the text: it holds what lm-eval drops."""
    parse = client.parse_generations

    def heard(outputs: Any, **rest: Any) -> Any:
        tell(outputs if isinstance(outputs, Mapping) else None)
        return parse(outputs=outputs, **rest)

    client.parse_generations = heard


def from_reply(reply: Mapping[str, Any], text: str, seconds: float) -> Completion:
    """What a server said beside the text: its reason to end, counts, reasoning it split off."""
    choice = (reply.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    said = choice.get("finish_reason")
    reasoning = message.get("reasoning") or message.get("reasoning_content")
    if "content" in message and message["content"] is None:
        text = ""  # lm-eval puts a placeholder there
    usage = reply.get("usage") or {}
    return Completion(
        text,
        said if said in ("stop", "length") else "unknown",
        usage.get("prompt_tokens"),
        usage.get("completion_tokens"),
        seconds=seconds,
        reasoning=reasoning,
    )
