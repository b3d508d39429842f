"""Ctrl-C and SIGTERM end a command within two seconds, or a line says what it waits for.

The first signal cancels the work, which unwinds: files are closed, the lock is released. Where that
takes longer than a second, a line says what the command waits for; where nothing is lost by it (a
model that is being loaded), the command then ends. A second signal ends it at once, at any time. The
line, and the end of what will not unwind, come from another process, `harness.cli.signals_watch`.

Each signal's handler is set for one signal only and then again by itself. While a library in C works,
no handler of Python's can run, and the second signal ends the process by the system's default: a
shell sees 130 and 143 either way.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import FrameType

from harness.cli import signals_watch
from harness.waiting import Wait, telling, waiting_for

_BLOCKED_SECONDS = 0.5  # after which work that is not cancelled yet is held up by one of its steps
_SAME_SECONDS = 0.3  # sent to the whole group, and passed on by a wrapper as well
CTRL_C = 130  # its exit code
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(KeyboardInterrupt):
    """A signal, raised where the main thread is; it unwinds what is not a coroutine."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.exit_code = 128 + number


class Signals:
    """The signals that this process has received, and what the first one cancels."""

    def __init__(self) -> None:
        self.first: int | None = None
        self.cancel: Callable[[], object] | None = None  # None: raise where the main thread is
        self.cancelled = False
        self._since = 0.0
        self._process = os.getpid()

    @property
    def exit_code(self) -> int:
        """130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + (self.first or signal.SIGINT)

    def received(self, number: int, _: FrameType | None) -> None:
        """Handle a signal: the first one cancels, a second one ends the process."""
        if os.getpid() != self._process:  # a forked child has the handlers, and nothing to cancel
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        _arm(number, self.received)
        now = time.monotonic()
        if self.first is not None:
            if now - self._since > _SAME_SECONDS:
                end_at_once(self.exit_code)
            return
        self.first, self._since = number, now
        if self.cancel is None:
            raise Stopped(number)
        self.cancel()
        signal.setitimer(signal.ITIMER_REAL, _BLOCKED_SECONDS)

    def blocked(self, *_: object) -> None:
        """Raise in a step that has held up the cancellation."""
        if self.cancel is not None and not self.cancelled:
            raise Stopped(self.first or signal.SIGINT)


_current: list[Signals] = []


@contextmanager
def handled(*, watch: bool = False) -> Iterator[Signals]:
    """Handle SIGINT and SIGTERM; within another one, the same.

    Args:
        watch: start the process that says what an interrupted command waits for.
    """
    if _current:
        yield _current[-1]
        return
    signals = Signals()
    with ExitStack() as stack:
        for number in (*_SIGNALS, signal.SIGALRM):
            stack.callback(signal.signal, number, signal.getsignal(number))
        _current.append(signals)
        stack.callback(_current.clear)
        if watch:
            stack.enter_context(_watched())
        signal.signal(signal.SIGALRM, signals.blocked)
        stack.callback(signal.setitimer, signal.ITIMER_REAL, 0)
        for number in _SIGNALS:
            _arm(number, signals.received)
        yield signals


def _arm(number: int, handler: Callable[[int, FrameType | None], None]) -> None:
    """Set the handler for one signal; the next one ends the process, unless it is set again."""
    signal.signal(number, handler)
    once = getattr(_libc(), "sysv_signal", None)
    if once is not None:  # not on every system; there a handler stays, and has to wait for its turn
        once(number, _libc().signal(number, None))  # None is the default


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None)
    libc.signal.restype = ctypes.c_void_p
    for name in ("signal", "sysv_signal"):
        with suppress(AttributeError):
            getattr(libc, name).argtypes = [ctypes.c_int, ctypes.c_void_p]
    return libc


@contextmanager
def _watched() -> Iterator[None]:
    """A process reads from a pipe what this one waits for, and which signals it got."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    arguments = [sys.executable, "-I", "-S", signals_watch.__file__, str(os.getpid())]
    files = [(os.POSIX_SPAWN_DUP2, reader, 0), (os.POSIX_SPAWN_DUP2, 2, 1)]
    try:
        os.posix_spawn(sys.executable, arguments, os.environ, file_actions=files)
    except OSError:  # no process can be started: signals are handled without the line
        os.close(writer)
        yield
        return
    finally:
        os.close(reader)

    def tell(wait: Wait) -> None:
        mark = signals_watch.DROPPABLE if wait.droppable else " "
        with suppress(OSError):  # it was killed, or the pipe is full
            os.write(writer, f"{mark}{wait.what}\n".encode())

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        with telling(tell):
            yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)


def end_at_once(code: int) -> None:
    """End this process without unwinding; its locks are released."""
    locks = sys.modules.get("harness.storage.lock")
    if locks is not None:
        locks.release_all()
    os._exit(code)


def leave(code: int) -> None:
    """End an interrupted process; threads that are still at work are not waited for."""
    with waiting_for("what it started to end", droppable=False):
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        end_at_once(code)
