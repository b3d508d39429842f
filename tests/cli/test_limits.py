"""Limits of the process: told at the start with the number needed, or raised where the system allows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


def under(limit: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command under a limit of the shell's."""
    return subprocess.run(
        ["/bin/sh", "-c", f'ulimit {limit} && exec "$@"', "sh", sys.executable, "-m", "harness", *arguments],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        ("-n 24", "the limit of open files is 24, and at least 64 are needed: ulimit -n 1024"),
        (
            "-v 250000",
            "address space is 244 MiB, and at least 1,953 MiB are needed: ulimit -v 2000000",
        ),
    ],
)
@pytest.mark.parametrize("command", ["run", "grade", "import"])
def test_too_low_a_limit_is_one_line_before_anything_is_begun(
    limit: str, words: str, command: str, tmp_path: Path
) -> None:
    given = {"run": ["--model", "m", "--tasks", "practice_integer"], "grade": [str(tmp_path)],
             "import": ["f.jsonl", "--task", "math"]}[command]  # fmt: skip
    output = [] if command == "grade" else ["-o", str(tmp_path / "run")]
    done = under(limit, command, *given, *output)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert words in done.stderr
    assert not any(tmp_path.iterdir())


def test_what_only_reads_works_under_them_and_a_soft_limit_is_raised(tmp_path: Path) -> None:
    assert under("-n 24", "--help").returncode == 0
    rows = tmp_path / "r.jsonl"
    rows.write_text('{"id": "a", "statement": "s", "answer": "1", "response": "1"}\n')
    done = under("-S -n 24", "import", str(rows), "--task", "integer", "-o", str(tmp_path / "run"))
    assert done.returncode == 0, done.stderr
