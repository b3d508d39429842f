"""Run a coroutine that Ctrl-C and SIGTERM can stop without losing what is finished."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from harness.cli.signals import Signals, Stopped, handled
from harness.errors import Interrupted

T = TypeVar("T")


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; Ctrl-C and SIGTERM cancel it.

    A thread that it has started and that cannot be cancelled is not waited for.

    Raises:
        Interrupted: it was cancelled; exit code 130 for Ctrl-C, 143 for SIGTERM.
    """
    with handled() as signals:
        try:
            with asyncio.Runner() as runner:
                return runner.run(_cancellable(work, signals))
        except (asyncio.CancelledError, Stopped):
            raise Interrupted(
                "interrupted: what is finished is kept; run the same command to resume",
                signals.exit_code,
            ) from None
        finally:
            signals.cancel = None


async def _cancellable(work: Coroutine[Any, Any, T], signals: Signals) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def cancel() -> None:
        signals.cancelled = True
        if task is not None:
            task.cancel()

    signals.cancel = lambda: loop.call_soon_threadsafe(cancel)
    try:
        return await work
    finally:
        signals.cancel = None
        if signals.first is not None:  # closing the loop would wait for the threads of this one
            loop.set_default_executor(ThreadPoolExecutor(1))
