"""Single requests into batches, for engines that take a list and return when all of it is done."""

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
    """Raised by what runs a batch when it does not fit: the batch is halved and tried again."""


@dataclass(slots=True)
class _Waiting(Generic[Item]):
    item: Item
    group: Hashable
    done: asyncio.Future[Completion]


class Batcher(Generic[Item]):
    """Gathers what waits and runs it, one batch after another, all in one thread of its own.

    One thread, because on a GPU the first work of any thread costs seconds.

    Args:
        run: completes a batch; what it raises ends each of its samples in EngineError.
        size: samples in a batch at most.
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
        """One sample; it joins the next batch of its group."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._serve())
        waiting = _Waiting(item, group, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._arrived.set()
        return await waiting.done

    async def close(self) -> None:
        """End the loop; a batch in work is not waited for."""
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
        """The next batch, without what was called off meanwhile."""
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
