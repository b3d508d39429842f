"""Runs a command no longer than the process that asked for it, however that one ends.

Started as `python guardian.py COMMAND..` with a pipe for its standard input: when the other end
closes (a tidy stop, Ctrl-C, SIGKILL), the command's whole process group is ended. It uses the
standard library alone and imports nothing of the harness.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress

_GRACE_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Wait for the pipe's end; then ask the group to stop, and kill what does not."""
    while os.read(0, 4096):
        pass
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def main() -> None:
    """Run the command, and exit as it does."""
    child = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_parent,
    )
    threading.Thread(target=_end, args=[child], daemon=True).start()
    code = child.wait()
    with suppress(ProcessLookupError):  # what it left behind
        os.killpg(child.pid, signal.SIGKILL)
    sys.exit(code if code >= 0 else 128 - code)  # noqa: TID251


if __name__ == "__main__":
    main()
