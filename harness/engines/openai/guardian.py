"""Runs a server, and leaves nothing of it behind, whatever ends first and in whatever way.

Started as `python guardian.py COMMAND..` with a pipe as standard input and as standard output. Two
guardians run, the inner one a child of the outer one and the parent of the command:

    harness -- outer guardian -- inner guardian -- command -- what it starts

- The harness ends, or closes the pipe: the outer guardian reads its end.
- The command ends: what it left behind is killed, in whatever session or process group it is. vLLM's
  engine core outlives a killed API server, with all of its memory.
- A guardian is killed: the other one ends the rest. Two of them hold because each is the subreaper
  of its descendants, so that those of a killed inner guardian become the outer one's children.
- Both are killed: the command gets SIGTERM, at which `vllm serve` ends its engine core.

Nothing is written to the standard output: it closes when the last guardian has ended, and with it the
last process of the command. The command writes to the guardian's standard error.

It uses the standard library alone and imports nothing of the harness. The children of the vllm engine
are started by multiprocessing and cannot be wrapped in this way: see `harness.engines.vllm.orphan`.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType

_GRACE_SECONDS = 10.0
_OUTER_GRACE_SECONDS = 15.0  # the inner guardian has ended everything by then
_POLL_SECONDS = 0.02
_KILL_SECONDS = 15.0  # for processes that the kernel cannot end at once, in a GPU's driver for one
_INNER = "--inner"
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class Guardian:
    """The parent of a command, and of every descendant of it whose own parent has ended.

    Args:
        command: what to run.
        output: descriptor of the command's standard output and standard error; None inherits both.
        grace: seconds between SIGTERM and SIGKILL.
    """

    def __init__(self, command: list[str], output: int | None, grace: float) -> None:
        self._grace = grace
        self._parent = os.getppid()
        self._ending = threading.Lock()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._child = _start(command, output)

    def run(self) -> int:
        """Wait for the command, then kill what is left of it; its exit code, 128 + N for signal N."""
        signal.signal(signal.SIGTERM, self._terminated)
        pid = 0
        while pid != self._child:
            pid, status = os.wait()
        end_descendants()
        code = os.waitstatus_to_exitcode(status)
        return code if code >= 0 else 128 - code

    def end_with_pipe(self) -> None:
        """Wait until the other end of standard input is closed, then end the command."""
        while os.read(0, 4096):
            pass
        self.end()

    def end(self) -> None:
        """SIGTERM to the command's process group, and after the grace SIGKILL to all that is left."""
        if not self._ending.acquire(blocking=False):
            return
        with suppress(ProcessLookupError):
            os.killpg(self._child, signal.SIGTERM)
        # `run` returns before this if the command ends in time, and ends the rest if it does not.
        killing = threading.Timer(self._grace, kill_descendants)
        killing.daemon = True
        killing.start()

    def _terminated(self, _: int, __: FrameType | None) -> None:
        if os.getppid() == self._parent:
            self.end()
        else:  # the outer guardian was killed, and the harness waits to start another server
            kill_descendants()


def descendants() -> list[int]:
    """The processes below this one that have not ended yet."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            # The name of a program stands in parentheses and may hold anything.
            state, parent = path.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(path.parent.name)] = int(parent)
    found = [os.getpid()]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def kill_descendants() -> None:
    """SIGKILL to every process below this one."""
    for pid in descendants():
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def end_descendants() -> None:
    """Kill and wait for every process below this one: each becomes its child, as its parent ends."""
    until = time.monotonic() + _KILL_SECONDS
    with suppress(ChildProcessError):  # none is left
        while time.monotonic() < until:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                kill_descendants()
                time.sleep(_POLL_SECONDS)


def _start(command: list[str], output: int | None) -> int:
    """Start it in a session of its own; it gets SIGTERM when this process is killed."""
    me = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() == me:  # else it has been killed in the meantime
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            if output is not None:
                os.dup2(output, 1)
                os.dup2(output, 2)
            os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {error}\n".encode())
    finally:
        os._exit(127)


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def main() -> None:
    """Run the command, and exit with its code."""
    if sys.argv[1] == _INNER:
        code = Guardian(sys.argv[2:], output=2, grace=_GRACE_SECONDS).run()
    else:
        command = [sys.executable, "-I", __file__, _INNER, *sys.argv[1:]]
        outer = Guardian(command, output=None, grace=_OUTER_GRACE_SECONDS)
        threading.Thread(target=outer.end_with_pipe, daemon=True).start()
        code = outer.run()
    sys.exit(code)  # noqa: TID251


if __name__ == "__main__":
    main()
