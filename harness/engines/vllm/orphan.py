"""Ends this process soon after its parent has ended: run inside a child, before its own work.

A killed process cannot end its children, and an engine without its harness would hold a GPU's
memory for ever. Run by path with the name __child__ and PYTHON, the executable that this process
starts its own children with, so that they do the same. The children of vLLM are started by
multiprocessing and cannot be wrapped in another process, as `harness.engines.openai.guardian` wraps
`vllm serve`.
"""

from __future__ import annotations

import multiprocessing.spawn
import os
import signal
import threading
import time

_POLL_SECONDS = 1.0
_GRACE_SECONDS = 10.0


def exit_after(parent: int) -> threading.Thread:
    """Poll for the parent in a thread; once it has ended, SIGTERM this process, then SIGKILL it."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(_GRACE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True, name="exit-after-parent")
    thread.start()
    return thread


if __name__ == "__child__":
    multiprocessing.spawn.set_executable(globals()["PYTHON"])
    exit_after(os.getppid())
