"""What tests with real engines share: one event loop per engine, and runs under control."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.replicas import Replicas
from harness.engines.settings import EngineSettings
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt, Score
from tests.support.processes import children, processes

# float32 for equal tokens. The CPU build draws a seeded sample only from a prompt that is prefilled
# in one piece.
VLLM_ARGS = {"enforce_eager": "true", "dtype": "float32", "max_num_batched_tokens": "16384"}


def need_continuous_batching() -> None:
    """Skip a test where transformers has no continuous batching that the engine can use."""
    import transformers

    from harness.engines.hf.support import library_can

    if not library_can():
        pytest.skip(f"transformers {transformers.__version__}: no continuous batching to use")


class Loop:
    """An engine and the one event loop that it runs in."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self._runner = asyncio.Runner()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)

    def draw(self, requests: Sequence[Request]) -> list[Completion]:
        """The completions of all of them, asked for at once."""

        async def work() -> list[Completion]:
            return await asyncio.gather(*(self.engine.generate(r) for r in requests))

        return list(self.run(work()))

    def close(self) -> None:
        self._runner.run(self.engine.close())
        self._runner.close()


class Borrowed:
    """An engine of the session for one run, which does not close it."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    async def close(self) -> None:
        pass


class HeldBack:
    """Replicas in a run, whose samples wait until `go` admits them.

    So a replica finds work however long its start takes. The first sample is never held back: it is
    what starts them.
    """

    def __init__(self, replicas: Any, go: Callable[[Any], bool]) -> None:
        self._replicas, self._go = replicas, go
        self._asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._replicas, name)

    async def generate(self, request: Request) -> Completion:
        self._asked += 1
        first = self._asked == 1
        while not (first or self._go(self._replicas)):
            await asyncio.sleep(0.02)
        return await self._replicas.generate(request)


def hold_back(monkeypatch: pytest.MonkeyPatch, go: Callable[[Any], bool]) -> None:
    """Put `HeldBack` between every run and its replicas."""

    def make(settings: EngineSettings) -> HeldBack:
        return HeldBack(make_engine(settings), go)

    monkeypatch.setattr("harness.workflows.engine_loading.make_engine", make)


class Served(Loop):
    """An engine over a `vllm serve` that it started.

    Args:
        model: a checkpoint with a chat template that opens reasoning.
    """

    def __init__(self, model: str) -> None:
        before = children()
        self.notices: list[str] = []
        # A short context and few sequences at once, for the cache of a small machine.
        options = {**VLLM_ARGS, "max_model_len": "512", "max_num_seqs": "64"}
        options["reasoning_parser"] = "deepseek_r1"
        self.settings = EngineSettings(
            engine="openai", model=model, serve=True, notify=self.notices.append,
            options={f"serve.{name}": value for name, value in options.items()},
        )  # fmt: skip
        super().__init__(make_engine(self.settings))
        # Another test run may start guardians on this machine at the same time.
        (self.guardian,) = (children() - before) & processes("guardian.py").keys()

    @property
    def url(self) -> str:
        """Base URL of the server, for further engines."""
        return str(self.engine.served.url)

    def kill(self) -> None:
        """SIGKILL the server, the only child of the inner guardian."""
        (inner,) = children(self.guardian)
        (child,) = children(inner)
        os.kill(child, signal.SIGKILL)


def ask(prompts: Sequence[Prompt], sampling: Sampling, seed: int | None = None) -> list[Request]:
    """One request per prompt."""
    return [Request(str(n), 0, prompt, sampling, seed) for n, prompt in enumerate(prompts)]


def facts(completions: Sequence[Completion]) -> list[tuple[Any, ...]]:
    """What must be equal in two engines that sample greedily."""
    return [(c.text, c.finish_reason, c.n_prompt_tokens, c.n_tokens) for c in completions]


def close_scores(one: Score, other: Score) -> bool:
    """Whether two scores of one model differ by three errors at most."""
    error = ((one.se_sampling or 0.0) ** 2 + (other.se_sampling or 0.0) ** 2) ** 0.5
    return 0 < error < 0.1 and abs(one.value - other.value) <= 3 * error


def running(replicas: Replicas) -> int:
    """How many of the replicas are ready to generate now."""
    return sum(engine is not None for engine in replicas.engines)
