"""The settings that every engine is built from, and which engine uses which of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from harness.errors import UsageError
from harness.sampling import Sampling
from harness.stats.seeds import derive_seed
from harness.types import Thinking

_USED_BY = {
    "base_url": ("openai",),
    "serve": ("openai",),
    "requests_per_minute": ("openai",),
    "tokens_per_minute": ("openai",),
    "replicas": ("vllm", "ray"),
    "ray_address": ("ray",),
    "repetition_guard": ("transformers", "vllm", "ray", "openai"),
    "effort": ("transformers", "vllm", "ray", "openai"),
    "reasoning_budget": ("transformers", "vllm", "ray", "openai"),
    "revision": ("transformers", "vllm", "ray", "openai", "lm_eval"),
}
"""Options that only some engines use; any other engine refuses them instead of ignoring them."""


def _ignore(_: str) -> None:
    pass


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """The whole input of `harness.engines.make_engine`.

    Args:
        engine: one of `harness.engines.ENGINES`; `lm_eval:NAME` names lm-eval's own model after it.
        model: a local folder, a name on the hub, or the name that a server knows it by.
        revision: of a hub model.
        think_end: the tag that ends reasoning, to see whether the chat template opens one.
        thinking: whether the model reasons, to see which tokens a reasoning budget counts.
        seed: of the draws of this process start; `draw_seed` derives each replica's from it.
        seeded: whether every request will carry a seed of its own.
        options: name to text, as `--engine-arg` gave them; each engine parses its own.
        base_url: of an OpenAI-compatible server, up to and including /v1.
        serve: start a server for the run and stop it when the run ends.
        requests_per_minute: rate limit of all servers together, each try a request.
        tokens_per_minute: likewise, prompt and completion tokens together.
        replicas: number of engines that run side by side, each with its own draws.
        ray_address: of a running Ray cluster; a local one is started without it.
        repetition_guard: repeats that make a loop, see `harness.sampling.Sampling`; an engine that
            does not see its tokens refuses it.
        effort: how hard the model is asked to reason, see `harness.sampling.Sampling`.
        reasoning_budget: most tokens of reasoning, likewise.
        samplings: of the tasks that the engine is to draw, as far as they are known; what is tried
            on a server before the first sample is sampled as the first of them says.
        outlasts_failures: wait for a server that answers with failures alone, as for one that is
            not there; else a request ends in `error` after its tries.
        notify: called with one line that the user should read; nothing fails because of it.
        stopped: returns whether the run was interrupted while the engine is still starting.
    """

    engine: str
    model: str
    revision: str | None = None
    think_end: str = "</think>"
    thinking: Thinking = "auto"
    seed: int = 0
    seeded: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    base_url: str | None = None
    serve: bool = False
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    replicas: int | None = None
    ray_address: str | None = None
    repetition_guard: int | None = None
    effort: str | None = None
    reasoning_budget: int | None = None
    samplings: Sequence[Sampling] = ()
    outlasts_failures: bool = True
    notify: Callable[[str], None] = _ignore
    stopped: Callable[[], bool] = _never

    @property
    def name(self) -> str:
        """The engine's name without what follows a colon."""
        return self.engine.partition(":")[0]

    def draw_seed(self, replica: int, restart: int = 0) -> int:
        """Seed of the draws of one replica.

        Two replicas with one seed, or a restarted one with its old seed, would draw the same
        samples twice.

        Args:
            replica: its number, from 0.
            restart: how often it was restarted before this start.
        """
        return derive_seed("replica", self.seed, replica, restart)

    def for_another_process(self) -> EngineSettings:
        """A copy that can be pickled: without the callbacks into this process."""
        return replace(self, notify=_ignore, stopped=_never)

    def check_used(self) -> None:
        """Check that the engine uses every option that was given.

        Raises:
            UsageError: the engine would ignore one.
        """
        for option in fields(self):
            users = _USED_BY.get(option.name)
            if users and self.name not in users and getattr(self, option.name) != option.default:
                given = "--" + option.name.replace("_", "-")
                raise UsageError(
                    f"{given}: the {self.name} engine has no use for it; it is for --engine "
                    f"{' and '.join(users)}"
                )


_OF_PROTOCOL = {"reasoning_effort": "--effort", "thinking_token_budget": "--reasoning-budget"}
"""Fields of a server's request, and the options of a run that send them."""


def check_fields(options: Mapping[str, str]) -> None:
    """Check that no part of the protocol is among the further fields of a run's requests.

    Two runs that differ in one of them there would count as the same protocol.

    Args:
        options: name to text, as `--engine-arg` gave them.

    Raises:
        UsageError: one is.
    """
    for name, text in options.items():
        for field_, option in _OF_PROTOCOL.items():
            nested = name == "body.chat_template_kwargs" and f'"{field_}"' in text
            if nested or name == f"body.{field_}":
                raise UsageError(
                    f"--engine-arg {name}={text}: {field_} is part of the protocol: use {option}"
                )
