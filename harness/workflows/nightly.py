"""Nightly: evaluate new checkpoints, hold each against the accepted baseline, keep the history.

    checkpoint -> run folder -> comparison with the accepted run of each task -> history.jsonl

RUNS/history.jsonl gets one line a checkpoint, see `Night.line`; a later line about the same run
replaces an earlier one. Nothing here moves the baseline: `harness.workflows.accept` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from string import Formatter
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.config import RunSettings, by_field, check, read_config
from harness.errors import DataError, ExamMismatch, HarnessError, Incomplete, Interrupted
from harness.files import Appender, read_lines
from harness.gate import Comparison, TaskComparison
from harness.runner import Observer, TaskRun
from harness.store import MANIFEST
from harness.types import Task
from harness.workflows.accept import CLOCK, Ledger
from harness.workflows.checkpoints import (
    NAME_FIELDS,
    Checkpoint,
    check_unchanged,
    content,
    find_checkpoints,
    is_new,
    name_runs,
)
from harness.workflows.compare import compare_runs
from harness.workflows.evaluate import evaluate

HISTORY = "history.jsonl"
_WORST_FIRST = (1, 70, 2, 3, 4, 5, 0)
_GIVEN_BY_THE_NIGHT = ("model", "output")


class NightSettings(BaseModel):
    """A nightly configuration. Paths are relative to where the command is run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoints: tuple[str, ...] = Field(min_length=1)
    run: dict[str, Any]
    runs: Path = Path("runs")
    name: str = "{checkpoint}"
    margin: float = Field(0.05, gt=0, lt=1)
    allow: tuple[str, ...] = ()
    fail_on_rise: bool = False
    site: Path | None = None

    @field_validator("checkpoints", "allow", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _known_fields(cls, value: str) -> str:
        used = [field for _, field, *_ in Formatter().parse(value) if field is not None]
        unknown = [field for field in used if field not in NAME_FIELDS]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in NAME_FIELDS)
            raise ValueError(f"there is no field {{{unknown[0]}}}; there are {known}")
        return value


def read_night(config: Path) -> NightSettings:
    """Read and check a configuration, the settings of its runs included.

    Raises:
        UsageError: an unknown name or a bad value; the message names it.
        DataError: the file cannot be read.
    """
    settings = check(NightSettings, read_config(config), config)
    settings = settings.model_copy(update={"run": by_field(settings.run)})
    run_settings(settings, Checkpoint(Path("checkpoint"), "run"), config)
    return settings


def run_settings(
    settings: NightSettings, checkpoint: Checkpoint, config: Path | None = None
) -> RunSettings:
    """What `harness run` would be told to evaluate this checkpoint."""
    given = {"model": str(checkpoint.path), "output": settings.runs / checkpoint.run}
    return check(RunSettings, {**settings.run, **given}, config, prefix="run: ")
