"""A run that is killed again and again still ends complete, with nothing lost or done twice."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from harness.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
TASKS = "practice_integer,practice_math,practice_choice"


def whole_lines(path: Path) -> bytes:
    """The part of an append-only file that a kill cannot take back."""
    data = path.read_bytes() if path.exists() else b""
    return data[: data.rfind(b"\n") + 1]


def stored(run: Path) -> int:
    """Bytes of samples on disk."""
    return sum(path.stat().st_size for path in run.glob("*/samples.jsonl"))


@pytest.mark.parametrize(
    "kills",
    [pytest.param(3, marks=pytest.mark.slow), pytest.param(10, marks=pytest.mark.exhaustive)],
)
def test_kills_at_random_moments_lose_nothing(kills: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    command = [
        sys.executable, "-m", "harness", "run", "--model", "examples/practice-model/late",
        "--tasks", TASKS, "--k", "8", "-o", str(run), "--engine-arg", "batch_size=16",
    ]  # fmt: skip
    rng = random.Random(7)
    kept: dict[str, bytes] = {}
    for kill in range(kills):
        process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
        before, deadline = stored(run), time.monotonic() + 60
        # Two of three kills fall into sampling and grading, the others into the start.
        while kill % 3 and stored(run) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 3.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        for path in run.glob("*/samples.jsonl"):
            now = whole_lines(path)
            assert now.startswith(kept.get(path.parent.name, b""))
            kept[path.parent.name] = now
    subprocess.run(command, cwd=ROOT, check=True)
    for folder in RunFolder(run).tasks():
        due = {(id, index) for id in folder.problems() for index in range(8)}
        for rows in ([s.key for s in folder.samples()], [g.key for g in folder.grades()]):
            assert set(rows) == due
            assert Counter(rows).most_common(1)[0][1] == 1
        assert (folder.path / "samples.jsonl").read_bytes().startswith(kept.get(folder.name, b""))
        assert folder.scores().complete
    assert sum(map(len, kept.values())) > 0
