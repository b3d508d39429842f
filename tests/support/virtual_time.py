"""An event loop whose clock jumps to the next timer: a minute of waiting takes no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class _Jumping(selectors.SelectSelector):
    """Skips the time for which it would wait. For work without I/O, where only timers wake."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        self.now += timeout or 0.0
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def run_virtual(work: Coroutine[Any, Any, Any], loop: VirtualLoop) -> Any:
    """Run work to its end; it must not wait for a thread or a socket."""
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work)
