"""What kinds of servers reply beside completions, as the real ones were seen to; for the mock.

llama.cpp's own server (xllamacpp 2026.10), llama_cpp.server 0.3.36, transformers serve 5.24, LiteLLM's
proxy 1.108, Ray Serve LLM 2.60.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

SLOTS = 3
"""Of llama.cpp's server."""

ANY_NAME = ("llamacpp", "llama-cpp-python")
_OWNERS = {
    "vllm": "vllm",
    "sglang": "sglang",
    "llamacpp": "llamacpp",
    "llama-cpp-python": "me",
    "transformers": "local",
    "litellm": "openai",
    "ray": "organization-owner",
}
# What `transformers serve` takes; it refuses any other field.
_TAKEN = {
    "model", "messages", "temperature", "top_p", "max_tokens", "max_completion_tokens", "stop",
    "seed", "generation_config", "chat_template_kwargs", "frequency_penalty", "logit_bias",
}  # fmt: skip


def entry(kind: str, id: str, *, context: int | None, root: str | None) -> dict[str, Any]:
    """One entry of /models."""
    found: dict[str, Any] = {"id": id, "object": "model", "owned_by": _OWNERS.get(kind, "us")}
    if kind == "llamacpp":
        sizes = {"n_vocab": 1024, "n_ctx": context, "n_params": 722048, "size": 2888192}
        found |= {"aliases": [id], "meta": sizes}
    elif kind == "ray":
        found["metadata"] = {"model_id": id, "max_request_context_length": context}
    elif kind == "transformers":
        found["status"] = {"value": "loaded"}
    elif kind in ("vllm", "sglang", "") and context:
        found["max_model_len"] = context
    return found | ({"root": root} if root and kind != "llamacpp" else {})


def described(kind: str) -> dict[str, Any] | None:
    """/openapi.json; None where there is none."""
    titles = {"llama-cpp-python": "🦙 llama.cpp Python API", "litellm": "LiteLLM API"}
    if kind == "transformers":
        return {"info": {"title": "FastAPI"}, "paths": {"/load_model": {"post": {}}}}
    return {"info": {"title": titles[kind]}, "paths": {}} if kind in titles else None


def props(kind: str, path: str, context: int | None) -> dict[str, Any] | None:
    """/props."""
    if kind != "llamacpp":
        return None
    params = {"temperature": 0.8, "top_k": 40, "min_p": 0.05}
    return {
        "default_generation_settings": {"params": params, "n_ctx": context},
        "model_path": path,
        "total_slots": SLOTS,
    }


def refusal(kind: str, body: Mapping[str, Any], models: tuple[str, ...]) -> tuple[int, Any] | None:
    """The refusal of a request for its model or its fields: status and JSON."""
    model = body["model"]
    if model not in models and kind not in ANY_NAME:
        if kind == "litellm":
            text = f"/chat/completions: Invalid model name passed in model={model}."
            return 400, {"error": {"message": text, "code": "400"}}
        if kind == "transformers":
            text = f"Server is pinned to '{models[0]}'; requested '{model}'."
            return 400, {"detail": text}
        return 404, {"error": {"message": f"The model `{model}` does not exist."}}
    if kind == "transformers":
        if unexpected := set(body) - _TAKEN:
            return 422, {"detail": f"Unexpected fields in the request: {unexpected}"}
        json.loads(body.get("generation_config") or "{}")
    elif isinstance(body.get("min_p"), str):
        text = "Field 'min_p': type must be number, but is string"
        return 400, {"error": {"message": text}}
    return None
