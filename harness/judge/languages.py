"""The languages of submissions: how a program in each is compiled and run."""

from __future__ import annotations

import functools
import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError, UsageError
from harness.judge.sandbox import HEADERS

SOURCE = "solution.cpp"
"""The file that is compiled."""


@dataclass(frozen=True, slots=True)
class Python:
    """Python 3: the program is run by the judge's own interpreter, imports done."""

    name: str = "python"
    compiled: bool = False


@dataclass(frozen=True, slots=True)
class Cpp:
    """C++, by g++ in the sandbox, with bits/stdc++.h compiled beforehand."""

    name: str
    standard: str
    compiled: bool = True

    @property
    def flags(self) -> tuple[str, ...]:
        """The flags of program and header alike: g++ ignores a header compiled with other ones."""
        return (f"-std={self.standard}", "-O2")

    def compiler(self) -> str:
        """The path of g++.

        Raises:
            HarnessError: it is not installed.
        """
        found = shutil.which("g++", path="/usr/local/bin:/usr/bin:/bin")
        if found is None:
            raise HarnessError(
                "C++ submissions need g++, which is not installed: apt-get install g++"
            )
        return found

    def command(self, defines: Sequence[str] = ()) -> tuple[str, ...]:
        """Compile the source to the file `program`, with macros defined.

        The compiled header is used all the same: it knows none of their names.
        """
        return (
            self.compiler(), *self.flags, *(f"-D{name}" for name in defines), "-I", HEADERS, "-fdiagnostics-color=never",
            "-fmax-errors=3", SOURCE, "-o", "program",
        )  # fmt: skip

    def header_command(self) -> tuple[str, ...]:
        """Compile bits/stdc++.h to the file `header`."""
        return (self.compiler(), *self.flags, "-x", "c++-header", SOURCE, "-o", "header")

    def header_key(self) -> str:
        """A digest of what the compiled header depends on: compiler and flags."""
        compiler = Path(self.compiler()).resolve()
        text = f"{_compiler_version(str(compiler))} {compiler.stat().st_mtime_ns} {self.flags}"
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@functools.cache
def _compiler_version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout


HEADER_SOURCE = b"#include <bits/stdc++.h>\n"

LANGUAGES: Mapping[str, Python | Cpp] = {
    "python": Python(),
    "cpp": Cpp("cpp", "gnu++17"),
    "cpp20": Cpp("cpp20", "gnu++20"),
}


def language(name: str) -> Python | Cpp:
    """The language with a name of `LANGUAGES`.

    Raises:
        UsageError: there is none.
    """
    try:
        return LANGUAGES[name]
    except KeyError:
        known = ", ".join(LANGUAGES)
        raise UsageError(f"language {name!r}: there are {known}") from None
