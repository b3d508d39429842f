"""Runs for a site over several days, and a way to build it without figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.reports.figures.style import Plot
from harness.types import Verdict
from tests.support.run_folders import WriteRun

C, W, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.ERROR
GOOD, BAD = [[C, C, C, W]] * 20, [[C, W, W, W]] * 20


def no_figures(*_: Any) -> Mapping[str, Sequence[Plot]]:
    """Run pages without figures, which have tests of their own."""
    return {}


def add(
    runs: Path, write_run: WriteRun, name: str, verdicts: Any, *, day: int, **options: Any
) -> Path:
    """A run in the folder of runs that began on a day of November."""
    made = write_run(verdicts, name=name, **options)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["starts"][0]["time"] = f"2026-11-{day:02}T06:00:00+0000"
    (made / "manifest.json").write_text(json.dumps(manifest))
    (runs / name).parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.move(made, runs / name))
