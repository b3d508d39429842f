"""Several engines as one: a sample goes to the least busy; a lost engine's samples go elsewhere.

A replica is any engine. It reports its own loss by raising `ReplicaLost`: its samples in flight,
and no others, are drawn again by the other replicas, and it is restarted with draws of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import DataError, EngineDown, EngineError, HarnessError, UsageError
from harness.interfaces import Completion, Engine, Fingerprint, Request

_MAX_FAILURES = 3  # of one replica in a row, starts included, without a sample in between
_MAX_LOSSES = 3  # replicas lost with one sample in flight before it is taken for the cause

Start = Callable[[int, int], Awaitable[Engine]]
"""Starts replica number r for the n-th time after its first (0) and returns it ready to generate.

Both numbers go into the seed of its draws.
"""


class ReplicaLost(EngineError):
    """The engine behind this call is gone; its samples are to be drawn elsewhere."""


@dataclass(eq=False, slots=True)
class _Replica:
    number: int
    restart: int = 0
    engine: Engine | None = None
    in_flight: int = 0
    failures: int = 0  # since it last completed a sample
    given_up: bool = False


class Replicas:
    """An engine over n replicas; see `harness.interfaces.Engine`.

    The first call starts all of them and waits for one; the others join as they become ready. Calls
    beyond what keeps the running ones busy wait here, so that a late replica finds work at once.

    Args:
        start: starts one replica. UsageError and DataError of a first start end the run, unless
            other replicas draw by then; any other failure is retried.
        n: replicas.
        each: samples in flight that keep one replica busy.
        opens_reasoning: whether the prompt as rendered opens reasoning.
        fingerprint: of all of them.
        count_tokens: tokens of a text.
        notify: called with one line when a replica is lost, does not start, or is given up.
    """

    def __init__(
        self,
        start: Start,
        n: int,
        *,
        each: int,
        opens_reasoning: bool,
        fingerprint: Mapping[str, Any],
        count_tokens: Callable[[str], int | None],
        notify: Callable[[str], None],
    ) -> None:
        self._start, self._each, self._notify = start, each, notify
        self._opens_reasoning, self._fingerprint, self._count = (
            opens_reasoning,
            fingerprint,
            count_tokens,
        )
        self._replicas = [_Replica(number) for number in range(n)]
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._fatal: HarnessError | None = None
        self._begun = self._drawn = False

    @property
    def concurrency(self) -> int:
        """Samples in flight that keep all of them busy."""
        return self._each * len(self._replicas)

    @property
    def engines(self) -> tuple[Engine | None, ...]:
        """The engine of each replica, by its number; None while it starts and once it is given up."""
        return tuple(replica.engine for replica in self._replicas)

    @property
    def opens_reasoning(self) -> bool:
        """Whether the prompt as rendered opens reasoning."""
        return self._opens_reasoning

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of one replica, their number, and the GPUs of all that were asked for."""
        n = len(self._replicas)
        gpus = {"gpus": n * self._fingerprint["gpus"]} if "gpus" in self._fingerprint else {}
        return {**self._fingerprint, **gpus, "replicas": n}

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text; None where no tokenizer can be read."""
        return self._count(text)

    async def generate(self, request: Request) -> Completion:
        """One sample from the least busy replica; drawn again elsewhere if that one is lost.

        Raises:
            EngineError: several replicas were lost with this sample in flight.
            EngineDown: no replica is left.
            UsageError, DataError: a replica's first start was refused before any sample was drawn.
        """
        if not self._begun:
            self._begun = True
            for replica in self._replicas:
                self._run(self._start_replica(replica))
        for _ in range(_MAX_LOSSES):
            replica, engine = await self._least_busy()
            restart = replica.restart
            try:
                completion = await engine.generate(request)
                replica.failures, self._drawn = 0, True
                return completion
            except ReplicaLost as loss:
                self._restart(replica, restart, loss)
            finally:
                replica.in_flight -= 1
                await self._wake_next()
        raise EngineError(
            f"{_MAX_LOSSES} engines stopped with this sample in flight: it may be the cause"
        )

    async def close(self) -> None:
        """Cancel the starts in progress and close every replica."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        running = [engine for engine in self.engines if engine is not None]
        await asyncio.gather(*(engine.close() for engine in running), return_exceptions=True)

    async def _least_busy(self) -> tuple[_Replica, Engine]:
        """The replica with the fewest samples, once one has room; takes a place in it."""
        async with self._changed:
            while True:
                if self._fatal is not None:
                    raise self._fatal
                free = [
                    (replica, replica.engine)
                    for replica in self._replicas
                    if replica.engine is not None and replica.in_flight < self._each
                ]
                if free:
                    replica, engine = min(free, key=lambda pair: pair[0].in_flight)
                    replica.in_flight += 1
                    return replica, engine
                try:
                    await self._changed.wait()
                except asyncio.CancelledError:
                    self._changed.notify()  # hand the wake-up on to another waiting call
                    raise

    async def _wake_next(self) -> None:
        async with self._changed:
            self._changed.notify()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _restart(self, replica: _Replica, restart: int, loss: ReplicaLost) -> None:
        """Count a loss once, however many samples report it, and start the replica again."""
        if replica.engine is None or replica.restart != restart:
            return
        lost, replica.engine = replica.engine, None
        replica.failures += 1
        self._notify(f"engine {replica.number} stopped and is restarted: {loss}")
        self._run(self._close_lost(lost))
        replica.restart += 1
        self._run(self._start_replica(replica))

    @staticmethod
    async def _close_lost(engine: Engine) -> None:
        try:
            await engine.close()
        except Exception:  # it is gone: what closing it raises adds nothing
            return

    async def _start_replica(self, replica: _Replica) -> None:
        """Start a replica; after several failures in a row it is given up."""
        while replica.failures < _MAX_FAILURES:
            try:
                engine = await self._start(replica.number, replica.restart)
            except Exception as error:
                first = not (replica.restart or self._drawn)
                if isinstance(error, UsageError | DataError) and first:
                    await self._publish(fatal=error)  # a retry would fail in the same way
                    return
                replica.failures += 1
                replica.restart += 1
                self._notify(f"engine {replica.number} did not start: {error}")
            else:
                await self._publish(replica, engine)
                return
        self._notify(f"engine {replica.number} is given up after {_MAX_FAILURES} failures in a row")
        replica.given_up = True
        if all(other.given_up for other in self._replicas):
            await self._publish(
                fatal=EngineDown("no engine is left; every finished sample is kept")
            )

    async def _publish(
        self,
        replica: _Replica | None = None,
        engine: Engine | None = None,
        fatal: HarnessError | None = None,
    ) -> None:
        """Wake the waiting calls: a replica is ready, or an error ends the run."""
        async with self._changed:
            if replica is not None:
                replica.engine = engine
            self._fatal = fatal or self._fatal
            self._changed.notify_all()
