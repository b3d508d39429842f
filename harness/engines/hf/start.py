"""Starts the transformers engine."""

from __future__ import annotations

from harness.engines.hf.engine import TransformersEngine
from harness.engines.hf.options import parse_options
from harness.engines.settings import EngineSettings


def open_engine(settings: EngineSettings) -> TransformersEngine:
    """The transformers engine, its model loaded. Raises what `TransformersEngine` raises.

    Raises:
        UsageError: an option that is unknown or unreadable.
    """
    return TransformersEngine(
        settings.model,
        revision=settings.revision,
        seed=settings.seed,
        think_end=settings.think_end,
        thinking=settings.thinking,
        effort=settings.effort,
        bounded=settings.reasoning_budget is not None,
        seeded=settings.seeded,
        options=parse_options(settings.options),
    )
