"""The settings of a nightly evaluation, from its YAML file. Checked once, here."""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from harness.points import MARGIN
from harness.stats.nights import NIGHTS_PER_MONTH
from harness.storage.nights import Checkpoint
from harness.workflows.checkpoints import NAME_FIELDS
from harness.workflows.run_settings import (
    Options,
    Points,
    RunSettings,
    by_field,
    check,
    read_config,
)

_ITS_OWN = ("model", "output", "until", "base", "margin", "allocate", "history")


class NightSettings(BaseModel):
    """A nightly configuration. Paths are relative to where the command is run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    checkpoints: tuple[str, ...] = Field(min_length=1)
    run: Options
    runs: Path = Path("runs")
    name: str = "{checkpoint}"
    margin: Points = MARGIN
    until: Literal["decided"] | None = None
    allocate: Literal["uniform", "history"] = "uniform"
    false_alarms_per_month: float = Field(1.0, gt=0, le=NIGHTS_PER_MONTH)
    allow: tuple[str, ...] = ()
    fail_on_rise: bool = False
    site: Path | None = None

    @field_validator("checkpoints", "allow", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value

    @field_validator("run")
    @classmethod
    def _not_what_the_night_sets(cls, value: Options) -> Options:
        value = by_field(value)
        for name in _ITS_OWN:
            if name in value:
                place = "a setting beside run" if name in cls.model_fields else "set for each run"
                raise ValueError(f"{name} does not belong here: it is {place}")
        return value

    @field_validator("name")
    @classmethod
    def _known_fields(cls, value: str) -> str:
        used = [field for _, field, *_ in Formatter().parse(value) if field is not None]
        unknown = [field for field in used if field not in NAME_FIELDS]
        if unknown:
            known = ", ".join(f"{{{name}}}" for name in NAME_FIELDS)
            raise ValueError(f"there is no field {{{unknown[0]}}}; there are {known}")
        return value


def read_night(config: Path, *, take_over: bool | None = None) -> NightSettings:
    """Read and check a configuration, the settings of its runs included.

    Args:
        config: the YAML file.
        take_over: of its runs, in place of what the file says.

    Raises:
        UsageError: an unknown name or a bad value; the message names it.
        DataError: the file cannot be read.
    """
    settings = check(NightSettings, read_config(config), config)
    if take_over is not None:
        settings = settings.model_copy(update={"run": {**settings.run, "take_over": take_over}})
    run_settings(settings, Checkpoint(Path("checkpoint"), "run"), config)
    return settings


def run_settings(
    settings: NightSettings, checkpoint: Checkpoint, config: Path | None = None
) -> RunSettings:
    """The settings of `harness run` for this checkpoint, without early stopping."""
    given = {
        "model": str(checkpoint.path),
        "output": settings.runs / checkpoint.run,
        "allocate": settings.allocate,
    }
    return check(RunSettings, {**settings.run, **given}, config, prefix="run: ")
