"""`--engine-arg` of the transformers engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from harness.errors import UsageError

Batching = Literal["continuous", "fixed"]


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the transformers engine.

    Args:
        batch_size: largest number of samples drawn at once.
        batching: "continuous", where each sample starts and ends by itself, or "fixed"; by default
            continuous where transformers and the model can.
        kv_mib: MiB of keys and values that continuous batching may keep; by default what is needed
            and free.
        device: "cpu", "cuda" or "cuda:N"; a GPU by default where there is one.
        dtype: of the weights, such as "bfloat16"; by default float32 on a CPU, else the checkpoint's.
    """

    batch_size: int = 64
    batching: Batching | None = None
    kv_mib: int | None = None
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
    for name in ("batch_size", "kv_mib"):
        if name in given:
            values[name] = _number(name, given[name])
    if "batching" in given and given["batching"] not in get_args(Batching):
        raise UsageError(
            f"--engine-arg batching={given['batching']}: {' or '.join(get_args(Batching))}"
        )
    if "kv_mib" in given and given.get("batching") == "fixed":
        raise UsageError(
            f"--engine-arg kv_mib={given['kv_mib']}: fixed batches have no such cache; leave it out, "
            "or batching=fixed"
        )
    return Options(**values)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise UsageError(f"--engine-arg {name}={text}: a number from 1 on")
    return int(text)
