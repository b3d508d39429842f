"""One sample as vLLM takes it: prompt, sampling and adapter, and what it says when it refuses."""

from __future__ import annotations

from typing import Any

from harness.engines.repetition import detection
from harness.errors import UsageError
from harness.interfaces import Request


def sampling_params(request: Request, cap: int) -> Any:
    """What vLLM calls the sampling of a request, whose completion may have `cap` tokens.

    Raises:
        UsageError: vLLM cannot sample so; a temperature above 2, for one.
    """
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    sampling = request.sampling
    guard = guard_params(sampling.repetition_guard)
    try:
        return SamplingParams(
            n=1,
            temperature=1.0 if sampling.temperature is None else sampling.temperature,
            top_p=1.0 if sampling.top_p is None else sampling.top_p,
            seed=request.seed,
            max_tokens=cap,
            stop=list(sampling.stop) or None,
            # Stop strings are looked for in vLLM's text; what is stored is decoded here either way.
            detokenize=bool(sampling.stop),
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **guard,
        )
    except Exception as error:  # its class differs by version
        raise UsageError(f"vLLM does not sample so: {cause(error)}") from error


def guard_params(guard: int | None) -> dict[str, Any]:
    """The repetition guard as vLLM's own detection; nothing without one.

    Raises:
        UsageError: this vLLM is too old to have one.
    """
    found = detection(guard)
    if found is None:
        return {}
    try:
        from vllm.sampling_params import RepetitionDetectionParams
    except ImportError as error:
        raise UsageError(
            "--repetition-guard: this vLLM has no repetition detection; install a newer one, or "
            "leave the guard out"
        ) from error
    return {"repetition_detection": RepetitionDetectionParams(**found)}


def token_prompt(tokens: list[int]) -> Any:
    """A prompt of token ids; vLLM takes one that is marked so as it is, without a thread's help."""
    import vllm.inputs

    mark = getattr(vllm.inputs, "tokens_input", None)
    return {"prompt_token_ids": tokens} if mark is None else mark(tokens)


def lora_request(path: str | None) -> Any:
    """The adapter of a request; None without one."""
    if path is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("lora", 1, path)


def cause(error: BaseException) -> str:
    """Why, in one line."""
    found = error.__cause__ or error
    if type(found).__name__ == "EngineDeadError":  # its own text points at a trace nobody is shown
        return "its core process ended"
    return (str(found).strip().splitlines() or [type(found).__name__])[0][:300]
