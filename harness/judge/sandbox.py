"""Starts the sandbox: bubblewrap, the interpreter inside it, and the files of the host that it sees.

    /usr, the library folders   read-only, from the host
    /judge                      the files of `harness.judge.inside`, the header folder for C++
    /judge/python, /judge/site  an interpreter that is not in /usr, and its numpy
    /proc, /dev                 its own; /tmp is fresh for every test case

Nothing else: no home, no data, and of /etc only the linker's cache and the alternatives' links.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from harness.errors import HarnessError, UsageError
from harness.judge import seccomp

NOBODY = 65534
INSIDE_UID = 1000
PCH_FD = 200
HEADERS = "/judge/include"

_MISSING = (
    "the judge needs bubblewrap to run programs of a model, and bwrap is not on the PATH: "
    "apt-get install bubblewrap (--unsafe-judge runs them without a sandbox, with limits alone)"
)
_BROKEN = (
    "bubblewrap cannot make a sandbox here ({reason}): user namespaces must be allowed "
    "(sysctl kernel.unprivileged_userns_clone, user.max_user_namespaces, "
    "kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp profile)"
)
_MODULES = (
    "__init__", "channel", "ending", "livecodebench", "memory", "program", "server", "syscalls",
    "usage", "watcher",
)  # fmt: skip
_ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONNOUSERSITE": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_PROBE = """
import importlib.metadata, importlib.util, json, os, sys
found = importlib.util.find_spec("numpy")
print(json.dumps({
    "prefix": sys.base_prefix,
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "version": sys.version.split()[0],
    "suits": sys.version_info >= (3, 10),
    "numpy": os.path.dirname(found.origin) if found and found.origin else None,
    "numpy_version": importlib.metadata.version("numpy") if found else None,
}))
"""
# Programs recurse deeply, and the limit of the stack takes effect when a process is exec'd.
_WITH_STACK = 'ulimit -s unlimited 2>/dev/null || ulimit -s "$(ulimit -H -s)"; exec "$@"'
_SYSTEM_PYTHON = "/usr/bin/python3"
_START_SECONDS = 60.0
_TMP = "/tmp"  # noqa: S108
_LINKS = {
    "/dev/fd": "/proc/self/fd",
    "/dev/stdin": "/proc/self/fd/0",
    "/dev/stdout": "/proc/self/fd/1",
    "/dev/stderr": "/proc/self/fd/2",
    "/dev/shm": _TMP,  # noqa: S108
    f"{HEADERS}/bits/stdc++.h.gch": f"/proc/self/fd/{PCH_FD}",
}


class JudgeUnavailable(HarnessError):
    """The sandbox cannot be made on this machine. Nothing weaker takes its place."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Interpreter:
    """The Python that runs programs: its executable, prefix, and the folder of its numpy."""

    executable: str
    prefix: str
    version: str
    numpy: str | None
    numpy_version: str | None


def as_sandbox_user() -> dict[str, Any]:
    """Arguments of Popen that turn real root into an unprivileged user before anything else."""
    if os.geteuid() == 0:
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return {}


@functools.cache
def interpreter(python: str | None = None) -> Interpreter:
    """The interpreter of the judge: `python` if given, else the running one, else the system's.

    Raises:
        UsageError: `python` does not run as the sandbox's user.
        JudgeUnavailable: none does.
    """
    tried = []
    for candidate in [python] if python else [sys.executable, _SYSTEM_PYTHON]:
        try:
            done = subprocess.run(
                [candidate, "-c", _PROBE], cwd="/", env={"PATH": _ENVIRONMENT["PATH"]},
                capture_output=True, text=True, timeout=60, **as_sandbox_user(),
            )  # fmt: skip
            found = json.loads(done.stdout)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            tried.append(f"{candidate}: {error}")
            continue
        if not found.pop("suits"):
            tried.append(f"{candidate}: Python 3.10 or later is needed")
            continue
        return Interpreter(**found)
    what = "; ".join(tried)
    if python:
        raise UsageError(f"the judge's interpreter does not run as the sandbox's user: {what}")
    raise JudgeUnavailable(
        f"no interpreter that the sandbox's user can run ({what}): apt-get install python3, "
        "or name one with --judge-python"
    )


