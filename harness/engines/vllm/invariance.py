"""vLLM's batch-invariant mode: a completion that does not depend on what is computed beside it.

Its switch is an environment variable, which vLLM's CPU workers take and ignore.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from harness.engines.vllm.launch import environment_variable
from harness.engines.vllm.process import import_vllm
from harness.errors import UsageError

BATCH_INVARIANT = "batch_invariant"
"""`--engine-arg batch_invariant=true`."""

VARIABLE = "VLLM_BATCH_INVARIANT"
_YES_NO = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def read_batch_invariant(text: str) -> bool:
    """The option's value.

    Raises:
        UsageError: it is neither true nor false.
    """
    if text.lower() not in _YES_NO:
        raise UsageError(f"--engine-arg {BATCH_INVARIANT}={text}: true or false")
    return _YES_NO[text.lower()]


def check_batch_invariant() -> None:
    """Check that the installed vLLM and its device have the mode.

    An NVIDIA GPU that is too old, or an attention backend without it, is refused by vLLM itself.

    Raises:
        UsageError: they do not.
    """
    vllm = import_vllm()
    from vllm import envs
    from vllm.platforms import current_platform

    check_mode(str(vllm.__version__), envs.environment_variables, str(current_platform.device_type))


def check_mode(version: str, variables: Mapping[str, object], device: str) -> None:
    """Check that a vLLM has the mode.

    Args:
        version: of vLLM.
        variables: that it reads.
        device: that it computes on, as it names it.

    Raises:
        UsageError: it does not.
    """
    if VARIABLE not in variables:
        raise UsageError(
            f"--engine-arg {BATCH_INVARIANT}=true: vLLM {version} has no batch-invariant mode; install a "
            "newer one, or leave it out"
        )
    if device == "cpu":
        raise UsageError(
            f"--engine-arg {BATCH_INVARIANT}=true: vLLM {version} has it on GPUs only, and ignores it on "
            "this CPU; leave it out"
        )


def is_batch_invariant(chosen: bool | None) -> bool:
    """Whether the mode is on: as it was chosen, else as the environment has it.

    Args:
        chosen: by the run; None leaves it to the environment.
    """
    if chosen is not None:
        return chosen
    from vllm import envs
    from vllm.platforms import current_platform

    return bool(getattr(envs, VARIABLE, False)) and current_platform.device_type != "cpu"


def batch_invariance(chosen: bool | None) -> AbstractContextManager[None]:
    """What a start of vLLM's processes happens in, as they copy the environment."""
    return nullcontext() if chosen is None else environment_variable(VARIABLE, str(int(chosen)))
