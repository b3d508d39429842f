"""Earlier sweeps whose lines stand beside those of a new one, in its figure of accuracy over tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from harness.errors import DataError, ProtocolMismatch, UsageError
from harness.protocol import SERVER_SAMPLING, Protocol, differences
from harness.stats.effects import Effect
from harness.storage.run_folder import RunFolder
from harness.workflows.sweep_config import BASE

SPENDING = ("effort", "reasoning_budget")
"""The parts of the protocol in which the bases may differ: both are what the figure is about."""


@dataclass(frozen=True, slots=True)
class FinishedSweep:
    """A sweep as its folder holds it: the model, every effect, and the base's protocols by task."""

    path: Path
    model: str
    effects: tuple[Effect, ...]
    protocols: Mapping[str, Protocol]


def read_finished(path: Path, planned: Mapping[str, Protocol]) -> FinishedSweep:
    """Read an earlier sweep and check that its scores may stand beside those of a new one.

    Args:
        path: its folder.
        planned: the protocols of the new sweep's base, by task.

    Raises:
        DataError: the folder holds no finished sweep, or one of an older version.
        UsageError: the two have no task in common.
        ProtocolMismatch: the bases differ in more than effort and budget.
    """
    file = path / "sweep.json"
    try:
        document = orjson.loads(file.read_bytes())
        model = str(document["model"])
        effects = tuple(Effect.from_json(row) for row in document["effects"])
    except OSError as error:
        raise DataError(
            f"--beside {path}: {file} cannot be read ({error.strerror}); name the folder of a sweep "
            "that has ended"
        ) from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"--beside {path}: {file} is damaged or of another version ({error}); the sweep's own "
            "command writes it again from the stored samples"
        ) from error
    stored = {folder.name: folder.protocol() for folder in RunFolder(path / BASE).tasks()}
    _check(path, stored, planned)
    common = {name: protocol for name, protocol in stored.items() if name in planned}
    return FinishedSweep(path, model, tuple(e for e in effects if e.task in common), common)


def _check(path: Path, stored: Mapping[str, Protocol], planned: Mapping[str, Protocol]) -> None:
    """Raise unless the tasks of both have one protocol but for what reasoning may spend."""
    if not stored.keys() & planned.keys():
        raise UsageError(
            f"--beside {path}: it has none of {', '.join(planned)}; it has {', '.join(stored)}"
        )
    for name in stored.keys() & planned.keys():
        found = differences(planned[name], stored[name])
        if wrong := [
            text for part, text in found.items() if part not in (*SPENDING, SERVER_SAMPLING)
        ]:
            raise ProtocolMismatch(
                f"--beside {path}: {name}: not the same protocol: {'; '.join(wrong)}"
            )


def names(sweeps: Sequence[tuple[Path, str]]) -> list[str]:
    """A name for each sweep: its model's, else its folder's, else its path; no two are the same.

    Args:
        sweeps: folder and model of each.
    """
    short = [Path(model).name for _, model in sweeps]
    if len(set(short)) == len(short):
        return short
    folders = [path.name for path, _ in sweeps]
    if len(set(folders)) == len(folders) and all(folders):
        return folders
    return [str(path) for path, _ in sweeps]
