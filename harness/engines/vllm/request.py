"""One sample in vLLM's types: prompt, sampling, adapter; and the reason when vLLM refuses it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from harness.engines.repetition import detection
from harness.engines.replicas import ReplicaLost
from harness.errors import EngineError, UsageError, first_line
from harness.interfaces import Request


def sampling_params(request: Request, cap: int) -> Any:
    """VLLM's SamplingParams for a request.

    Args:
        request: the sample.
        cap: tokens that its completion may have.

    Raises:
        UsageError: vLLM refuses the sampling; a temperature above 2, for example.
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
            # vLLM finds stop strings in its own text; the stored text is decoded here in any case.
            detokenize=bool(sampling.stop),
            skip_special_tokens=False,
            spaces_between_special_tokens=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            **guard,
        )
    except Exception as error:  # its class differs by version
        raise UsageError(f"vLLM refuses this sampling: {cause(error)}") from error


def guard_params(guard: int | None) -> dict[str, Any]:
    """The repetition guard as vLLM's own detection; empty without a guard.

    Raises:
        UsageError: this version of vLLM has no detection.
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
    """A prompt of token ids, marked so that vLLM takes it as it is, without its tokenizer thread."""
    import vllm.inputs

    mark = getattr(vllm.inputs, "tokens_input", None)
    return {"prompt_token_ids": tokens} if mark is None else mark(tokens)


def lora_request(path: str | None) -> Any:
    """VLLM's request for the LoRA adapter in a folder; None without one."""
    if path is None:
        return None
    from vllm.lora.request import LoRARequest

    return LoRARequest("lora", 1, path)


_ENDS = ("stop", "length", "repetition")


async def final_output(
    llm: Any, outputs: AsyncIterator[Any], stop_cause: Callable[[BaseException], str]
) -> Any:
    """The one completion that FINAL_ONLY yields (vLLM's CompletionOutput).

    Args:
        llm: the AsyncLLM; its `errored` tells a stopped core from a failed request.
        outputs: of its `generate`.
        stop_cause: why the core stopped, given what `generate` raised.

    Raises:
        EngineError: vLLM failed on this request.
        ReplicaLost: vLLM's core has stopped or is stopping.
    """
    try:
        found = [output async for output in outputs]
    except Exception as error:  # vLLM's classes differ by version; `errored` does not
        if llm.errored:
            raise ReplicaLost(f"vLLM stopped ({stop_cause(error)})") from error
        raise EngineError(f"vLLM failed on this sample: {cause(error)}") from error
    reason = found[-1].outputs[0].finish_reason if found else None
    if reason not in _ENDS:
        # The harness aborts no request; a core that was asked to stop does, before it exits.
        if reason == "abort" or llm.errored:
            raise ReplicaLost("vLLM is stopping")
        raise EngineError("vLLM ended this sample without a completion")
    return found[-1].outputs[0]


def cause(error: BaseException) -> str:
    """The cause of vLLM's error, in one line of at most 300 characters."""
    found = error.__cause__ or error
    if (
        type(found).__name__ == "EngineDeadError"
    ):  # its text points at a traceback that is not shown
        return "its core process ended"
    return first_line(found, 300)
