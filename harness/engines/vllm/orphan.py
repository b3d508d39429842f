"""Ends this process soon after the one that started it: run inside a child, before its own work.

A process that is killed cannot end its children, and an engine without its harness would hold a
GPU's memory for ever. Run by path with the name __child__ and PYTHON, the executable that this
process starts its own children by, so that they do the same.
"""

from __future__ import annotations

import multiprocessing.spawn
import os
import signal
import threading
import time

_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 10.0


def end_with(parent: int) -> threading.Thread:
    """Watch the parent in a thread; when it is gone, ask this process to end, then make it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True, name="end-with-parent")
    thread.start()
    return thread


if __name__ == "__child__":
    multiprocessing.spawn.set_executable(globals()["PYTHON"])
    end_with(os.getppid())
