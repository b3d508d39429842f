"""Runs a Python program to its end, as `python solution.py` does: what follows its last line included.

    run -> flush -> print an error -> Py_Exit: join threads, call atexit, flush, free modules, exit

The interpreter's own finalisation (Py_FinalizeEx in CPython's Python/pylifecycle.c) ends it, so that
destructors, buffers and replaced streams come in its order. It takes ten milliseconds, nearly all
for what the fork server has imported; where nothing of the program can run any more once atexit is
done, the process leaves there.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import mmap
import signal
import sys
from io import BufferedReader, BytesIO, StringIO, TextIOWrapper
from os import _exit
from types import BuiltinFunctionType, FunctionType, GeneratorType, TracebackType
from typing import Any, NoReturn
from weakref import CallableProxyType, ProxyType, ReferenceType

_libc = ctypes.CDLL(None)
_exit_interpreter = ctypes.pythonapi.Py_Exit
_get_objects, _unfreeze, _callbacks = gc.get_objects, gc.unfreeze, gc.callbacks
_frames, _blocks = sys._current_frames, sys.getallocatedblocks
# Blocks of memory above which a list of all objects would show in what is measured.
_MANY_BLOCKS = 500_000
_streams: dict[str, int] = {}  # by id: a reference would keep their last text from being written
_thread_state = ctypes.pythonapi.PyThreadState_Get
_thread_state.restype = ctypes.c_void_p
# The beginning of a thread's state, in which the depth of its calls stands.
_StateInts = ctypes.c_int * 32
_READ_ONLY = (BufferedReader, BytesIO, StringIO)  # closing them shows nothing
_REFERENCES = (ReferenceType, ProxyType, CallableProxyType)
_depth: list[int] = []
# Shared with the watcher: whether a MemoryError that nobody caught has ended the program.
_out_of_memory = mmap.mmap(-1, mmap.PAGESIZE)
_status: list[int] = []  # of the program, once it has ended


def prepare() -> None:
    """Remember the standard streams; in the server, before anything else is registered at exit."""
    for name in ("stdin", "stdout", "stderr"):
        _streams[name] = _streams[f"__{name}__"] = id(getattr(sys, name))
    atexit.register(_leave_early)
    _depth.extend(_fields_of_depth())


def clear() -> None:
    """Forget how the last program ended; in the watcher."""
    _out_of_memory[0] = 0


def ran_out_of_memory() -> bool:
    """Whether the interpreter ended the program for a MemoryError; in the watcher."""
    return _out_of_memory[0] != 0


def note(error: BaseException) -> None:
    """Tell the watcher that this exception ends the program."""
    if isinstance(error, MemoryError):
        _out_of_memory[0] = 1


def _ints() -> Any:
    return _StateInts.from_address(_thread_state())


def _fields_of_depth() -> list[int]:
    """Where the thread's state counts the calls that are left: what moves with the limit, below it."""
    limit = sys.getrecursionlimit()
    before = list(_ints())
    sys.setrecursionlimit(limit + 777)
    after = list(_ints())
    sys.setrecursionlimit(limit)
    return [
        number
        for number, (low, high) in enumerate(zip(before, after, strict=True))
        if high - low == 777 and limit - 100 < low < limit
    ]


def _forget_own_calls() -> None:
    """Let the program call as deeply as if the calls of the judge below it were not there."""
    if len(_depth) == 1:
        # From 3.12 on the frame that exec starts is not counted, as that of a script is.
        _ints()[_depth[0]] = sys.getrecursionlimit() - (sys.version_info >= (3, 12))


def run(code: Any) -> NoReturn:
    """Run a program in `__main__` and end the process as the interpreter would.

    What the collector lists from `__main__` on must be the program's (`gc.freeze`).
    """
    status = _executed(code)
    del code
    _status.append(status & 0xFF)
    _exit_interpreter(ctypes.c_int(status))
    raise SystemError("Py_Exit returned")


