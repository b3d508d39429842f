"""`--engine-arg` of the lm_eval engine: arguments of lm-eval's model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.errors import UsageError

BATCH = 64
"""Samples in a batch of a model in this process, without `--engine-arg batch_size`."""

_VLLM_BATCH = 256  # vLLM schedules within a call, which returns when all of it is done
_REQUESTS = 32  # of an API client at once
API_TIMEOUT = 3600
"""Seconds of one request; lm-eval's own 300 would end long reasoning."""

_SECRET = ("token", "key", "header")
_REFUSED = {
    "seed": "--seed is the run's, and every process start derives its own from it",
    "use_cache": "its cache copies one answer to all samples of a problem",
    "think_end_token": "it would cut reasoning away; the harness splits them (--think-end)",
}


def parse_arguments(options: Mapping[str, str]) -> dict[str, Any]:
    """Arguments as lm-eval reads them from text: numbers, booleans, JSON.

    Raises:
        UsageError: one that would change what the harness sets.
    """
    from lm_eval.utils import handle_arg_string

    for option in options:
        if option in _REFUSED:
            raise UsageError(f"--engine-arg {option}: {_REFUSED[option]}")
    return {name: handle_arg_string(text) for name, text in options.items()}


def shown_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments for the fingerprint, without those that may hold a key."""
    return {k: v for k, v in arguments.items() if not any(part in k for part in _SECRET)}


def concurrency_of(name: str, given: Mapping[str, Any], *, api: bool) -> int:
    """Samples in a batch, or requests in flight of an API client.

    Args:
        name: lm-eval's name of the model.
        given: arguments of the model.
        api: whether it is an API client.

    Raises:
        UsageError: a number that cannot be read.
    """
    option = "num_concurrent" if api else "batch_size"
    default = _REQUESTS if api else _VLLM_BATCH if name == "vllm" else BATCH
    value = given.get(option, default)
    if str(value).startswith("auto"):
        return default
    if not isinstance(value, int) or value < 1:
        raise UsageError(f"--engine-arg {option}={value}: a number from 1 on")
    return value
