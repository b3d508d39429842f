"""Whether transformers can draw a model's samples by continuous batching here."""

from __future__ import annotations

from dataclasses import fields
from importlib.metadata import version
from importlib.util import find_spec
from inspect import signature
from typing import Any

from harness.engines.hf.completion import Completions

_ATTENTION = {"full_attention", "sliding_attention"}
_OLDEST = "5.19"
"""The oldest version that was tried."""


def why_fixed(model: Any, seeded: bool, completions: Completions) -> str | None:
    """Why a model's samples are drawn in fixed batches; None where continuous batching can.

    Args:
        model: loaded.
        seeded: whether samples have seeds of their own.
        completions: of the model's tokens.
    """
    if seeded:
        return "seeded samples do not depend on what is drawn beside them"
    if not library_can():
        return f"transformers {version('transformers')} lacks what it takes; {_OLDEST} has it"
    if model.device.type == "cpu" and find_spec("psutil") is None:
        return "psutil, which measures free memory, is not installed"
    if (why := _why_not(model)) is not None:
        return why
    from harness.engines.hf.trial import why_it_fails

    return why_it_fails(model, completions)


def library_can() -> bool:
    """Whether transformers has what continuous batching takes; what decides is not its number."""
    try:
        from transformers import ContinuousBatchingConfig
        from transformers.generation.continuous_batching import ContinuousBatchingManager
        from transformers.generation.continuous_batching.cb_logits_processors import (
            ContinuousBatchingLogitsProcessorList,
        )
        from transformers.generation.continuous_batching.continuous_api import OutputRouter
    except ImportError:
        return False
    return (
        {"page_size", "max_requests_per_batch"}
        <= {f.name for f in fields(ContinuousBatchingConfig)}
        and "hard_stop" in signature(ContinuousBatchingManager.stop).parameters
        and hasattr(ContinuousBatchingManager, "warmup")
        and hasattr(ContinuousBatchingLogitsProcessorList, "prepare_tensor_args")
        and hasattr(OutputRouter, "deliver_batch")
    )


def _why_not(model: Any) -> str | None:
    """What about a model keeps its keys and values out of a cache of blocks; None if nothing does."""
    config = model.config.get_text_config()
    name = type(model).__name__
    if model.config.is_encoder_decoder:
        return f"{name} has an encoder"
    if getattr(model, "_is_stateful", False):
        return f"{name} keeps a state that is not made of keys and values"
    other = sorted(set(getattr(config, "layer_types", None) or ()) - _ATTENTION)
    if other:
        return f"{name} has layers of {' and '.join(other)}"
    if not getattr(model, "_supports_attention_backend", False):
        return f"the attention of {name} cannot be exchanged"
    if getattr(config, "kv_lora_rank", None):
        return f"{name} compresses its keys and values"
    if any(_stretches(module) for module in model.modules()):
        return f"the rotary embedding of {name} changes with the longest sample of a step"
    return None


def _stretches(module: Any) -> bool:
    """Whether a module is a rotary embedding whose frequencies follow the longest position it is given."""
    found = getattr(module, "rope_type", None)
    kinds = found.values() if isinstance(found, dict) else [found]
    return any(
        isinstance(kind, str) and ("dynamic" in kind or kind == "longrope") for kind in kinds
    )
