"""One test case: a fork that drops its privileges and becomes the program; it never returns.

    descriptors and limits -> drop capabilities -> compile -> run -> exit

A Python program runs as `python solution.py` would run it: a fresh `__main__`, real standard
streams, and the interpreter's own finalisation, see `harness.judge.inside.ending`. Any difference
is a bug.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib
import json
import marshal
import math
import os
import random
import resource
import signal
import sys
import types
from importlib.machinery import SourceFileLoader
from typing import Any, NoReturn

from harness.judge.inside import ending, livecodebench, syscalls

PROGRAM, STDIN, STDOUT, STDERR, KEPT, FIRST_FILE = range(6)
"""Positions of a job's descriptors; KEPT stays open in the program as KEPT_FD."""
KEPT_FD = 200

_RESULT_FD = 201
_CODE_FD = 202
_PROGRAM_FD = 203
_OPEN_FILES = 256
_SPARE_ADDRESSES = 512 << 20  # reserved and never touched: thread stacks, arenas
_STREAMS = ("stdin", "stdout", "stderr")
_COMPILED = b"\0"  # the code file of a last test: it compiled, and nobody needs the code

_header: dict[str, Any] = {}


def prepare(*, numpy: bool) -> None:
    """Import once what every test needs: LiveCodeBench's import header, and numpy if asked for."""
    ending.prepare()
    if numpy:
        with contextlib.suppress(ImportError):
            importlib.import_module("numpy.random")
    exec(livecodebench.HEADER, _header)  # noqa: S102
    sys.setrecursionlimit(1000)
    # A reference to a stream would keep its last text from being written.
    for name in ("__builtins__", *_STREAMS):
        del _header[name]


def start(
    job: dict[str, Any],
    fds: list[int],
    code: int,
    base_memory: int,
) -> NoReturn:
    """Become the program of a job.

    Args:
        job: as `harness.judge.worker` sends it.
        fds: its descriptors, at the positions PROGRAM to FIRST_FILE and after.
        code: descriptor of the memory that keeps the compiled program for later tests.
        base_memory: bytes of address space that the fork server itself has mapped.
    """
    try:
        _enter(job, fds, code, base_memory)
        if job["mode"] == "exec":
            argv = job["argv"]
            for number in (signal.SIGXFSZ, signal.SIGPIPE):  # which Python ignores
                signal.signal(number, signal.SIG_DFL)
            path: Any = argv[0] or _PROGRAM_FD
            os.execve(path, [argv[0] or "solution", *argv[1:]], os.environ)  # noqa: S606
        _run(job)
    except BaseException as error:
        ending.note(error)
        sys.excepthook(*sys.exc_info())
        os._exit(1)


def _enter(
    job: dict[str, Any],
    fds: list[int],
    code: int,
    base_memory: int,
) -> None:
    syscalls.set_dumpable(True)  # before it has a session: see `harness.judge.inside.memory`
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The program's own standard output is not where its result goes, if it has a result.
    apart = bool(job["collect"]) or job["mode"] not in ("script", "exec")
    for fd, number in (
        (fds[STDIN], 0),
        (fds[STDERR if apart else STDOUT], 1),
        (fds[STDERR], 2),
        (fds[KEPT], KEPT_FD),
        (fds[STDOUT], _RESULT_FD),
        (code, _CODE_FD),
        (fds[PROGRAM], _PROGRAM_FD),
    ):
        os.dup2(fd, number)
    os.set_inheritable(_RESULT_FD, False)
    os.set_inheritable(_CODE_FD, False)
    os.set_inheritable(_PROGRAM_FD, False)
    if job["mode"] != "exec" or not job["keep"]:
        os.close(KEPT_FD)
    os.closerange(3, KEPT_FD)
    os.closerange(_PROGRAM_FD + 1, 1 << 16)
    _limit(job, base_memory if job["mode"] != "exec" else 0)
    syscalls.drop_privileges()


