"""What an engine is made from: one value for all of them, and who uses which part of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from harness.errors import UsageError
from harness.stats.seeds import derive_seed

_USED_BY = {
    "base_url": ("openai",),
    "serve": ("openai",),
    "tokens_per_minute": ("openai",),
    "replicas": ("vllm", "ray"),
    "ray_address": ("ray",),
    "repetition_guard": ("transformers", "vllm", "ray", "openai"),
    "revision": ("transformers", "vllm", "ray", "openai", "lm_eval"),
}
"""Options that only some engines know; given to another one they are an error, not ignored."""


def _say_nothing(_: str) -> None:
    pass


def _goes_on() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Everything that `harness.engines.make_engine` is told.

    Args:
        engine: one of `harness.engines.ENGINES`; `lm_eval:NAME` names lm-eval's own model after it.
        model: a local folder, a name on the hub, or the name that a server knows it by.
        revision: of a hub model.
        think_end: the tag that ends reasoning, to see whether the chat template opens one.
        seed: of this process start's draws; `draw_seed` derives each replica's from it.
        seeded: whether every request will carry a seed of its own.
        options: what `--engine-arg` gave, as text; an engine names those that it knows.
        base_url: of an OpenAI-compatible server, up to and including /v1.
        serve: start a server for the run and stop it at its end.
        tokens_per_minute: completion and prompt tokens that a server grants.
        replicas: engines side by side, each with its own draws.
        ray_address: of a running Ray cluster; a local one is started without it.
        repetition_guard: of the requests to come, see `harness.types.Sampling`; an engine that
            cannot watch its tokens refuses it.
        tell: told in one line of what a user should know and nothing fails for.
        stopped: whether the run was interrupted while the engine is still being opened.
    """

    engine: str
    model: str
    revision: str | None = None
    think_end: str = "</think>"
    seed: int = 0
    seeded: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    serve: bool = False
    tokens_per_minute: int | None = None
    replicas: int | None = None
    ray_address: str | None = None
    repetition_guard: int | None = None
    tell: Callable[[str], None] = _say_nothing
    stopped: Callable[[], bool] = _goes_on

    @property
    def name(self) -> str:
        """The engine's name without what follows a colon."""
        return self.engine.partition(":")[0]

    def draw_seed(self, replica: int, life: int = 0) -> int:
        """Seed of a replica's own draws, another one for each life of it.

        Two replicas with one seed, or a restarted one with its old seed, would draw the same
        samples twice.
        """
        return derive_seed("replica", self.seed, replica, life)

    def for_another_process(self) -> EngineSettings:
        """The same without what belongs to this process and cannot be sent."""
        return replace(self, tell=_say_nothing, stopped=_goes_on)

    def check_used(self) -> None:
        """Raise UsageError for an option that this engine would ignore."""
        for option in fields(self):
            users = _USED_BY.get(option.name)
            if users and self.name not in users and getattr(self, option.name) != option.default:
                given = "--" + option.name.replace("_", "-")
                raise UsageError(
                    f"{given}: the {self.name} engine has no use for it; it is for --engine "
                    f"{' and '.join(users)}"
                )


_SECRETS = (
    (re.compile(r"(header\.[^=]+)=.*", re.DOTALL), r"\1=***"),
    (re.compile(r"(https?://)[^/@\s,]*@"), r"\1***@"),
    (re.compile(r"(https?://[^\s,?]*)\?[^\s,]*"), r"\1?***"),
)
"""Values of headers, credentials in URLs, and their queries, which may hold a key."""


def without_secrets(command: Sequence[str]) -> list[str]:
    """A command line as it may be written down."""
    shown = list(command)
    for pattern, replacement in _SECRETS:
        shown = [pattern.sub(replacement, word) for word in shown]
    return shown
