"""`python -m tests.support.blocked MODULE.NAME HOW STARTED ARGUMENTS..`: a command that is held up in one step.

The function MODULE.NAME is replaced by one that writes the file STARTED and then blocks:

    sleeps      as what waits for a disk or a server: other threads run, a signal interrupts it
    computes    in C, for a minute, with the interpreter's lock: no thread of Python runs
    held        as a library in C that waits with the interpreter's lock
    released    in C without the lock: other threads run, and a signal does not interrupt it
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import sys
import time
from pathlib import Path
from typing import Any

SECONDS = 60
HOW = {
    "sleeps": lambda: time.sleep(SECONDS),
    "computes": lambda: sum(range(10**10)),
    "held": lambda: ctypes.PyDLL(None).sleep(SECONDS),
    "released": lambda: hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**9),
}


def main() -> None:
    """Replace the function and run the command line."""
    place, how, started, *arguments = sys.argv[1:]

    def block(*_: Any, **__: Any) -> None:
        Path(started).write_text("")
        HOW[how]()

    module, _, name = place.rpartition(".")
    setattr(importlib.import_module(module), name, block)
    from harness.cli import main as harness

    harness(arguments)


if __name__ == "__main__":
    main()
