"""Runs a command, and ends it when the process that started the guardian ends, in whatever way.

Started as `python guardian.py COMMAND..` with a pipe as its standard input: when the other end
closes (an orderly stop, Ctrl-C, SIGKILL), the command's whole process group is ended. It uses the
standard library alone and imports nothing of the harness. The children of the vllm engine are
started by multiprocessing and cannot be wrapped in this way: see `harness.engines.vllm.orphan`.
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


def _exit_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Wait until the pipe is closed; then SIGTERM the group, and SIGKILL what is left of it."""
    while os.read(0, 4096):
        pass
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)


def main() -> None:
    """Run the command, and exit with its code."""
    child = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_exit_with_parent,
    )
    threading.Thread(target=_end, args=[child], daemon=True).start()
    code = child.wait()
    with suppress(ProcessLookupError):  # what it left behind
        os.killpg(child.pid, signal.SIGKILL)
    sys.exit(code if code >= 0 else 128 - code)  # noqa: TID251


if __name__ == "__main__":
    main()
