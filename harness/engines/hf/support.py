"""Whether transformers can draw a model's samples by continuous batching here."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any


def why_fixed(model: Any, seeded: bool) -> str | None:
    """Why a model's samples are drawn in fixed batches; None where continuous batching can.

    Args:
        model: loaded.
        seeded: whether samples have seeds of their own.
    """
    if seeded:
        return "seeded samples do not depend on what is drawn beside them"
    if model.device.type == "cpu" and find_spec("psutil") is None:
        return "psutil, which measures free memory, is not installed"
    return None
