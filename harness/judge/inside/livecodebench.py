"""LiveCodeBench's own way to run a program, quirks included, for scores comparable to published ones.

The program is wrapped into a function and called with strings for standard input and output; what
threads print after the call is lost. The behaviour is that of
lcb_runner/evaluation/testing_util.py in github.com/LiveCodeBench/LiveCodeBench at 15808c7, except
that its alarm of six seconds is a limit of CPU time here.
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


def run(code: types.CodeType, result: int) -> NoReturn:
    """Call the wrapped program under the mocks, and write its output to the descriptor `result`."""
    inputs = sys.stdin.read()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # as in a worker of multiprocessing
    leave = os._exit
    restrict()
    module = types.ModuleType("tmp_sol", "")
    exec(code, module.__dict__)  # noqa: S102
    output, printed = sys.stdout, _Printed()
    given = sys.stdin
    # The official runner patches readline, readlines and read on the stream that it then replaces:
    # programs see a plain StringIO, without a buffer.
    sys.stdout, sys.stdin = printed, io.StringIO(inputs)
    with contextlib.suppress(SystemExit):
        module.wrapped_function()
    text = printed.getvalue()
    sys.stdout, sys.stdin = output, given
    with open(result, "w", encoding="utf-8", newline="") as target:
        target.write(text)
    leave(0)


class _Printed(io.StringIO):
    """Collects what is printed. As in the official runner, its close needs an argument no caller passes."""

    close: Callable[..., None]

    def __init__(self) -> None:
        super().__init__()
        self.close = lambda x: None
