"""`--engine-arg` of the transformers engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import UsageError


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the transformers engine.

    Args:
        batch_size: largest number of samples in a batch.
        device: "cpu", "cuda" or "cuda:N"; a GPU by default where there is one.
        dtype: of the weights, such as "bfloat16"; by default float32 on a CPU, else the checkpoint's.
    """

    batch_size: int = 64
    device: str | None = None
    dtype: str | None = None


def parse_options(given: Mapping[str, str]) -> Options:
    """Options from text.

    Raises:
        UsageError: an option that is unknown or unreadable.
    """
    known = Options.__dataclass_fields__
    for name in given:
        if name not in known:
            raise UsageError(
                f"--engine-arg {name}: the transformers engine knows {', '.join(known)}"
            )
    values: dict[str, Any] = dict(given)
    if "batch_size" in values:
        if not given["batch_size"].isdigit() or int(given["batch_size"]) < 1:
            raise UsageError(f"--engine-arg batch_size={given['batch_size']}: a number from 1 on")
        values["batch_size"] = int(given["batch_size"])
    return Options(**values)
