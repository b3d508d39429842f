"""The provenance of a run: which processes worked on it, when, where, with what versions."""

from __future__ import annotations

import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import harness
from harness.credentials import without_credentials
from harness.errors import DataError
from harness.stats.cost import Price
from harness.storage.manifest import Start
from harness.storage.run_folder import MANIFEST, RunFolder


def next_start(path: Path) -> int:
    """The number of this process start in a run folder, from 0 for a new one.

    Raises:
        DataError: a folder that holds samples and no manifest.
    """
    if not (path / MANIFEST).exists():
        if any(path.glob("*/samples.jsonl")):
            raise DataError(
                f"{path} has samples but no {MANIFEST}, so it is not a complete run folder; restore "
                "the manifest, or use another -o folder"
            )
        return 0
    return len(RunFolder(path).manifest().starts)


def start_record(
    *, seed: int | None = None, engine_seed: int | None = None, price: Price | None = None
) -> Start:
    """Describe this process start: time, host, command, versions, commit; its seeds and price."""
    return Start(
        time=time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        host=socket.gethostname(),
        command=tuple(map(without_credentials, sys.argv[1:])),
        python=platform.python_version(),
        platform=platform.platform(),
        harness=harness.__version__,
        git=_git_revision(),
        seed=seed,
        engine_seed=engine_seed,
        price=price,
    )


def _git_revision() -> str | None:
    """Commit of the harness's own checkout, if it is one."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    folder = Path(harness.__file__).parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        result = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()
