"""Earlier sweeps whose lines stand beside those of a new one, in its figure of accuracy over tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError, ProtocolMismatch, UsageError
from harness.protocol import SERVER_SAMPLING, Protocol, differences
from harness.stats.effects import Effect
from harness.storage.files import Json
from harness.storage.rows import read_row
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


@dataclass(frozen=True, slots=True)
class _Document:
    model: str
    effects: tuple[Effect, ...]


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
    if not file.exists():
        raise DataError(
            f"--beside {path}: {file} is missing; name the folder of a sweep that has ended"
        )
    again = "the sweep's own command writes it again from the stored samples"
    document = read_row(file, _Document, upgrade=_document_row, fix=again)
    stored = {folder.name: folder.protocol() for folder in RunFolder(path / BASE).tasks()}
    _check(path, stored, planned)
    common = {name: protocol for name, protocol in stored.items() if name in planned}
    return FinishedSweep(
        path, document.model, tuple(e for e in document.effects if e.task in common), common
    )


def _document_row(row: Json) -> Json:
    """What stands beside another sweep, of all that sweep.json holds; a claim follows from the rest."""
    effects = [{name: value for name, value in effect.items() if name != "claim"}
               for effect in row["effects"]]  # fmt: skip
    return {"model": row["model"], "effects": effects}


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
