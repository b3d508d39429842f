"""The configuration of a sweep: a base, and values of one factor at a time. Checked here.

base: {model: .., tasks: .., k: 8}         settings of `harness run`
vary:
  temperature: [0.3, 1.0]
  prompt: {terse: "{statement}"}           names for values too long for a folder name
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import UsageError
from harness.tasks.kinds import GRADERS
from harness.workflows.run_settings import Options, RunSettings, by_field, check, read_config

Factor = Literal[
    "temperature",
    "top_p",
    "prompt",
    "system_prompt",
    "max_tokens",
    "repetition_guard",
    "effort",
    "reasoning_budget",
    "choice_order",
    "extract",
    "scoring",
    "grader",
    "k",
]
"""What can be varied. `grader` takes a kind of answer, whose grader then grades the samples."""

FACTORS: tuple[Factor, ...] = get_args(Factor)
BASE = "base"
UNBOUNDED = "none"
"""A reasoning budget that is none, beside those that are."""

_TEXTS = ("prompt", "system_prompt")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


class SweepConfig(BaseModel):
    """The configuration file of a sweep."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: Options
    vary: dict[Factor, list[Any] | Options] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Variant:
    """The base with one value of one factor; `label` names the value, also in folder names."""

    factor: Factor
    label: str
    settings: RunSettings
    grader: str | None = None

    @property
    def name(self) -> str:
        """Its name in folders and reports: temperature=0.3."""
        return f"{self.factor}={self.label}"


def read_sweep(path: Path, output: Path, options: Options) -> tuple[RunSettings, list[Variant]]:
    """Read the base settings and the variants of a configuration file, in its order.

    Args:
        path: the file.
        output: the folder of the sweep.
        options: settings that override the file's base; None if not given.

    Raises:
        UsageError: an unknown name, an invalid value, or a value given twice.
        DataError: the file cannot be read.
    """
    config = check(SweepConfig, read_config(path), path)
    if "output" in config.base:
        raise UsageError(f"{path}: base.output: give the folder with -o DIR instead")
    given = {name: value for name, value in options.items() if value is not None}
    values = {**by_field(config.base), **given, "output": output / BASE}
    base = check(RunSettings, values, path, prefix="base.")
    if base.until is not None or base.base is not None or base.allocate != "uniform":
        raise UsageError(
            f"{path}: base.until, base.base and base.allocate: all values of a sweep need the same "
            "samples of each problem to be comparable; leave these out"
        )
    variants = [
        _variant(base, factor, label, value, output=output, path=path)
        for factor, given in config.vary.items()
        for label, value in _labelled(factor, given, path)
    ]
    seen: set[str] = set()
    for variant in variants:
        if variant.name in seen:
            raise UsageError(f"{path}: vary.{variant.factor} has {variant.label} twice")
        seen.add(variant.name)
    return base, variants


def _labelled(factor: Factor, given: list[Any] | Options, path: Path) -> Iterator[tuple[str, Any]]:
    if not given:
        raise UsageError(f"{path}: vary.{factor} has no value; list some, or leave it out")
    if isinstance(given, Mapping):
        for name, value in given.items():
            if not _NAME.fullmatch(str(name)):
                raise UsageError(
                    f"{path}: vary.{factor} {str(name)!r}: it names a folder, so use letters, "
                    "digits and . _ + - (at most 64)"
                )
            yield str(name), value
        return
    for value in given:
        yield _label(factor, value), value


def _label(factor: Factor, value: Any) -> str:
    """A value as a folder name: the value, a file's stem, or the hash of a text."""
    text = str(value)
    if type(value) is int and factor in ("temperature", "top_p"):
        return str(float(value))
    if factor not in (*_TEXTS, "effort") or (factor == "effort" and _NAME.fullmatch(text)):
        return text
    if text.startswith("@") and _NAME.fullmatch(Path(text[1:]).stem):
        return Path(text[1:]).stem
    return f"text-{hashlib.sha256(text.encode()).hexdigest()[:8]}" if text else "none"


def _variant(
    base: RunSettings, factor: Factor, label: str, value: Any, *, output: Path, path: Path
) -> Variant:
    place = f"vary.{factor}"
    if value is None:
        raise UsageError(f"{path}: {place} has an empty value; give one, or leave it out")
    if factor == "grader":
        if value not in GRADERS:
            raise UsageError(f"{path}: {place} {value!r}: there are {', '.join(GRADERS)}")
        return Variant(factor, label, base, value)
    changes = {factor: value, "output": output / f"{factor}={label}"}
    if factor == "reasoning_budget" and value == UNBOUNDED:
        changes[factor] = None
    if changes.get("temperature") == 0:
        changes["k"] = 1  # greedy decoding gives one sample
    settings = check(RunSettings, {**base.model_dump(), **changes}, path, prefix="vary.")
    return Variant(factor, label, settings)
