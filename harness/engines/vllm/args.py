"""`--engine-arg` of the vllm engine: vLLM's own engine arguments, a LoRA adapter, and GPUs.

The argument parser of `vllm serve` converts the text, so that every argument of the installed
version works under its name there, with - or _ between words.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from math import prod
from pathlib import Path
from typing import Any, NoReturn

from harness.engines.settings import EngineSettings
from harness.engines.vllm.invariance import (
    BATCH_INVARIANT,
    check_batch_invariant,
    read_batch_invariant,
)
from harness.engines.vllm.process import import_vllm
from harness.engines.vllm.request import guard_params
from harness.errors import UsageError

_OURS = {
    "model": "--model",
    "revision": "--revision",
    "seed": "--seed; each replica's own seed is derived from it",
}
"""Arguments of vLLM that the harness sets, and the options that set them."""

PARALLEL = (
    "tensor_parallel_size",
    "pipeline_parallel_size",
    "prefill_context_parallel_size",
    "data_parallel_size",
)
"""Arguments whose product is the number of GPUs that one engine spreads over."""

_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class EngineArgs:
    """The arguments that the user gave, in vLLM's types.

    Args:
        values: vLLM's engine arguments by name.
        lora: folder of the LoRA adapter for every request.
        batch_invariant: whether vLLM's batch-invariant mode is on; None leaves it to the environment.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    lora: str | None = None
    batch_invariant: bool | None = None

    @property
    def gpus(self) -> int:
        """GPUs that one engine spreads over."""
        return prod(int(self.values.get(name) or 1) for name in PARALLEL)


def plain_name(written: str) -> str:
    """An argument's name with _ between its words, however it was written."""
    return written.replace("-", "_")


def read_engine_args(settings: EngineSettings) -> EngineArgs:
    """The engine arguments of a run, checked before a model is loaded for minutes.

    Raises:
        UsageError: vLLM is missing, has no repetition guard, or does not take an argument.
    """
    import_vllm()
    guard_params(settings.repetition_guard)
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    args = parse_engine_args(
        settings.options, AsyncEngineArgs.add_cli_args(FlexibleArgumentParser())
    )
    check_data_parallel(args, seeded=settings.seeded)
    if args.batch_invariant:
        check_batch_invariant()
    if args.lora is not None and not Path(args.lora).is_dir():
        raise UsageError(f"--engine-arg lora={args.lora}: there is no such folder")
    return args


def parse_engine_args(given: Mapping[str, str], parser: argparse.ArgumentParser) -> EngineArgs:
    """Engine arguments from text.

    Args:
        given: name to text.
        parser: holds every engine argument (`AsyncEngineArgs.add_cli_args`).

    Raises:
        UsageError: an argument that vLLM does not know, that the harness sets, or of another type.
    """
    actions = {action.dest: action for action in parser._actions if action.dest != "help"}
    values: dict[str, Any] = {}
    lora = batch_invariant = None
    for written, text in given.items():
        name = plain_name(written)
        if name == "lora":
            lora = text
        elif name == BATCH_INVARIANT:
            batch_invariant = read_batch_invariant(text)
        elif name in _OURS:
            raise UsageError(f"--engine-arg {written}: use {_OURS[name]}")
        elif name not in actions:
            raise UsageError(_unknown(written, name, [*actions, "lora", BATCH_INVARIANT]))
        else:
            values[name] = _convert(actions[name], written, text, parser)
    if lora is not None:
        rank = _rank(Path(lora), actions.get("max_lora_rank"))
        values = {**rank, **values, "enable_lora": True}
    return EngineArgs(values, lora, batch_invariant)


def _rank(folder: Path, limit: argparse.Action | None) -> dict[str, int]:
    """`max_lora_rank` for an adapter above vLLM's default, whose first sample would stop vLLM."""
    try:
        config = json.loads((folder / "adapter_config.json").read_bytes())
        rank = max([int(config.get("r") or 0), *(config.get("rank_pattern") or {}).values()])
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # vLLM's own error names what is wrong with it
    if limit is None:
        return {}
    fitting = [choice for choice in limit.choices or () if choice >= rank]
    return {"max_lora_rank": min(fitting)} if rank > limit.default and fitting else {}


def check_data_parallel(args: EngineArgs, *, seeded: bool) -> None:
    """Refuse vLLM's own data parallelism without a seed per sample.

    Args:
        args: of the engine.
        seeded: whether each sample carries a seed of its own.

    Raises:
        UsageError: it is asked for and samples are not seeded.
    """
    if int(args.values.get("data_parallel_size") or 1) > 1 and not seeded:
        raise UsageError(
            "--engine-arg data_parallel_size: all ranks get one engine seed, so two samples of a "
            "problem may be the same draw; use --replicas N, which gives each engine a seed of "
            "its own, or --seeded"
        )


def assign_devices(replicas: int, each: int, visible: Sequence[str]) -> list[list[str]]:
    """The GPUs of every replica r: r * each .. r * each + each - 1 of those that are visible.

    Args:
        replicas: their number.
        each: GPUs of one replica.
        visible: GPUs that may be used, as their environment variable names them.

    Raises:
        UsageError: there are not enough.
    """
    if replicas * each > len(visible):
        raise UsageError(
            f"--replicas {replicas} with {each} GPU{'s' * (each > 1)} each need "
            f"{replicas * each} GPUs, and {len(visible)} are visible; lower --replicas or "
            "tensor_parallel_size, or widen CUDA_VISIBLE_DEVICES"
        )
    return [list(visible[r * each : (r + 1) * each]) for r in range(replicas)]


def _unknown(written: str, name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    meant = f"did you mean {' or '.join(near)}?" if near else "see `vllm serve --help`"
    return f"--engine-arg {written}: vLLM has no such engine argument; {meant}"


def _convert(
    action: argparse.Action, written: str, text: str, parser: argparse.ArgumentParser
) -> Any:
    """One value, as the parser would read it from a command line."""
    if action.nargs == 0:  # a switch; BooleanOptionalAction is one too
        if text.lower() not in _YES_NO:
            raise UsageError(f"--engine-arg {written}={text}: true or false")
        return _YES_NO[text.lower()]
    error = parser.error
    option = next(o for o in action.option_strings if o.startswith("--"))
    words = text.split(",") if action.nargs in ("+", "*") else [text]

    def refuse(message: str) -> NoReturn:
        reason = message.partition(": ")[2] or message
        raise UsageError(f"--engine-arg {written}={text}: {reason.splitlines()[0]}")

    try:
        parser.error = refuse  # type: ignore[method-assign]
        # A value may begin with a minus sign, which argparse takes for an option without the "=".
        line = [f"{option}={text}"] if len(words) == 1 else [option, *words]
        return getattr(parser.parse_args(line), action.dest)
    finally:
        parser.error = error  # type: ignore[method-assign]
