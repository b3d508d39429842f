"""Run a coroutine that Ctrl-C and SIGTERM can stop without losing what is finished."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

from harness.errors import Interrupted

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; Ctrl-C and SIGTERM cancel it.

    Raises:
        Interrupted: it was cancelled; exit code 130 for Ctrl-C, 143 for SIGTERM.
    """
    received: list[signal.Signals] = []

    async def guarded() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def stop(number: signal.Signals) -> None:
            received.append(number)
            loop.remove_signal_handler(number)  # a second one ends the process at once
            if task is not None:
                task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop, number)
        return await work

    try:
        return asyncio.run(guarded())
    except asyncio.CancelledError:
        code = 143 if signal.SIGTERM in received else 130
        raise Interrupted(
            "interrupted: what is finished is kept; run the same command to resume", code
        ) from None
