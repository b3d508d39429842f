"""The symbolic worker: imports sympy once, then forks a child that answers pair after pair.

Run as `python -m harness.graders.sympy_worker`: lines of JSON in, one line out for each. The
worker itself never parses the text of an answer; it compares pairs of its own first, so that sympy's
late imports are paid for once. A child has a limit of CPU time, which the kernel enforces, and a far
longer one of wall time for a child that is stopped or waits; an address-space limit; and an audit
hook that ends it at any attempt to execute text, open a file for writing, or start a process.

A pair that ends its child by its own doing (CPU time, memory, that hook, a crash of the interpreter)
has the answer None. A child that somebody else ended, or that did not run, says nothing about the
pair: it is compared again in a fresh child, and if that is lost as well, the answer is a text that
says how.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
from typing import Any, NoReturn

MEMORY_MIB = 256
"""Memory that a child may add to what the imports took."""

_ORPHAN_CHECK = 2.0  # seconds
_WALL = (
    30  # times the CPU limit of a pair, and ten seconds: only a child that does not run needs it
)
_PR_SET_PDEATHSIG = 1
CHILDREN = 3  # of one pair, before it is given up as lost
_EXECUTED, _FAILED, _UNCONFINED = 3, 1, 4  # exit codes of a child
_OWN_DOING = (signal.SIGPROF, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
              signal.SIGABRT)  # fmt: skip
"""What ends a child whose pair takes too much CPU time, or crashes the interpreter."""

_MONOMIALS = os.path.join("sympy", "polys", "monomials.py")  # noqa: PTH118
# Ours, not a model's. What they import and the tables that they build (sympy evaluates text of its
# own for them) a child need not, and must not.
_WARM_UP = (
    (r"\int_0^1 x\,dx", r"\frac12"), (r"\sum_{k=1}^{3} k", "6"), (r"\sqrt{2}", "2"),
    (r"\sum_{k=0}^{\infty} \frac{1}{2^k}", "2"), (r"\int_0^{\infty} e^{-x^2}\,dx", "1"),
    (r"\lim_{x \to 0} \frac{\sin x}{x}", "1"), (r"\text{so } x", "y"),
)  # fmt: skip
_FORBIDDEN = (
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "os.remove",
    "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.kill",
    "os.putenv", "os.truncate", "os.utime", "subprocess.Popen", "socket.", "shutil.", "pty.spawn",
    "ctypes.", "urllib.Request", "ftplib.", "smtplib.", "sqlite3.", "webbrowser.", "pickle.find_class",
)  # fmt: skip


def wall_seconds(seconds: float) -> float:
    """The wall time after which a pair with that many CPU seconds is given up."""
    return _WALL * seconds + 10


def main() -> None:
    """Serve until the parent has exited."""
    from harness.graders import sympy_equality

    parent = os.getppid()
    for pair in _WARM_UP:
        sympy_equality.same(*pair)
    child = _Child(sympy_equality)
    buffer = b""
    while True:
        ready, _, _ = select.select([0], [], [], _ORPHAN_CHECK)
        if not ready:
            if os.getppid() != parent:
                break
            continue
        chunk = os.read(0, 1 << 16)
        if not chunk:
            break
        buffer += chunk
        while b"\n" in buffer:
            line, _, buffer = buffer.partition(b"\n")
            request = json.loads(line)
            results = []
            for pair in request["pairs"]:
                if os.getppid() != parent:
                    child.kill()
                    return
                results.append(child.same(pair, request["seconds"]))
            os.write(1, json.dumps(results).encode() + b"\n")
    child.kill()


class _Lost(Exception):
    """The child ended, or did not run, for a reason that is not the pair's."""


