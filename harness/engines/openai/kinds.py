"""The kinds of servers that are known, and what each does of its own where a request does not say.

A server that is not known may sample with settings of its own (a top_k, a penalty), which no
protocol states.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import UsageError
from harness.sampling import Sampling

# Requests that keep a server busy. vLLM runs 256 sequences at once by default and queues the rest;
# a hosted API answers with 429 to more than a few dozen from a new account.
_VLLM_AT_ONCE = 256
_OTHERS_AT_ONCE = 64

GENERATION_CONFIG = "generation_config"
"""The field of `transformers serve` that holds a whole generation config, as JSON text."""

NOT_NEUTRAL = "not neutral"
"""`server_sampling` of a protocol: the server may sample with settings of its own."""

TOP_P_FIRST = "top_p before temperature"
"""`server_sampling` of a protocol: top_p chooses from the distribution at temperature 1."""


@dataclass(frozen=True, slots=True)
class ServerKind:
    """What is known of one kind of server.

    Args:
        name: as `--engine-arg server=NAME` has it.
        neutral: fields of every request that switch off what the server would sample with of its
            own; a run's own fields override them. None where they are not known.
        at_once: requests in flight that keep it busy.
        proxy: whether it passes requests on to another server, which samples.
        any_name: whether it answers a request for a model that it does not serve, with its own.
        one_model: whether its list names one model, and another one there is another model.
        takes_any_prompt: whether it takes a prompt beyond its context without an error.
        top_p_first: whether top_p chooses before the temperature is applied, unlike elsewhere.
    """

    name: str
    neutral: Mapping[str, Any] | None = field(default=None, hash=False)
    at_once: int = _OTHERS_AT_ONCE
    proxy: bool = False
    any_name: bool = False
    one_model: bool = False
    takes_any_prompt: bool = False
    top_p_first: bool = False

    def sampling_of_its_own(self, samplings: Sequence[Sampling]) -> str | None:
        """What the protocol of a run says of the server's own sampling; None where it has no part.

        Args:
            samplings: of the run's tasks.
        """
        if self.neutral is None:
            return NOT_NEUTRAL
        chosen_first = self.top_p_first and any(
            sampling.top_p not in (None, 1.0) and sampling.temperature not in (None, 0.0, 1.0)
            for sampling in samplings
        )
        return TOP_P_FIRST if chosen_first else None


_OF_VLLM: Mapping[str, Any] = {
    "temperature": 1.0,
    "top_p": 1.0,
    "top_k": -1,  # all; every version reads it so, and 0 only the newer ones
    "min_p": 0.0,
    "repetition_penalty": 1.0,
}

VLLM = ServerKind("vllm", neutral=_OF_VLLM, at_once=_VLLM_AT_ONCE, one_model=True)
"""It reads these from the checkpoint's generation_config.json unless they are sent."""

RAY = ServerKind("ray", neutral=_OF_VLLM, at_once=_VLLM_AT_ONCE)
"""Ray Serve LLM: vLLM under another owner."""

SGLANG = ServerKind("sglang", neutral=_OF_VLLM, at_once=_VLLM_AT_ONCE, one_model=True)
"""It reads them from the checkpoint as vLLM does, and calls them the same."""

LLAMACPP = ServerKind(
    "llamacpp",
    neutral={
        "temperature": 1.0,
        "dynatemp_range": 0.0,
        "top_k": 0,
        "top_p": 1.0,
        "min_p": 0.0,
        "top_n_sigma": -1.0,
        "typical_p": 1.0,
        "xtc_probability": 0.0,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "dry_multiplier": 0.0,
        "mirostat": 0,
        "adaptive_target": -1.0,
        "seed": 2**32 - 1,  # a new one per request; `llama-server --seed` would repeat every draw
        # Its own order has the temperature last: top_p would choose from another distribution than
        # elsewhere. A sampler that is not named does not run.
        "samplers": [
            "penalties", "dry", "top_n_sigma", "temperature", "top_k", "typ_p", "top_p", "min_p",
            "xtc",
        ],
    },
    any_name=True,
    one_model=True,
)  # fmt: skip
"""llama.cpp's own server; its defaults are in GET /props."""

LLAMA_CPP_PYTHON = ServerKind(
    "llama-cpp-python",
    neutral={
        "temperature": 1.0,
        "top_p": 1.0,
        "top_k": 0,
        "min_p": 0.0,
        "repeat_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "mirostat_mode": 0,
    },
    any_name=True,
    one_model=True,
    top_p_first=True,
)
"""llama-cpp-python's server, llama_cpp.server: the order of its samplers cannot be changed."""

TRANSFORMERS = ServerKind(
    "transformers",
    # As JSON text, for it refuses further fields. None would be the checkpoint's own value.
    neutral={
        GENERATION_CONFIG: json.dumps(
            {
                "do_sample": True,  # at temperature 0 it switches that off itself
                "num_beams": 1,
                "temperature": 1.0,
                "top_k": 0,
                "top_p": 1.0,
                "min_p": 0.0,
                "typical_p": 1.0,
                "epsilon_cutoff": 0.0,
                "eta_cutoff": 0.0,
                "repetition_penalty": 1.0,
                "encoder_repetition_penalty": 1.0,
                "no_repeat_ngram_size": 0,
                "encoder_no_repeat_ngram_size": 0,
            }
        )
    },
    one_model=True,
    takes_any_prompt=True,
)
"""`transformers serve`: greedy at every temperature unless a generation config says otherwise."""

LITELLM = ServerKind("litellm", proxy=True)
"""LiteLLM's proxy: the server behind it samples, and it does not show which kind that is."""

OPENAI = ServerKind("openai", neutral={})
"""OpenAI's own API, whose documented defaults are temperature 1, top_p 1 and no penalty.

It refuses fields that it does not know, so none is sent.
"""

UNKNOWN = ServerKind("unknown")

KINDS: Mapping[str, ServerKind] = {
    kind.name: kind
    for kind in (
        VLLM, SGLANG, LLAMACPP, LLAMA_CPP_PYTHON, TRANSFORMERS, LITELLM, RAY, OPENAI, UNKNOWN,
    )
}  # fmt: skip


def named_kind(name: str) -> ServerKind:
    """The kind that `--engine-arg server=NAME` says stands behind an address.

    Raises:
        UsageError: there is no such kind.
    """
    if name not in KINDS:
        raise UsageError(f"--engine-arg server={name}: one of {', '.join(KINDS)}")
    return KINDS[name]


_OWNERS = {"vllm": VLLM, "sglang": SGLANG, "llamacpp": LLAMACPP}


def listed_kind(entry: Mapping[str, Any]) -> ServerKind:
    """The kind of a server by an entry of its /models.

    Args:
        entry: as JSON; empty where it has no such list.
    """
    metadata = entry.get("metadata")
    if isinstance(metadata, Mapping) and "max_request_context_length" in metadata:
        return RAY
    return _OWNERS.get(str(entry.get("owned_by")), UNKNOWN)
