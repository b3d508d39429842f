"""`--engine-arg` of the openai engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.engines.openai.kinds import named_kind
from harness.engines.settings import EngineSettings
from harness.engines.vllm.invariance import read_batch_invariant
from harness.errors import UsageError

OTHER_CAP = "max_completion_tokens"
_FIXED = {"model", "messages", "n", "stream", "seed", "max_tokens", OTHER_CAP}
_BY_PROTOCOL = {"temperature", "top_p", "stop", "repetition_detection"}


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the openai engine.

    Args:
        timeout: seconds for one request; by default max(600, cap / 4), see `retries`.
        patience: seconds to wait for a server that is down.
        tries: failed tries of a sample after which it ends in `error`.
        tokenizer: folder or hub name of the model's tokenizer, to count the tokens of reasoning.
        cap_field: `max_tokens` or `max_completion_tokens`.
        serve_seconds: seconds that `--serve` waits for its server to start.
        batch_invariant: whether `--serve` starts vLLM in its batch-invariant mode.
        server: what stands behind the address, one of `kinds.KINDS`; by default what it shows.
        body: `body.NAME=JSON`, further fields of every request.
        headers: `header.NAME=TEXT`, further headers of every request.
        serve: `serve.NAME=VALUE`, options of `vllm serve`.
    """

    timeout: float | None = None
    patience: float = 600.0
    tries: int = 8
    tokenizer: str | None = None
    cap_field: str = "max_tokens"
    serve_seconds: float = 3600.0
    batch_invariant: bool | None = None
    server: str | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    serve: Mapping[str, str] = field(default_factory=dict)

    def model_name(self, settings: EngineSettings) -> str:
        """The name that the servers know the model by."""
        return self.serve.get("served_model_name", settings.model)

    def recorded(self) -> dict[str, Any]:
        """Those that belong into a fingerprint: what changes samples, without the values of headers."""
        found = {
            "body": dict(self.body),
            "headers": sorted(self.headers),
            "serve": dict(self.serve),
            "tokenizer": self.tokenizer,
            "server": self.server,
            "batch_invariant": self.batch_invariant,
        }
        return {name: value for name, value in found.items() if value}


def parse_options(settings: EngineSettings) -> Options:
    """Options from text.

    Raises:
        UsageError: one that is unknown, unreadable, or set elsewhere.
    """
    values: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {"body": {}, "header": {}, "serve": {}}
    for name, text in settings.options.items():
        group, dot, inner = name.partition(".")
        if dot and inner and group in groups:
            groups[group][inner] = _field(inner, text) if group == "body" else text
        elif name in _READERS:
            values[name] = _READERS[name](name, text)
        else:
            known = ", ".join([*_READERS, "body.NAME", "header.NAME", "serve.NAME"])
            raise UsageError(f"--engine-arg {name}: the openai engine knows {known}")
    serve = {name.replace("-", "_"): text for name, text in groups["serve"].items()}
    _check_serve(settings, serve)
    if "batch_invariant" in values and not settings.serve:
        raise UsageError(
            f"--engine-arg batch_invariant={settings.options['batch_invariant']}: it is for --serve; "
            "set VLLM_BATCH_INVARIANT=1 where the server is started, and leave it out"
        )
    return Options(body=groups["body"], headers=groups["header"], serve=serve, **values)


def _check_serve(settings: EngineSettings, serve: Mapping[str, str]) -> None:
    if settings.serve and settings.base_url:
        raise UsageError("--serve and --base-url: the run has one server or the other")
    if serve and not settings.serve:
        raise UsageError(f"--engine-arg serve.{next(iter(serve))}: it is for --serve")
    if settings.revision is not None and not settings.serve:
        raise UsageError(
            f"--revision {settings.revision}: a server that runs already has its own; it is for "
            "--serve"
        )
    if serve.get("data_parallel_size", "1") != "1" and not settings.seeded:
        raise UsageError(
            "--engine-arg serve.data_parallel_size: vLLM gives its parallel engines one seed, so "
            "that they repeat each other's samples; add --seeded"
        )


def _field(name: str, text: str) -> Any:
    if name in _FIXED or name in _BY_PROTOCOL:
        how = "a run's own option" if name in _BY_PROTOCOL else "set by the harness"
        raise UsageError(f"--engine-arg body.{name}: this field is {how}")
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(
            f"--engine-arg body.{name}={text}: not JSON ({error}); a text needs its quotes"
        ) from error


def _seconds(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise UsageError(f"--engine-arg {name}={text}: a number of seconds above 0")
    return value


def _tries(name: str, text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--engine-arg {name}={text}: a number from 1 on")
    return int(text)


def _cap_field(name: str, text: str) -> str:
    if text not in ("max_tokens", OTHER_CAP):
        raise UsageError(f"--engine-arg {name}={text}: max_tokens or {OTHER_CAP}")
    return text


_READERS: Mapping[str, Callable[[str, str], Any]] = {
    "timeout": _seconds,
    "patience": _seconds,
    "tries": _tries,
    "tokenizer": lambda _, text: text,
    "cap_field": _cap_field,
    "serve_seconds": _seconds,
    "batch_invariant": lambda _, text: read_batch_invariant(text),
    "server": lambda _, text: named_kind(text).name,
}
