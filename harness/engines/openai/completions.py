"""The chat-completions protocol: from a request to its JSON, from a reply's JSON to a completion."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from harness.engines.openai.charges import stated_charge
from harness.engines.repetition import detection
from harness.errors import EngineError
from harness.interfaces import Completion, Request
from harness.types import FinishReason, Prompt

# Mistral sends "model_length"; TGI "eos_token" and "stop_sequence".
_REASONS: dict[str, FinishReason] = {
    "stop": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "model_length": "length",
    "repetition": "length",
}
# vLLM and SGLang; OpenRouter; DeepSeek; TensorRT-LLM.
_ABORTED = ("abort", "error", "insufficient_system_resource", "cancelled", "timeout")

# "maximum context length is 4096 tokens" (vLLM, OpenAI), "maximum model length of 4096" (vLLM's
# engine), "context length is only 4096 tokens" (vLLM), "context of 4096 tokens".
_CONTEXT = re.compile(
    r"(?:context length|model length|context window|max_model_len|context)\D{0,24}?(\d{2,})", re.I
)
# "your request has 95 input tokens", "(95 in the messages, 4000 in the completion)", "prompt
# (length 5000)", "you passed 95 input tokens", "500 tokens from the input messages" (SGLang), "request
# (95 tokens) exceeds" (llama.cpp), "(90 in your prompt; 5 for the completion)" (llama-cpp-python).
_PROMPT = (
    re.compile(r"(\d+) (?:input|prompt) tokens", re.I),
    re.compile(r"(\d+) in (?:the|your) (?:messages|prompt)", re.I),
    re.compile(r"(\d+) tokens from the input", re.I),
    re.compile(r"prompt \(length (\d+)\)", re.I),
    re.compile(r"request \((\d+) tokens\) exceeds", re.I),
    re.compile(
        r"(?:messages|prompt) (?:resulted in|contains|has) (?:at least )?(\d+) tokens", re.I
    ),
)


class BadReply(Exception):
    """A reply with status 200 that holds no completion: the request is retried."""


def messages(prompt: Prompt) -> list[dict[str, str]]:
    """A prompt as the messages of a chat."""
    turns = [{"role": "system", "content": prompt.system}] if prompt.system else []
    return [*turns, {"role": "user", "content": prompt.user}]


def request_body(
    request: Request,
    model: str,
    cap: int | None,
    cap_field: str,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    """The JSON that is posted for one sample; what the sampling does not state is not sent.

    Args:
        request: the sample.
        model: the name that the server knows it by.
        cap: tokens that the completion may have.
        cap_field: `max_tokens`, or `max_completion_tokens` as OpenAI's reasoning models want it.
        extra: further fields, which override these.
    """
    sampling = request.sampling
    body: dict[str, Any] = {"model": model, "messages": messages(request.prompt)}
    stated = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        cap_field: cap,
        "stop": list(sampling.stop) or None,
        "seed": request.seed,
        "repetition_detection": detection(sampling.repetition_guard),
    }
    body.update({name: value for name, value in stated.items() if value is not None})
    return {**body, **extra}


def read_completion(reply: Any, seconds: float) -> Completion:
    """The one completion of a reply.

    Its finish_reason `repetition` is vLLM's for the repetition guard's cut. A text that a content
    filter cut is not the model's answer, so that the sample ends in `error`; one that the server
    aborted is drawn again, and so is one without any content, see `_lacks_content`. Any other reason
    (`tool_calls`, none at all) becomes "unknown", and the text is graded.

    Args:
        reply: JSON of the server.
        seconds: that it took.

    Raises:
        BadReply: it is no completion, it lost its content, or the server aborted it.
        EngineError: the provider's content filter cut it.
    """
    if not isinstance(reply, dict) or reply.get("error"):
        raise BadReply(f"the answer is an error: {error_text(reply)}")
    try:
        choice = reply["choices"][0]
        message = choice["message"]
        reason = choice.get("finish_reason")
        if reason in ("stop", None):
            reason = _native_reason(choice) or reason
        text = _text(message.get("content")) or _text(message.get("refusal"))
        reasoning = _text(message.get("reasoning")) or _text(message.get("reasoning_content"))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise BadReply(f"the answer holds no completion ({error!r})") from error
    if reason == "content_filter":
        raise EngineError("the server's content filter cut the completion: it is no answer")
    if reason in _ABORTED:
        raise BadReply(f"the server aborted the completion ({reason})")
    usage: Any = reply.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    details = usage.get("completion_tokens_details")
    counted = details.get("reasoning_tokens") if isinstance(details, dict) else None
    n_tokens = _completion_tokens(usage, _count(counted))
    ended = reason is None or _REASONS.get(str(reason)) == "stop"
    if ended and not (reasoning or _count(counted)) and _lacks_content(message, n_tokens):
        raise BadReply(f"content is null after {n_tokens or 'an unknown number of'} tokens")
    return Completion(
        text=text,
        finish_reason=_REASONS.get(str(reason), "unknown"),
        n_prompt_tokens=_count(usage.get("prompt_tokens")),
        n_tokens=n_tokens,
        n_reasoning_tokens=_count(counted) or None,  # vLLM sends 0 where it has not counted
        seconds=seconds,
        reasoning=reasoning or None,
        looped=reason == "repetition",
        cost=stated_charge(usage),
    )


def _lacks_content(message: Mapping[str, Any], n_tokens: int | None) -> bool:
    """Whether a message of an ended completion without reasoning lost what the model wrote.

    A model that writes nothing has an empty text, or, behind a reasoning parser of vLLM or SGLang,
    null after the one token that ends it. Null beside tool calls or a refusal is stated. Null after
    further tokens, or without a count of them, no kind of server is known to send for an answer.
    """
    stated = any(message.get(name) for name in ("tool_calls", "function_call", "refusal"))
    return message.get("content") is None and not stated and (n_tokens is None or n_tokens > 1)


def error_text(reply: Any) -> str:
    """A server's error message in one line of at most 400 characters.

    Servers built on pydantic quote the request, whose prompt may mention models and contexts.
    """
    found = reply
    for name in ("error", "message", "detail"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    text = " ".join(str(found).partition(", 'input':")[0].split())
    return text if len(text) <= 400 else text[:400] + " .."


def wants_other_cap(text: str) -> bool:
    """Whether a refusal asks for max_completion_tokens instead of max_tokens."""
    return "max_completion_tokens" in text and "max_tokens" in text and "instead" in text.lower()


def context_refusal(text: str) -> tuple[int | None, int | None] | None:
    """(context, prompt tokens) from a refusal of a prompt and cap that do not fit.

    None where the refusal is about something else; a number is None where the text has none.
    """
    if not re.search(r"context|model length|too many tokens|max_model_len", text, re.I):
        return None
    if not re.search(r"token|length", text, re.I):
        return None
    context = _CONTEXT.search(text)
    prompt = next((found for form in _PROMPT if (found := form.search(text))), None)
    return int(context[1]) if context else None, int(prompt[1]) if prompt else None


def _native_reason(choice: Mapping[str, Any]) -> str | None:
    """Why the server behind a proxy ended a completion, where that says more than the proxy does.

    OpenRouter has it beside its own reason, LiteLLM among the fields of the provider; both turn what
    they do not know, vLLM's "repetition" and SGLang's "abort", into "stop". None where it is one of
    the reasons that every server has, or one that is not known here ("end_turn", "STOP").
    """
    provided = choice.get("provider_specific_fields")
    native = choice.get("native_finish_reason") or (
        provided.get("native_finish_reason") if isinstance(provided, Mapping) else None
    )
    known = native in _ABORTED or native in _REASONS
    return str(native) if known else None


def _text(content: Any) -> str:
    """The text of a field that may be absent, a string, or a list of parts."""
    if content is None:
        return ""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content)
    if isinstance(content, str):
        return content
    raise TypeError(f"content is {type(content).__name__}")


def _completion_tokens(usage: Mapping[str, Any], reasoning: int | None) -> int | None:
    """Tokens of a completion with those of its reasoning, which xAI counts beside them.

    Its total tells: prompt, completion and reasoning add up to it. Elsewhere prompt and completion do.
    """
    prompt, written, total = (
        _count(usage.get(f"{name}_tokens")) for name in ("prompt", "completion", "total")
    )
    if prompt is None or written is None or total is None or not reasoning:
        return written
    return written + reasoning * (total == prompt + written + reasoning)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
