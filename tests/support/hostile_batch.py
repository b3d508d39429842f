"""A batch of programs, hostile and honest, and what is left when they have ended.

    python -m tests.support.hostile_batch [--data FOLDER] [--rounds N]

Judges every program, one JSON line each that did not become what is due, and one for each thing
that is left behind; exits 1 if there is any line. It is a module of its own so that an ordinary user can run it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.judge import Judge, Submission, sandbox
from harness.types import Limits, TestCase, Verdict
from tests.support import hostile, idioms, programs

TESTS = (TestCase("1 2 3\n", "6\n"),)
LIMITS = Limits(cpu_seconds=1.0, memory_mib=256)
AMPLE = Limits(cpu_seconds=5.0, memory_mib=256)  # for what is not of time
FURTHER = 60
"""Further honest programs, of the idioms: any verdict but `error` is due."""


@dataclass(frozen=True, slots=True)
class Item:
    """A program, its tests, and the verdict due: a name, or "any_but_accepted", or "any"."""

    name: str
    submission: Submission
    due: str
    tests: Sequence[TestCase] = TESTS
    limits: Limits = AMPLE


def batch(data: Path | None) -> list[Item]:
    """All programs: of this package, and of the data where there is any."""
    found = [
        Item(f"{due}: {name}", Submission(source), due, limits=_limits(due))
        for due, kinds in (*programs.FAILED.items(), *hostile.KINDS.items())
        for name, source in kinds.items()
    ]
    found += [
        Item(name, Submission(source), "correct") for name, source in programs.ACCEPTED.items()
    ]
    every = list(idioms.programs().items())
    found += [
        Item(name, Submission(source), "any")
        for name, source in every[:: max(1, len(every) // FURTHER)]
    ]
    return found + list(_of_the_data(data))


def _limits(due: str) -> Limits:
    return LIMITS if due == "time_limit" else AMPLE


def _of_the_data(data: Path | None) -> Iterator[Item]:
    path = data / "judge_programs.jsonl" if data else None
    if path is None or not path.is_file():
        return
    for line in path.read_text().splitlines():
        row = json.loads(line)
        due = row["expected"].replace("accepted", "correct")
        due = row["expected"] if row["expected"] == "any_but_accepted" else due
        tests = [TestCase(row["stdin"], row["expected_output"], row.get("fn_name"))]
        program = Submission(row["source"], row["language"])
        yield Item(row["name"], program, due, tests, Limits(2.0, 512))


def suits(verdict: Verdict, due: str) -> bool:
    """Whether a verdict is the one due; `error` never is."""
    if verdict is Verdict.ERROR:
        return False
    if due == "any_but_accepted":
        return verdict is not Verdict.CORRECT
    return due in ("any", verdict)


def left_behind() -> dict[str, list[str]]:
    """What could be left of programs: processes below this one, mounts, IPC objects, files, cgroups.

    Of what the whole machine shares, what belongs to the user that programs run as.
    """
    owner = sandbox.NOBODY if os.geteuid() == 0 else os.geteuid()
    return {
        "processes": sorted(_below(os.getpid())),
        "mounts": Path("/proc/self/mountinfo").read_text().splitlines(),
        "ipc": sorted(_ipc_of(owner)),
        "shared memory": _files_of(owner, Path("/dev/shm")),
        "files": _files_of(owner, Path(tempfile.gettempdir())),
        "descriptors": sorted(os.listdir("/proc/self/fd")),  # noqa: PTH208
        "cgroups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob("*/*/") if path.is_dir()),
    }  # fmt: skip


def _files_of(owner: int, folder: Path) -> list[str]:
    found = []
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_uid == owner:
                found.append(path.name)
    return sorted(found)


def _ipc_of(owner: int) -> Iterator[str]:
    for kind in ("shm", "sem", "msg"):
        heads, *lines = Path(f"/proc/sysvipc/{kind}").read_text().splitlines()
        column = heads.split().index("uid")
        yield from (f"{kind} {line}" for line in lines if int(line.split()[column]) == owner)


def _below(root: int) -> set[str]:
    found: set[str] = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:
            continue
        if int(text.rpartition(")")[2].split()[1]) == root:
            found |= {text.split(" (")[0] + " " + text.split("(")[1].split(")")[0]}
            found |= _below(int(text.split()[0]))
    return found


def failures(items: Sequence[Item], workers: int = 2) -> list[dict[str, object]]:
    """What did not become what is due, and what is left behind."""
    before = left_behind()
    with Judge(workers=workers) as judge, ThreadPoolExecutor(workers) as pool:

        def judged(item: Item) -> dict[str, object] | None:
            started = time.monotonic()
            result = judge.judge(item.submission, item.tests, item.limits)
            if suits(result.verdict, item.due):
                return None
            return {"name": item.name, "due": item.due, "verdict": result.verdict.value,
                    "detail": result.detail, "seconds": time.monotonic() - started}  # fmt: skip

        found = [row for row in pool.map(judged, items) if row is not None]
    time.sleep(0.5)  # the last processes reach their parent
    after = left_behind()
    for kind, things in after.items():
        found += [{"left": kind, "thing": thing} for thing in things if thing not in before[kind]]
    return found


def main() -> None:
    """Judge the batch and print what is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    items = batch(options.data)
    sys.stderr.write(f"{len(items)} programs as user {os.geteuid()}\n")
    wrong = 0
    for _ in range(options.rounds):
        for row in failures(items):
            wrong += 1
            sys.stdout.write(json.dumps(row) + "\n")
    raise SystemExit(wrong > 0)


if __name__ == "__main__":
    main()