def _executed(code: Any) -> int:
    """The exit status. No reference to the program's objects is left but those that Python keeps."""
    names = sys.modules["__main__"].__dict__
    _forget_own_calls()
    try:
        exec(code, names)  # noqa: S102
    except BaseException as error:
        trace = error.__traceback__ and error.__traceback__.tb_next
        error.__traceback__ = trace
        flush()
        status = reported(error, trace)
        if isinstance(error, SystemExit):
            return status
    else:
        flush()
        status = 0
    for name in ("__file__", "__cached__"):
        names.pop(name, None)
    return status


def flush() -> None:
    """Flush the standard streams that a program has left, errors ignored."""
    for name in ("stderr", "stdout"):
        try:
            getattr(sys, name).flush()
        except BaseException:  # noqa: S112 (as the interpreter does)
            continue


def reported(error: BaseException, trace: TracebackType | None) -> int:
    """What an exception does to a Python process: its exit status, after it was printed."""
    if isinstance(error, SystemExit):
        return _exit_status(error)
    note(error)
    if isinstance(error, KeyboardInterrupt):
        _libc.on_exit(_libc["raise"], None)  # `raise` of the exit status
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    if sys.version_info >= (3, 12):
        sys.last_exc = error
    hook = getattr(sys, "excepthook", sys.__excepthook__)
    try:
        hook(type(error), error, trace)
    except SystemExit as second:
        return _exit_status(second)
    except BaseException as second:
        _write_error("Error in sys.excepthook:\n")
        sys.__excepthook__(type(second), second, second.__traceback__)
        _write_error("\nOriginal exception was:\n")
        sys.__excepthook__(type(error), error, trace)
    return int(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else 1


def _exit_status(error: SystemExit) -> int:
    code = error.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(2**63) <= code < 2**63 else 0xFF
    _write_error(code, "\n")
    return 1


def _write_error(*parts: object) -> None:
    try:
        for part in parts:
            sys.stderr.write(str(part))
        sys.stderr.flush()
    except BaseException:
        return


def _leave_early() -> None:
    """The last atexit callback: exit at once where the rest of the finalisation shows nothing."""
    if not _status:
        return
    with contextlib.suppress(BaseException):  # which the interpreter meets again
        if _status[0] != signal.SIGINT and _is_quiet():  # else a signal ends the process
            sys.stdout.flush()
            sys.stderr.flush()
            _libc.fflush(None)
            _exit(_status[0])
    _unfreeze()


def _is_quiet() -> bool:
    """Whether nothing that the program has left can run code or hold output."""
    for name, known in _streams.items():
        stream = getattr(sys, name, None)
        if id(stream) != known or vars(stream).keys() - {"mode"}:
            return False
    del stream
    if len(_frames()) > 1 or _callbacks or _blocks() > _MANY_BLOCKS:
        return False
    objects = _get_objects()
    suspects = {kind for kind in set(map(type, objects)) if _may_be_loud(kind)}
    return not any(type(found) in suspects and _is_loud(found) for found in objects)


def _may_be_loud(kind: type) -> bool:
    return hasattr(kind, "__del__") or issubclass(kind, (type, *_REFERENCES))


def _is_loud(found: Any) -> bool:
    """Whether freeing an object may run code: of a class, freeing its instances."""
    kind = type(found)
    if issubclass(kind, type):
        return hasattr(found, "__del__")
    if kind is GeneratorType:
        return found.gi_frame is not None
    if issubclass(kind, ReferenceType):
        return _calls_the_program(found.__callback__)
    if kind is TextIOWrapper:
        return type(found.buffer) is not BufferedReader
    return kind not in _READ_ONLY


def _calls_the_program(callback: Any) -> bool:
    """Whether a reference's callback is more than the bookkeeping of a weak container."""
    if type(callback) is FunctionType:
        return callback.__module__ not in ("weakref", "_weakrefset")
    caches = type(callback) is BuiltinFunctionType and callback.__name__ == "_destroy"
    return callback is not None and not caches
