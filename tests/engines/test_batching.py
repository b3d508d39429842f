"""Batches of what waits: what was called off meanwhile is not drawn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from harness.engines.batching import Batcher
from harness.interfaces import Completion
from tests.support.fakes import answer


def test_what_was_called_off_while_it_waited_is_not_drawn() -> None:
    ran: list[list[int]] = []
    go_on = threading.Event()

    def run(items: Sequence[int]) -> Sequence[Completion]:
        ran.append(list(items))
        go_on.wait(20)
        return [answer(str(item)) for item in items]

    async def work() -> list[Completion | BaseException]:
        batcher = Batcher(run, size=2, name="fake")
        calls = [asyncio.create_task(batcher.submit(item)) for item in range(6)]
        while not ran:
            await asyncio.sleep(0.01)
        for call in calls[2:5]:
            call.cancel()
        go_on.set()
        try:
            return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 20)
        finally:
            await batcher.close()

    found = asyncio.run(work())
    assert ran == [[0, 1], [5]]
    assert [found[i] for i in (0, 1, 5)] == [answer(str(i)) for i in (0, 1, 5)]