def _limit(job: dict[str, Any], base_memory: int) -> None:
    # A backstop behind init, which measures: the kernel counts this limit by whole ticks, and
    # on a busy virtual machine far too many of them.
    seconds = 2 * math.ceil(job["cpu"]) + 2
    addresses = base_memory + max(2 * job["memory"], job["memory"] + _SPARE_ADDRESSES)
    for what, soft, hard in (
        (resource.RLIMIT_CPU, seconds, seconds + 1),
        (resource.RLIMIT_AS, addresses, addresses),
        (resource.RLIMIT_FSIZE, job["output"], job["output"]),
        (resource.RLIMIT_NPROC, job["processes"], job["processes"]),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        resource.setrlimit(what, (soft, hard))


def _run(job: dict[str, Any]) -> NoReturn:
    code = _compiled(job)
    os.close(_CODE_FD)
    os.close(_PROGRAM_FD)
    if job["mode"] in ("script", "exec"):
        os.close(_RESULT_FD)
    for name in [name for name in sys.modules if name.partition(".")[0] == "harness"]:
        del sys.modules[name]
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if job["mode"] == "official":
        livecodebench.run(code, _RESULT_FD, job["runner"])
    if job["mode"] == "function":
        _function(code, job["function"], job["restricted"])
    _script(code, job)


def _compiled(job: dict[str, Any]) -> Any:
    """The program's code: compiled by the first test, and read back by the others.

    The code file is empty until then, which is how the supervisor sees a compile error.
    """
    size = os.fstat(_CODE_FD).st_size
    if size > 1:
        return marshal.loads(os.pread(_CODE_FD, size, 0))  # noqa: S302
    source = os.pread(_PROGRAM_FD, os.fstat(_PROGRAM_FD).st_size, 0)
    if job["mode"] == "official":
        source = livecodebench.wrapped(source)
    code = compile(source, "solution.py", "exec", dont_inherit=True)
    os.pwrite(_CODE_FD, _COMPILED if job["last"] else marshal.dumps(code), 0)
    return code


def _module(name: str, prelude: bool) -> dict[str, Any]:
    module = types.ModuleType(name)
    if name != "__main__":
        sys.modules["__main__"] = types.ModuleType("__main__")
    sys.modules[name] = module
    path = "solution.py"
    module.__loader__ = SourceFileLoader(name, path)
    if sys.version_info < (3, 14):
        module.__annotations__ = {}
    module.__dict__.update(__builtins__=builtins, __file__=path, __cached__=None)
    if prelude:
        module.__dict__.update(_header, **{name: getattr(sys, name) for name in _STREAMS})
        sys.setrecursionlimit(50000)
    return module.__dict__


def _script(code: Any, job: dict[str, Any]) -> NoReturn:
    sys.argv = ["solution.py", *job["argv"]]
    sys.path.insert(0, os.getcwd())  # noqa: PTH109
    gc.freeze()
    _module("__main__", job["prelude"])
    ending.run(code)


def _function(code: Any, name: str, restricted: bool) -> NoReturn:
    """Call the function of a functional problem, and write its return value as JSON."""
    status, leave = 0, os._exit
    if restricted:
        livecodebench.restrict()
    try:
        arguments = [json.loads(line) for line in sys.stdin.read().rstrip("\n").split("\n")]
        names = _module("solution", prelude=True)
        exec(code, names)  # noqa: S102
        owner = names["Solution"]() if "Solution" in names else None
        function = getattr(owner, name) if owner is not None else names[name]
        result = json.dumps(portable(function(*arguments)))
    except BaseException:
        _, error, trace = sys.exc_info()
        status = ending.reported(error, trace and trace.tb_next) or 1  # type: ignore[arg-type]
    else:
        with open(_RESULT_FD, "w", encoding="utf-8") as output:
            output.write(result)
    ending.flush()
    leave(status)


def portable(value: Any) -> Any:
    """A returned value as JSON that keeps tuples and keys apart, by exact built-in types alone.

    Anything else becomes {"other": type}, which equals nothing, so that an object whose `__eq__`
    is always true gains nothing.
    """
    kind = type(value)
    if kind in (int, float, str, bool, type(None)):
        return value
    if kind is list:
        return [portable(item) for item in value]
    if kind is tuple:
        return {"tuple": [portable(item) for item in value]}
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind is dict or name in (
        "collections.Counter", "collections.defaultdict", "collections.OrderedDict",
    ):  # fmt: skip
        return {"dict": [[portable(key), portable(item)] for key, item in dict.items(value)]}
    numpy = sys.modules.get("numpy")
    if numpy is not None and kind.__module__ == "numpy" and isinstance(value, numpy.generic):
        plain = value.item()
        if type(plain) in (int, float, str, bool):
            return plain
    return {"other": name}