@dataclass(slots=True)
class Sandbox:
    """A running sandbox: its process, and the channel to its fork server."""

    process: subprocess.Popen[bytes]
    channel: socket.socket
    log: IO[bytes]
    folder: Path | None

    def close(self) -> None:
        """Stop it: the server exits when its channel closes, and takes all processes with it."""
        self.channel.close()
        try:
            self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def last_log_line(self) -> str:
        """The last line that bubblewrap or the fork server wrote to standard error."""
        self.log.seek(0)
        lines = self.log.read()[-4000:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no reason given"


def start(*, python: str | None = None, unsafe: bool = False, numpy: bool = False) -> Sandbox:
    """Start a sandbox and wait until its fork server is ready.

    Args:
        python: see `interpreter`.
        unsafe: no sandbox, only the fork server with resource limits.
        numpy: import numpy in the fork server.

    Raises:
        JudgeUnavailable: bubblewrap, user namespaces, libseccomp or an interpreter are missing.
    """
    found = interpreter(python)
    bwrap = shutil.which("bwrap")
    if bwrap is None and not unsafe:
        raise JudgeUnavailable(_MISSING)
    here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    folder = _unpacked() if unsafe else None
    files = [_file(b"" if unsafe else seccomp.compiled())]
    server = _server(found, there.fileno(), files[0].fileno(), folder)
    server += ["numpy"] if numpy else []
    if folder is None and bwrap is not None:
        names = [f"/judge/harness/judge/inside/{name}.py" for name in _MODULES]
        files += [_file(_inside(name)) for name in _MODULES]
        fds = dict(zip(names, (file.fileno() for file in files[1:]), strict=True))
        server = [*_bwrap(bwrap, found, fds), *server]
    log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the sandbox)
    process = subprocess.Popen(
        ["/bin/sh", "-c", _WITH_STACK, "sh", *server],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log, cwd="/",
        env={} if folder is None else _environment(found, folder), start_new_session=True,
        pass_fds=[there.fileno(), *(file.fileno() for file in files)], **as_sandbox_user(),
    )  # fmt: skip
    there.close()
    for file in files:
        file.close()
    sandbox = Sandbox(process, here, log, folder)
    here.settimeout(_START_SECONDS)
    try:
        answer = here.recv(1 << 16)
    except OSError:
        answer = b""
    if not answer:
        sandbox.process.kill()
        reason = sandbox.last_log_line()
        sandbox.close()
        raise JudgeUnavailable(_BROKEN.format(reason=reason))
    return sandbox


def _inside(name: str) -> bytes:
    return (Path(__file__).parent / "inside" / f"{name}.py").read_bytes()


def _file(content: bytes) -> IO[bytes]:
    file = os.fdopen(os.memfd_create("judge"), "w+b")
    file.write(content)
    file.flush()
    file.seek(0)
    return file


def _unpacked() -> Path:
    """A folder with the server's files, for a server without a sandbox."""
    folder = Path(tempfile.mkdtemp(prefix="harness-judge-"))
    inside = folder / "harness" / "judge" / "inside"
    inside.mkdir(parents=True)
    for name in _MODULES:
        (inside / f"{name}.py").write_bytes(_inside(name))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755)
    return folder


def _environment(found: Interpreter, folder: Path) -> dict[str, str]:
    paths = [str(folder)]
    if found.numpy and not found.numpy.startswith((f"{found.prefix}/",)):
        paths.append(str(Path(found.numpy).parent))
    return {**_ENVIRONMENT, "PYTHONPATH": ":".join(paths)}


def _server(found: Interpreter, channel: int, rules: int, folder: Path | None) -> list[str]:
    executable = found.executable
    if folder is None and not executable.startswith("/usr/"):
        executable = f"/judge/python/{Path(executable).relative_to(found.prefix)}"
    kind = "isolated" if folder is None else "unsafe"
    return [executable, "-s", "-m", "harness.judge.inside.server", str(channel), kind, str(rules)]


def _bwrap(bwrap: str, found: Interpreter, files: dict[str, int]) -> list[str]:
    """The bubblewrap command line that goes before the command to run inside."""
    environment = {**_ENVIRONMENT, "PYTHONPATH": "/judge:/judge/site"}
    binds: list[str] = []
    if not found.executable.startswith("/usr/"):
        binds += ["--ro-bind", found.prefix, "/judge/python"]
        environment["LD_LIBRARY_PATH"] = "/judge/python/lib"
    if found.numpy and not found.numpy.startswith(("/usr/", f"{found.prefix}/")):
        for folder in (found.numpy, f"{found.numpy}.libs"):
            binds += ["--ro-bind-try", folder, f"/judge/site/{Path(folder).name}"]
    for path, fd in files.items():
        binds += ["--ro-bind-data", str(fd), path]
    for name, value in environment.items():
        binds += ["--setenv", name, value]
    return [
        bwrap, "--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts",
        "--unshare-cgroup-try", "--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID),
        "--hostname", "judge", "--cap-drop", "ALL", "--cap-add", "CAP_SYS_ADMIN",
        "--cap-add", "CAP_NET_ADMIN",
        "--proc", "/proc", "--dir", _TMP, *_system(), *binds, "--remount-ro", "/", "--chdir", "/",
    ]  # fmt: skip


def _system() -> list[str]:
    """The bubblewrap arguments for the parts of the host's system that the sandbox sees."""
    command = ["--ro-bind", "/usr", "/usr"]
    for folder in ("/bin", "/lib", "/lib32", "/lib64", "/libx32"):
        if Path(folder).is_symlink():
            command += ["--symlink", str(Path(folder).readlink()), folder]
        elif Path(folder).is_dir():
            command += ["--ro-bind", folder, folder]
    for path in ("/etc/ld.so.cache", "/etc/alternatives"):
        command += ["--ro-bind-try", path, path]
    for device in ("null", "zero", "full", "random", "urandom"):
        command += ["--dev-bind", f"/dev/{device}", f"/dev/{device}"]
    for name, target in _LINKS.items():
        command += ["--symlink", target, name]
    return command
