"""LiveCodeBench's own way to run a program, quirks included, for scores comparable to published ones.

The program is wrapped into a function and called with strings for standard input and output; what
threads print after the call is lost. The behaviour is that of
lcb_runner/evaluation/testing_util.py in github.com/LiveCodeBench/LiveCodeBench, at 15808c7 for
lcb-official (January 2025) and at 28fef95 for lcb-official-2025-05 (its newest commit), except that
its alarm of six seconds is a limit of CPU time here.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import types
from collections.abc import Callable
from typing import Any, NoReturn

_STARS = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random",
    "statistics", "itertools", "functools", "operator", "io", "sys", "json", "builtins", "typing",
)  # fmt: skip
_MODULES = tuple(name for name in _STARS if name not in ("builtins", "typing"))

HEADER = "".join(
    [f"from {name} import *\n" for name in _STARS]
    + [f"import {name}\n" for name in _MODULES]
    + ["sys.setrecursionlimit(50000)\n"]
)
"""The imports put before every program: stars first, so that the names of builtins win."""

_REMOVED = {
    "builtins": ("quit", "help"),
    "os": (
        "kill", "system", "putenv", "remove", "removedirs", "rmdir", "fchdir", "setuid", "fork",
        "forkpty", "killpg", "rename", "renames", "truncate", "replace", "unlink", "fchmod",
        "fchown", "chmod", "chown", "chroot", "lchflags", "lchmod", "lchown", "getcwd", "chdir",
    ),
    "shutil": ("rmtree", "move", "chown"),
    "subprocess": ("Popen",),
}  # fmt: skip
_ABSENT = ("ipdb", "joblib", "resource", "psutil", "tkinter")


def wrapped(source: bytes) -> bytes:
    """The program as one function `wrapped_function`, its imports before it.

    A last `if __name__ == '__main__'` is replaced by its body. What cannot be parsed is returned
    unchanged, and fails when it is compiled.
    """
    import ast

    try:
        body = ast.parse(source).body
        if body and isinstance(body[-1], ast.If):
            test = ast.unparse(body[-1].test).strip()
            if test == "__name__ == '__main__'":
                body = [*body[:-1], *body[-1].body]
        imports: list[ast.stmt] = [
            node for node in body if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        rest = [node for node in body if not isinstance(node, ast.Import | ast.ImportFrom)]
        function: Any = ast.parse("def wrapped_function(): ...").body[0]
        function.body = rest
        parts = (HEADER, ast.unparse(ast.Module(imports, [])), ast.unparse(function))
        return "\n".join(parts).encode()
    except Exception:
        return source


def restrict() -> None:
    """Remove the functions and modules that the official runner removes."""
    for module, names in _REMOVED.items():
        for name in names:
            setattr(importlib.import_module(module), name, None)
    for name in _ABSENT:
        sys.modules[name] = None  # type: ignore[assignment]


def run(code: types.CodeType, result: int, runner: str) -> NoReturn:
    """Call the wrapped program under a runner's mocks, and write its output to a descriptor.

    Args:
        code: the module that holds the wrapped program.
        result: the descriptor for what it prints.
        runner: the scoring, which names the runner.
    """
    text = sys.stdin.read()
    # As in a worker of multiprocessing: the module's imports find an empty standard input.
    sys.stdin = given = open(os.open(os.devnull, os.O_RDONLY), closefd=False)  # noqa: SIM115
    os.dup2(given.fileno(), 0)
    leave = os._exit
    restrict()
    module = types.ModuleType("tmp_sol", "")
    exec(code, module.__dict__)  # noqa: S102
    output, printed = sys.stdout, _Printed()
    # The official runner patches the methods of this stream, and then replaces it: programs that
    # have it by `from sys import stdin` read lines without their ends, others the mock.
    lines = iter(text.split("\n"))
    patched: Any = given
    patched.readline = lambda *_: next(lines)
    patched.readlines = lambda *_: text.split("\n")
    patched.read = lambda *_: text
    sys.stdout = printed
    sys.stdin = io.StringIO(text) if runner == "lcb-official" else _Stdin(text)
    with contextlib.suppress(SystemExit):
        module.wrapped_function()
    printed_text = printed.getvalue()
    sys.stdout = output
    with open(result, "w", encoding="utf-8", newline="") as target:
        target.write(printed_text)
    leave(0)


class _Stdin:
    """Standard input since May 2025: `read` gives all of it each time, and it cannot be iterated."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = io.StringIO(text)
        self.buffer = _Buffer(text.encode())

    def read(self, *_: object) -> str:
        return self._text

    def readline(self, *size: int) -> str:
        return self._lines.readline(*size)

    def readlines(self, *_: object) -> list[str]:
        return self._text.split("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lines, name)


class _Buffer:
    """Its buffer: `read` gives all of it each time, `readline` the first line each time."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def read(self, *_: object) -> bytes:
        return self._content

    def readline(self, *_: object) -> bytes:
        return self._content.partition(b"\n")[0] + b"\n"


class _Printed(io.StringIO):
    """Collects what is printed. As in the official runner, its close needs an argument no caller passes."""

    close: Callable[..., None]

    def __init__(self) -> None:
        super().__init__()
        self.close = lambda x: None
