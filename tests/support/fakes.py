"""An engine that answers at once, for tests of what stands around an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from harness.interfaces import Completion, Request
from harness.pipeline.grading_pool import Job
from harness.pipeline.grading_process import grade_chunk


def answer(text: str) -> Completion:
    """A completion with a short reasoning and a boxed answer."""
    return Completion(f"<think>hm</think>\\boxed{{{text}}}", "stop", n_prompt_tokens=3, n_tokens=9)


class FakeEngine:
    """Calls `reply` for every request; counts how many calls are in flight at once."""

    def __init__(
        self, reply: Callable[[Request], Completion], *, concurrency: int = 8, seconds: float = 0.0
    ) -> None:
        self._reply = reply
        self.concurrency = concurrency
        self.opens_reasoning = False
        self._seconds = seconds
        self.requests: list[Request] = []
        self.in_flight = self.most_in_flight = 0
        self.closed = False

    def fingerprint(self) -> Mapping[str, Any]:
        return {"engine": "fake"}

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    async def generate(self, request: Request) -> Completion:
        self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        await asyncio.sleep(self._seconds)
        self.in_flight -= 1
        return self._reply(request)

    async def close(self) -> None:
        self.closed = True


class InlinePool:
    """Takes the place of `harness.pipeline.grading_pool.GradingPool` and grades at once, in this process."""

    def __init__(self, workers: int | None = None) -> None:
        pass

    async def __aenter__(self) -> InlinePool:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def offer(self, job: Job) -> bool:
        job.done(grade_chunk([(job.grader, job.problem, job.sample)])[0])
        return True

    async def put(self, job: Job) -> None:
        self.offer(job)

    async def drain(self) -> None:
        pass

    def check(self) -> None:
        pass
