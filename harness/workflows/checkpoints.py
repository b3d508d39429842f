"""The checkpoints of a training run: where they are, in which order, and which are new.

A checkpoint is a folder with a config.json. It is new until RUNS/history.jsonl has a complete line
for its run; that line also shows whether the folder's files are still those that were evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from harness.engines.checkpoint import digest, weights_hash
from harness.errors import DataError, ProtocolMismatch, UsageError
from harness.storage.nights import CLOCK, Checkpoint, HistoryLine

NAME_FIELDS = ("checkpoint", "parent", "content")
_SMALL = ("*.json", "*.jinja", "*.model", "*.txt")  # what stands beside the weights


def find_checkpoints(patterns: Sequence[str]) -> list[Path]:
    """Find the model folders that paths, folders and globs name, for each pattern oldest first.

    If every path of a pattern has a number, the last number gives the order (step-900 before
    step-1000); otherwise the time at which config.json was written does.

    Raises:
        DataError: a pattern names no model folder.
    """
    found: dict[Path, Path] = {}  # links to one folder count once
    for pattern in patterns:
        folders = {folder for place in _places(Path(pattern)) for folder in _model_folders(place)}
        if not folders:
            raise DataError(f"checkpoints: {pattern!r} names no folder with a config.json in it")
        for folder in oldest_first(folders):
            found.setdefault(folder.resolve(), folder)
    return list(found.values())


def _places(pattern: Path) -> list[Path]:
    """The path itself if it exists, otherwise what it matches as a glob."""
    if pattern.exists() or not set("*?[") & set(str(pattern)):
        return [pattern]
    return list(Path(pattern.anchor).glob(str(pattern.relative_to(pattern.anchor))))


def _model_folders(place: Path) -> list[Path]:
    if (place / "config.json").is_file():
        return [place]
    return [config.parent for config in place.rglob("config.json")]


def oldest_first(folders: set[Path]) -> list[Path]:
    """Sort by the last number in the path if all have one, otherwise by time; ties by name."""
    numbers = {folder: re.findall(r"\d+", str(folder)) for folder in folders}
    numbered = all(numbers.values())

    def order(folder: Path) -> tuple[float, float, str]:
        number = int(numbers[folder][-1]) if numbered else 0
        return number, (folder / "config.json").stat().st_mtime, str(folder)

    return sorted(folders, key=order)


def name_runs(paths: Sequence[Path], pattern: str) -> list[Checkpoint]:
    """Give each checkpoint's run its name.

    Raises:
        UsageError: a name is not a folder below `runs`, or two checkpoints get the same one.
    """
    named: dict[str, Path] = {}
    for path in paths:
        name = _name(path, pattern)
        if name in named:
            raise UsageError(
                f"name {pattern!r}: {named[name]} and {path} would both be the run {name!r}; "
                "a pattern such as '{parent}-{checkpoint}' tells them apart"
            )
        named[name] = path
    return [Checkpoint(path, name) for name, path in named.items()]


def _name(path: Path, pattern: str) -> str:
    place = path.resolve()
    values = {"checkpoint": place.name, "parent": place.parent.name}
    if "{content}" in pattern:
        values["content"] = content(path)[:8]
    name = pattern.format(**values)
    if not name or Path(name).is_absolute() or {".", ".."} & set(Path(name).parts):
        raise UsageError(f"name {pattern!r}: {name!r} is not a folder below runs")
    return name


def content(folder: Path) -> str:
    """Sixteen hex digits over a checkpoint's files; of large weights only the ends are read.

    Raises:
        DataError: a file cannot be read.
    """
    small = sorted(path for pattern in _SMALL for path in folder.glob(pattern))
    try:
        parts = [weights_hash(folder) or ""]
        parts += [f"{path.name} {digest(path.read_bytes())}" for path in small]
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror})") from error
    return digest("\0".join(parts).encode())


def is_new(checkpoint: Checkpoint, line: HistoryLine | None) -> bool:
    """Whether this checkpoint, with its present files, still has to be evaluated.

    Args:
        checkpoint: the folder and its run.
        line: the run's last complete line in the history.
    """
    return line is None or _changed(checkpoint.path, line) is not None


def check_unchanged(checkpoint: Checkpoint, line: HistoryLine | None) -> None:
    """Refuse a finished run whose checkpoint folder has changed since.

    Raises:
        ProtocolMismatch: the folder's files are not those of the run.
    """
    now = None if line is None else _changed(checkpoint.path, line)
    if line is not None and now is not None:
        raise ProtocolMismatch(
            f"{checkpoint.path} no longer has the files that the run {checkpoint.run!r} "
            f"evaluated ({line.content} against {now}); '{{content}}' in the name pattern gives "
            "each state a run of its own"
        )


def _changed(folder: Path, line: HistoryLine) -> str | None:
    """The new content of a changed folder; None if it has not changed."""
    if _untouched_since(folder, line.time):
        return None
    now = content(folder)
    return None if now == line.content else now


def _untouched_since(folder: Path, moment: str) -> bool:
    """Judge by the times of the folder and its files, so that most need not be read."""
    stats = [path.stat() for path in (folder, *folder.iterdir())]
    last = max(max(stat.st_mtime, stat.st_ctime) for stat in stats)
    return last < datetime.strptime(moment, CLOCK).timestamp()
