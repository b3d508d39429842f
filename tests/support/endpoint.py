"""What the tests of the endpoint engine share: settings, requests, and a quick way to draw them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from harness.engines import make_engine
from harness.engines.settings import EngineSettings
from harness.interfaces import Completion, Request
from harness.sampling import Sampling
from harness.types import Prompt

WARM = Sampling(k=64, temperature=0.6, top_p=0.95, max_tokens=100)
QUICK = {"patience": "5"}


def quicken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short waits, no key from the environment, and no tracebacks of cut connections."""
    monkeypatch.setattr("harness.engines.openai.retries.FIRST_SECONDS", 0.01)
    monkeypatch.setattr("harness.engines.openai.dispatch.FIRST_PROBE_SECONDS", 0.02)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)


def settings(*urls: str, notices: list[str] | None = None, **more: Any) -> EngineSettings:
    options = {**QUICK, **more.pop("options", {})}
    notify = (notices if notices is not None else []).append
    base = {"engine": "openai", "model": "mock", "base_url": ",".join(urls)}
    return EngineSettings(**{**base, **more}, options=options, notify=notify)


def draw(
    given: EngineSettings,
    requests: Sequence[Request],
    during: Callable[[], object] | None = None,
) -> list[Completion | BaseException]:
    """All of them at once; `during` runs in a thread meanwhile."""
    engine = make_engine(given)

    async def work() -> list[Completion | BaseException]:
        try:
            calls = [asyncio.create_task(engine.generate(request)) for request in requests]
            if during is not None:
                await asyncio.to_thread(during)
            return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 120)
        finally:
            await engine.close()

    return asyncio.run(work())


def ask(count: int = 1, sampling: Sampling = WARM, text: str = "What is 2+2?") -> list[Request]:
    return [Request("p", index, Prompt(text), sampling) for index in range(count)]


def one(given: EngineSettings, request: Request | None = None) -> Completion:
    (found,) = draw(given, [request or ask()[0]])
    if isinstance(found, BaseException):
        raise found
    return found
