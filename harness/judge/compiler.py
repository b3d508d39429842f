"""Compiles C++ in the sandbox, with a precompiled bits/stdc++.h and a cache of programs."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from harness.errors import HarnessError
from harness.judge.languages import HEADER_SOURCE, SOURCE, Cpp
from harness.judge.run_case import PROCESSES, wall_limit
from harness.judge.submission import Submission
from harness.judge.worker import Job, JobResult, Worker, encoded, sealed, sealed_fd
from harness.types import Limits

COMPILER = Limits(cpu_seconds=20.0, memory_mib=2048)
_COMPILER_OUTPUT = 512 << 20
_BINARIES = 32  # compiled programs kept in memory
_DETAIL = 300


class CannotCompile(Exception):
    """The compiler refused a program; the message says why."""


class Compiler:
    """Compiles programs, and keeps the last 32 by source and flags, and the compiled headers.

    Args:
        cache: a folder that keeps the headers for other processes; the user's cache by default.
    """

    def __init__(self, cache: Path | None) -> None:
        self._cache = cache or _cache_folder()
        self._lock = threading.Lock()
        self._binaries: OrderedDict[str, int] = OrderedDict()
        self._headers: dict[str, int] = {}

    def close(self) -> None:
        """Free the compiled programs and headers."""
        for fd in (*self._binaries.values(), *self._headers.values()):
            os.close(fd)
        self._binaries.clear()
        self._headers.clear()

    def binary(self, worker: Worker, language: Cpp, submission: Submission) -> int:
        """A descriptor of the compiled program, from the cache if it holds it; the caller closes it.

        Raises:
            CannotCompile: the compiler refuses the program.
            HarnessError: there is no compiler, or it cannot compile its own headers.
        """
        text = encoded(submission.source)
        command = language.command(submission.defines)
        key = hashlib.sha256(repr(command).encode() + text).hexdigest()
        with self._lock:
            known = self._binaries.get(key)
            if known is not None:
                self._binaries.move_to_end(key)
                return os.dup(known)
            header = self._header(worker, language)
        result = _compile(worker, command, text, "program", header)
        if result.status != 0 or not result.output:
            raise CannotCompile(_compiler_says(result))
        with self._lock:
            if key not in self._binaries:
                self._binaries[key] = sealed_fd(result.output)
            while len(self._binaries) > _BINARIES:
                os.close(self._binaries.popitem(last=False)[1])
            return os.dup(self._binaries[key])

    def _header(self, worker: Worker, language: Cpp) -> int:
        """The descriptor of the compiled header: of this process, of the cache, or compiled now.

        Raises:
            HarnessError: the compiler cannot compile it.
        """
        key = language.header_key()
        if key in self._headers:
            return self._headers[key]
        path = self._cache / f"{key}.gch"
        with suppress(OSError):
            self._headers[key] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if key not in self._headers:
            result = _compile(worker, language.header_command(), HEADER_SOURCE, "header", None)
            if result.status != 0 or not result.output:
                raise HarnessError(f"g++ cannot compile its headers: {_compiler_says(result)}")
            self._headers[key] = sealed_fd(result.output)
            _store(path, result.output)
        return self._headers[key]


def _compile(
    worker: Worker, command: Sequence[str], source: bytes, product: str, header: int | None
) -> JobResult:
    with sealed(source) as stdin:
        return worker.run(
            Job(
                mode="exec", program=stdin, stdin=stdin, cpu=COMPILER.cpu_seconds,
                wall=wall_limit(COMPILER),
                memory=COMPILER.memory_mib << 20, output=_COMPILER_OUTPUT, processes=PROCESSES,
                disk=_COMPILER_OUTPUT, argv=command, files=((SOURCE, stdin),), collect=product, kept=header,
            )
        )  # fmt: skip


def _compiler_says(result: JobResult) -> str:
    if result.ended != "exit":
        return (
            f"the compiler used more than {COMPILER.cpu_seconds:g} s or {COMPILER.memory_mib} MiB"
        )
    lines = result.stderr.decode(errors="replace").splitlines()
    errors = [line for line in lines if "error" in line] or lines
    return (errors[0] if errors else "the compiler failed")[:_DETAIL]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "reasoning-harness" / "judge"


def _store(path: Path, content: bytes) -> None:
    """Keep a compiled header for other processes, where the cache can be written."""
    part = path.with_suffix(f".{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
