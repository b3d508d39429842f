"""The kinds of servers that are known, and what each does of its own where a request does not say.

A server that is not known may sample with settings of its own (a top_k, a penalty), which no
protocol states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError

# Requests that keep a server busy. vLLM runs 256 sequences at once by default and queues the rest;
# a hosted API answers with 429 to more than a few dozen from a new account.
_VLLM_AT_ONCE = 256
_OTHERS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class ServerKind:
    """What is known of one kind of server.

    Args:
        name: as `--engine-arg server=NAME` has it.
        neutral: fields of every request that switch off what the server would sample with of its
            own; a run's own fields override them. None where they are not known.
        at_once: requests in flight that keep it busy.
    """

    name: str
    neutral: Mapping[str, Any] | None = field(default=None, hash=False)
    at_once: int = _OTHERS_AT_ONCE


VLLM = ServerKind(
    "vllm",
    neutral={
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": -1,  # all; every version reads it so, and 0 only the newer ones
        "min_p": 0.0,
        "repetition_penalty": 1.0,
    },
    at_once=_VLLM_AT_ONCE,
)
"""It reads these from the checkpoint's generation_config.json unless they are sent."""

UNKNOWN = ServerKind("unknown")

KINDS: Mapping[str, ServerKind] = {kind.name: kind for kind in (VLLM, UNKNOWN)}


def named_kind(name: str) -> ServerKind:
    """The kind that `--engine-arg server=NAME` says stands behind an address.

    Raises:
        UsageError: there is no such kind.
    """
    if name not in KINDS:
        raise UsageError(f"--engine-arg server={name}: one of {', '.join(KINDS)}")
    return KINDS[name]


def listed_kind(entry: Mapping[str, Any]) -> ServerKind:
    """The kind of a server by its /models entry of the model.

    Args:
        entry: as JSON; empty where it has no such list.
    """
    return VLLM if entry.get("owned_by") == "vllm" else UNKNOWN
