"""The judge's self-test: small hostile programs (canaries) that must fail on this machine.

Each prints what it managed to do, or "nothing"; limits are checked by the verdict that must follow.
"""

from __future__ import annotations

import shutil
import socket
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.judge.submission import Submission
from harness.judge.supervisor import Judge
from harness.types import Limits, TestCase, Verdict

_LIMITS = Limits(cpu_seconds=1.0, memory_mib=256)


@dataclass(frozen=True, slots=True)
class Canary:
    """One hostile program: what it tries, its source, and the expected verdict."""

    tries: str
    source: str
    expected: Verdict = Verdict.CORRECT


CANARIES = (
    Canary(
        "read files of this machine",
        """
import os
found = [path for path in PATHS if os.path.exists(path)]
print(found or "nothing")
""",
    ),
    Canary(
        "connect to this machine",
        """
import socket
done = []
for family, address in ((socket.AF_INET, ("127.0.0.1", PORT)), (40, (2, PORT))):
    try:
        with socket.socket(family) as s:
            s.settimeout(0.3)
            s.connect(address)
            done.append(family)
    except OSError:
        pass
print(done or "nothing")
""",
    ),
    Canary(
        "gain rights, or look into the judge",
        """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
done = []
if libc.unshare(0x10000000) == 0:
    done.append("user namespace")
if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0:
    done.append("mount")
if libc.ptrace(16, os.getppid(), 0, 0) == 0:
    done.append("ptrace")
for path in ("/proc/1/mem", "/proc/1/environ"):
    try:
        open(path, "rb").close()
        done.append(path)
    except OSError:
        pass
print(done or "nothing")
""",
    ),
    Canary(
        "leave something behind",
        """
import os, time
for folder in ("/tmp", "/dev/shm", "/usr", "/judge", "/"):
    try:
        open(folder + "/left", "w").close()
    except OSError:
        pass
if os.fork() == 0:
    os.setsid()
    time.sleep(100)
print("nothing")
""",
    ),
    Canary(
        "find what another program left",
        """
import os
left = [f for f in ("/tmp", "/dev/shm", "/usr", "/judge", "/") if os.path.exists(f + "/left")]
others = [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid())]
print(left + others or "nothing")
""",
    ),
    Canary(
        "kill its judge",
        """
import os, resource
for pid in {-1, 1, os.getppid()} - {0}:  # 0 would be itself
    try:
        os.kill(pid, 9)
    except OSError:
        pass
try:
    resource.prlimit(1, resource.RLIMIT_NOFILE, (0, 0))
except OSError:
    pass
print("nothing")
""",
    ),
    Canary(
        "start processes without end",
        "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n",
        Verdict.TIME_LIMIT,
    ),
    Canary("take all memory", "x = [0] * (10 ** 11)\n", Verdict.MEMORY_LIMIT),
    Canary("write without end", "while True: print('x' * 100000)\n", Verdict.OUTPUT_LIMIT),
    Canary("run without end", "while True: pass\n", Verdict.TIME_LIMIT),
)


def check(*, python: str | None = None) -> list[tuple[bool, str]]:
    """Start the judge and run every canary: (passed, one line for the user) each."""
    try:
        with Judge(python=python) as judge:
            versions = judge.versions()
            found = [(True, f"judge: sandbox of bubblewrap, Python {versions['python']}")]
            found += _canaries(judge)
    except HarnessError as error:
        return [(False, f"judge: {error}")]
    numpy = versions["numpy"]
    missing = "no numpy for programs that import it: apt-get install python3-numpy"
    found.append((numpy is not None, f"judge: numpy {numpy}" if numpy else f"judge: {missing}"))
    compiler = shutil.which("g++")
    found.append((compiler is not None, f"judge: C++ by {compiler}" if compiler
                  else "judge: no C++ submissions: apt-get install g++"))  # fmt: skip
    return found


def _canaries(judge: Judge) -> list[tuple[bool, str]]:
    folders = (Path.home(), Path.cwd(), Path("/home"), Path("/root"), Path("/var"))
    paths = ["/etc/passwd", "/etc/hostname"]
    paths += [str(path) for path in folders if path.parts[1:2] not in ((), ("usr",), ("tmp",))]
    found = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        values = f"PATHS = {paths!r}\nPORT = {listener.getsockname()[1]}\n"
        for canary in CANARIES:
            program = Submission(values + canary.source)
            result = judge.judge(program, [TestCase("", "nothing\n")], _LIMITS)
            passed = result.verdict is canary.expected
            what = f"a program that tries to {canary.tries}"
            end = "fails" if passed else f"ends in {result.verdict}, not {canary.expected}"
            found.append((passed, f"judge: {what} {end}"))
    return found
