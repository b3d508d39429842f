"""Several engines as one: a sample goes to the least busy, and a dead engine's samples elsewhere.

A replica is any engine. It says that it died by raising `ReplicaDied`; what it had in flight is
drawn again by the others and nothing else is, and a new one with draws of its own takes its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import DataError, EngineDown, EngineError, HarnessError, UsageError
from harness.interfaces import Completion, Engine, Request

_TRIES = 3  # lives of one replica that may end, or fail to begin, without a sample in between
_DEATHS = 3  # replicas that one sample may take with it before it is taken for the cause

Start = Callable[[int, int], Awaitable[Engine]]
"""Starts (replica number, life number) and returns it ready; the two make its seed."""


class ReplicaDied(EngineError):
    """The engine behind this call is gone; its samples are to be drawn elsewhere."""


@dataclass(eq=False, slots=True)
class _Replica:
    number: int
    life: int = 0
    engine: Engine | None = None
    in_flight: int = 0
    failures: int = 0  # since it last completed a sample
    given_up: bool = False


class Replicas:
    """An engine over n replicas; see `harness.interfaces.Engine`.

    The first call starts all of them and waits for one; the others join as they come up. More
    calls than keep the living ones busy wait here, so that a late one finds work at once.

    Args:
        start: starts one life of one replica. UsageError and DataError of a first life end the run,
            unless others draw by then; anything else is tried again.
        n: replicas.
        each: samples in flight that keep one replica busy.
        opens_reasoning: whether the prompt as rendered opens reasoning.
        fingerprint: of all of them.
        count_tokens: tokens of a text.
        tell: told when a replica dies or is given up.
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
        tell: Callable[[str], None],
    ) -> None:
        self._start, self._each, self._tell = start, each, tell
        self._opens_reasoning = opens_reasoning
        self._fingerprint, self._count = fingerprint, count_tokens
        self._replicas = [_Replica(number) for number in range(n)]
        self._work: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._fatal: HarnessError | None = None
        self._begun = self._drawn = False

    @property
    def concurrency(self) -> int:
        """What keeps all of them busy."""
        return self._each * len(self._replicas)

    @property
    def opens_reasoning(self) -> bool:
        """Whether the prompt as rendered opens reasoning."""
        return self._opens_reasoning

    def fingerprint(self) -> Mapping[str, Any]:
        """What the replicas are made of, and how many they are."""
        return {**self._fingerprint, "replicas": len(self._replicas)}

    def count_tokens(self, text: str) -> int | None:
        """Tokens of a text."""
        return self._count(text)

    async def generate(self, request: Request) -> Completion:
        """One sample, by the least busy replica; drawn again elsewhere if that one dies.

        Raises:
            EngineError: the sample took several replicas with it.
            EngineDown: no replica is left.
        """
        if not self._begun:
            self._begun = True
            for replica in self._replicas:
                self._keep(self._bring_up(replica))
        for _ in range(_DEATHS):
            replica, engine = await self._least_busy()
            life = replica.life
            try:
                completion = await engine.generate(request)
                replica.failures, self._drawn = 0, True
                return completion
            except ReplicaDied as death:
                self._bury(replica, life, death)
            finally:
                replica.in_flight -= 1
                await self._let_next()
        raise EngineError(f"{_DEATHS} engines died with this sample in flight: it may be the cause")

    async def close(self) -> None:
        """Stop the starts in work and close every replica."""
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        living = [replica.engine for replica in self._replicas if replica.engine is not None]
        await asyncio.gather(*(engine.close() for engine in living), return_exceptions=True)

    async def _least_busy(self) -> tuple[_Replica, Engine]:
        """The replica with the fewest samples, once one has room; a place in it is taken."""
        async with self._changed:
            while True:
                if self._fatal is not None:
                    raise self._fatal
                living = [
                    (replica, replica.engine)
                    for replica in self._replicas
                    if replica.engine is not None and replica.in_flight < self._each
                ]
                if living:
                    replica, engine = min(living, key=lambda pair: pair[0].in_flight)
                    replica.in_flight += 1
                    return replica, engine
                try:
                    await self._changed.wait()
                except asyncio.CancelledError:
                    self._changed.notify()  # the room that this one was told of is another's
                    raise

    async def _let_next(self) -> None:
        async with self._changed:
            self._changed.notify()

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    def _bury(self, replica: _Replica, life: int, death: ReplicaDied) -> None:
        """Count a death once, however many samples report it, and start the next life."""
        if replica.engine is None or replica.life != life:
            return
        dead, replica.engine = replica.engine, None
        replica.failures += 1
        self._tell(f"engine {replica.number} died and is started again: {death}")
        self._keep(self._close_dead(dead))
        replica.life += 1
        self._keep(self._bring_up(replica))

    @staticmethod
    async def _close_dead(engine: Engine) -> None:
        try:
            await engine.close()
        except Exception:  # it is dead: what its end raises says nothing more
            return

    async def _bring_up(self, replica: _Replica) -> None:
        """Start a replica; after several failures in a row it is given up."""
        while replica.failures < _TRIES:
            try:
                engine = await self._start(replica.number, replica.life)
            except Exception as error:
                if isinstance(error, UsageError | DataError) and not (replica.life or self._drawn):
                    await self._settle(fatal=error)  # no other try makes this better
                    return
                replica.failures += 1
                replica.life += 1
                self._tell(f"engine {replica.number} did not start: {error}")
            else:
                await self._settle(replica, engine)
                return
        self._tell(f"engine {replica.number} is given up after {_TRIES} failures in a row")
        replica.given_up = True
        if all(other.given_up for other in self._replicas):
            await self._settle(fatal=EngineDown("no engine is left; every finished sample is kept"))

    async def _settle(
        self,
        replica: _Replica | None = None,
        engine: Engine | None = None,
        fatal: HarnessError | None = None,
    ) -> None:
        """Tell those who wait for a replica what has come up, or what ends the run."""
        async with self._changed:
            if replica is not None:
                replica.engine = engine
            self._fatal = fatal or self._fatal
            self._changed.notify_all()
