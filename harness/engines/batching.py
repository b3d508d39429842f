"""Collects single requests into batches, for engines that generate a whole list in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from harness.errors import EngineError
from harness.interfaces import Completion

Item = TypeVar("Item")
_GATHER_SECONDS = 0.01  # after the first request of a batch, for the others to arrive


class BatchTooLarge(Exception):
    """The batch does not fit into memory: it is halved and retried."""


@dataclass(slots=True)
class _Waiting(Generic[Item]):
    item: Item
    group: Hashable
    done: asyncio.Future[Completion]


class Batcher(Generic[Item]):
    """Runs the waiting requests, one batch after another, in a single thread of its own.

    A single thread, because on a GPU the first call from any thread costs seconds.

    Args:
        run: completes a batch, in order; any exception ends all its samples in EngineError.
        size: largest number of samples in a batch.
        name: of the engine, for messages.
    """

    def __init__(
        self, run: Callable[[Sequence[Item]], Sequence[Completion]], *, size: int, name: str
    ) -> None:
        self._run = run
        self._size = size
        self._name = name
        self._queue: list[_Waiting[Item]] = []
        self._arrived = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def submit(self, item: Item, group: Hashable = None) -> Completion:
        """Complete one sample in the next batch of its group.

        Args:
            item: what `run` takes.
            group: samples of different groups never share a batch.

        Raises:
            EngineError: `run` failed on the batch.
        """
        if self._loop is None:
            self._loop = asyncio.create_task(self._serve())
        waiting = _Waiting(item, group, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._arrived.set()
        return await waiting.done

    async def close(self) -> None:
        """Stop without waiting for the batch in progress."""
        if self._loop is not None:
            self._loop.cancel()
            await asyncio.gather(self._loop, return_exceptions=True)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _serve(self) -> None:
        while True:
            await self._arrived.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            batch = self._take()
            if not batch:
                continue
            try:
                items = [waiting.item for waiting in batch]
                loop = asyncio.get_running_loop()
                completions = await loop.run_in_executor(self._thread, self._run, items)
            except Exception as error:  # whatever the model raised, its samples end in `error`
                self._fail(batch, error)
                continue
            for waiting, completion in zip(batch, completions, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(completion)

    def _take(self) -> list[_Waiting[Item]]:
        """The next batch, without requests that were cancelled while they waited."""
        self._queue = [waiting for waiting in self._queue if not waiting.done.done()]
        group = self._queue[0].group if self._queue else None
        batch = [waiting for waiting in self._queue if waiting.group == group][: self._size]
        taken = {id(waiting) for waiting in batch}
        self._queue = [waiting for waiting in self._queue if id(waiting) not in taken]
        if not self._queue:
            self._arrived.clear()
        return batch

    def _fail(self, batch: Sequence[_Waiting[Item]], error: Exception) -> None:
        if isinstance(error, BatchTooLarge) and len(batch) > 1:
            self._size = len(batch) // 2
            self._queue[:0] = batch
            self._arrived.set()
            return
        for waiting in batch:
            if not waiting.done.done():
                waiting.done.set_exception(EngineError(f"{self._name} failed: {error!r}"))