class _Child:
    """The child that compares; a new one is forked after the last was killed."""

    def __init__(self, algebra: Any) -> None:
        self.algebra = algebra
        self.pid = 0
        self.to_child = self.from_child = -1

    def same(self, pair: list[str], seconds: float) -> bool | str | None:
        """Whether the pair is equal; None if it exceeds a limit, a text if the children were lost."""
        why = ""
        for _ in range(CHILDREN):
            try:
                return self.compare(pair, seconds)
            except _Lost as error:
                why = str(error)
            except OSError as error:  # no process or descriptor left, or the pipe broke
                why = f"OSError: {error}"
                self.kill()
        return why

    def compare(self, pair: list[str], seconds: float) -> bool | None:
        """One child's answer; None if the pair ended it.

        Raises:
            _Lost: the child was killed from outside, or did not run.
            OSError: it could not be started.
        """
        if not self.pid:
            self.fork()
        with contextlib.suppress(BrokenPipeError):  # it has ended; `select` says so at once
            os.write(self.to_child, json.dumps([pair, seconds]).encode() + b"\n")
        ready, _, _ = select.select([self.from_child], [], [], wall_seconds(seconds))
        reply = os.read(self.from_child, 1) if ready else b""
        if reply in _ANSWERS:
            return _ANSWERS[reply]
        code = self.kill() if not ready else self.wait()
        if code in (_EXECUTED, _FAILED) or -code in _OWN_DOING:
            return None
        how = f"was ended by signal {-code}" if code < 0 else f"exited with code {code}"
        if not ready or -code == signal.SIGALRM:
            how = f"used less than {seconds:g} s of CPU time in {wall_seconds(seconds):.0f} s"
        raise _Lost(how)

    def fork(self) -> None:
        """Fork a child that reads pairs from one pipe and answers on another."""
        theirs_in, ours_out = os.pipe()
        try:
            ours_in, theirs_out = os.pipe()
        except OSError:
            os.close(theirs_in)
            os.close(ours_out)
            raise
        worker = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            for end in (theirs_in, ours_out, ours_in, theirs_out):
                os.close(end)
            raise
        if pid == 0:
            os.close(ours_in)
            os.close(ours_out)
            _serve(self.algebra, theirs_in, theirs_out, worker)
        os.close(theirs_in)
        os.close(theirs_out)
        self.pid, self.to_child, self.from_child = pid, ours_out, ours_in

    def kill(self) -> int:
        """Kill the child and reap it; its exit code, or the negative number of its signal."""
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self) -> int:
        """Reap the child, which ends or has ended; its exit code as `kill` returns it."""
        if not self.pid:
            return 0
        _, status = os.waitpid(self.pid, 0)
        os.close(self.to_child)
        os.close(self.from_child)
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


def _serve(algebra: Any, read_end: int, write_end: int, worker: int) -> NoReturn:
    """The child's loop; it never returns to the worker's code."""
    code = _UNCONFINED
    try:
        _confine(worker)
        code = _FAILED
        with os.fdopen(read_end, "rb") as lines:
            for line in lines:
                pair, seconds = json.loads(line)
                # The default action of both signals ends the process.
                signal.setitimer(signal.ITIMER_PROF, seconds)
                signal.setitimer(signal.ITIMER_REAL, wall_seconds(seconds) + 1)
                answer = _answer(algebra, pair)
                signal.setitimer(signal.ITIMER_PROF, 0)
                signal.setitimer(signal.ITIMER_REAL, 0)
                os.write(write_end, answer)
    finally:
        os._exit(code)


def _answer(algebra: Any, pair: list[str]) -> bytes:
    try:
        same = algebra.same(*pair)
    except Exception:
        same = None
    return {True: b"y", False: b"n"}.get(same, b"u")


_ANSWERS = {b"y": True, b"n": False, b"u": None}


def _confine(worker: int) -> None:
    """Set limits and the audit hook, which cannot be removed again."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:
        os._exit(_UNCONFINED)
    with contextlib.suppress(OSError):
        os.close(0)
        os.close(1)
    taken = int(_pages("/proc/self/statm")) * resource.getpagesize()
    allowed = taken + (MEMORY_MIB << 20)
    resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.setrecursionlimit(5000)
    sys.dont_write_bytecode = True  # an import may still come, and must not look like an attack
    sys.addaudithook(_audit)


def _pages(path: str) -> str:
    try:
        with open(path, encoding="ascii") as statm:  # noqa: PTH123
            return statm.read().split()[0]
    except OSError:  # no /proc: sympy and its parser take about this much
        return str((400 << 20) // resource.getpagesize())


def _audit(event: str, args: tuple[Any, ...]) -> None:
    """End the child before it executes text or changes anything outside itself."""
    if event.startswith(_FORBIDDEN):
        os._exit(_EXECUTED)
    if event == "open" and len(args) > 2 and isinstance(args[2], int):
        if args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
            os._exit(_EXECUTED)
    elif event in ("compile", "exec"):
        name = args[1] if event == "compile" else getattr(args[0], "co_filename", None)
        if (not isinstance(name, str) or name.startswith("<")) and not _own_code():
            os._exit(_EXECUTED)


def _own_code() -> bool:
    """Whether the code comes from a library's own text.

    That is so while a module is imported, and where sympy unrolls the arithmetic of monomials.
    """
    frame = sys._getframe(2)
    if frame.f_code.co_filename.endswith(_MONOMIALS):
        return True
    while frame.f_back is not None:
        frame = frame.f_back
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
    return False


if __name__ == "__main__":
    main()
