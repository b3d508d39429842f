"""Processes of this machine by their command lines, and waiting for what they do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def processes(*parts: str) -> dict[int, str]:
    """Process id to command line of those whose command line holds one of the parts."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
        if any(part in line for part in parts):
            found[int(path.name)] = line
    return found


def children(pid: int | None = None) -> set[int]:
    """Ids of the children of a process, by default of this one, whichever thread started them."""
    found: set[int] = set()
    for thread in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        found |= {int(child) for child in (thread / "children").read_text().split()}
    return found


def wait_for(condition: Callable[[], object], seconds: float = 120) -> None:
    """Wait until it holds; the limit is for a hang, not for a busy machine."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


@contextmanager
def none_left(*parts: str) -> Iterator[None]:
    """Afterwards no process is there that holds one of the parts and was not there before."""
    before = processes(*parts)
    yield
    wait_for(lambda: processes(*parts).keys() <= before.keys())
