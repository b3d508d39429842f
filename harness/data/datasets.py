"""Where rows come from: the hub at a pinned revision, the user's own copy, or the package.

A user's copy has the hub's own schema and lies in `--data DIR` (or HARNESS_DATA) as
`<task>.jsonl`, `.csv` or `.parquet`, under any of the names that the dataset accepts.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

from harness.data.parsing import parse_row
from harness.data.readers import FORMATS, read_rows
from harness.data.selection import Selection, in_words
from harness.errors import DataError, UsageError, first_line
from harness.task import Task
from harness.types import Problem, Row

_RELEASE = re.compile(r"(?:release_v([1-9])|v([1-9])(?:_v([1-9]))?)")


@dataclass(frozen=True, slots=True)
class HubDataset:
    """One file of a dataset repository, read directly: no loading script, no split logic.

    Args:
        repo: the dataset's name on the hub.
        file: path of the file in it.
        revision: commit hash; the hub's files change, this one does not.
        names: file names, without ending, that a user's own copy may have.
        gated: whether the hub asks for conditions to be accepted first.
    """

    repo: str
    file: str
    revision: str
    names: tuple[str, ...]
    gated: bool = False

    def source(self, data_dir: Path | None) -> str:
        """`repo@revision`, or the name and hash of the user's copy."""
        if data_dir is None:
            return f"{self.repo}@{self.revision}"
        return named_hash(self.path(data_dir))

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row).

        Raises:
            DataError: there is no such file, or the hub cannot be read.
        """
        return read_rows(self.path(data_dir))

    def hub_files(self) -> tuple[HubDataset, ...]:
        """The files that `harness data fetch` copies."""
        return (self,)

    def path(self, data_dir: Path | None) -> Path:
        """The file to read: the user's copy when a folder is given, else the hub's, cached."""
        return self._download() if data_dir is None else find_copy(data_dir, self.names)

    def _download(self) -> Path:
        import huggingface_hub
        from huggingface_hub import errors

        try:
            return Path(
                huggingface_hub.hf_hub_download(
                    self.repo, self.file, repo_type="dataset", revision=self.revision
                )
            )
        except errors.GatedRepoError as error:
            raise DataError(
                f"{self.repo} is gated: accept its conditions on the hub and run `hf auth login`, "
                f"or pass --data DIR holding {self.names[0]}.csv"
            ) from error
        except (errors.HfHubHTTPError, errors.LocalEntryNotFoundError, OSError) as error:
            raise DataError(
                f"{self.repo} cannot be fetched from the hub ({first_line(error, 200)}); without a "
                f"network pass --data DIR holding {self.names[0]}{Path(self.file).suffix}"
            ) from error


class HubFile(Protocol):
    """A file that `harness data fetch` can copy."""

    @property
    def names(self) -> tuple[str, ...]:
        """What a copy may be called, without ending."""
        ...

    def path(self, data_dir: Path | None) -> Path:
        """Where it is once it is fetched, or the copy in a folder."""
        ...

    def source(self, data_dir: Path | None) -> str:
        """Name and revision, or the name and hash of the copy in a folder."""
        ...


@runtime_checkable
class OnHub(Protocol):
    """A dataset of the hub or of a public repository, which `harness data fetch` can copy."""

    def hub_files(self) -> Sequence[HubFile]:
        """The files to copy."""
        ...


@dataclass(frozen=True, slots=True)
class HubParts:
    """Several files of one repository, read one after another.

    Args:
        parts: the files.
        names: file names, without ending, of a user's own copy that holds all the rows; a folder
            without one must hold every part.
    """

    parts: tuple[HubDataset, ...]
    names: tuple[str, ...]

    def source(self, data_dir: Path | None) -> str:
        """The repository and revision, or names and hashes of the user's copies."""
        return ", ".join(dict.fromkeys(part.source(data_dir) for part in self._read(data_dir)))

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row), part after part."""
        for part in self._read(data_dir):
            yield from part.rows(data_dir)

    def hub_files(self) -> tuple[HubDataset, ...]:
        """The files that `harness data fetch` copies."""
        return self.parts

    def release(self, name: str) -> HubParts:
        """The parts of a release: release_v5 is the first five, v5 the fifth, v4_v5 two of them.

        Raises:
            UsageError: there is no such release; the message says which there are.
        """
        last = len(self.parts)
        found = _RELEASE.fullmatch(name.replace("latest", f"v{last}"))
        numbers = [int(number) for number in found.groups() if number] if found else []
        if not found or not 1 <= numbers[0] <= numbers[-1] <= last:
            raise UsageError(f"--release {name!r}: there are release_v1 to release_v{last}, "
                             f"v1 to v{last}, and ranges such as v1_v{last}")  # fmt: skip
        first = 1 if found[1] else numbers[0]
        return HubParts(self.parts[first - 1 : numbers[-1]], names=())

    def _read(self, data_dir: Path | None) -> tuple[HubDataset, ...]:
        if data_dir is None:
            return self.parts
        if has_copy(data_dir, self.names):
            return (replace(self.parts[0], names=self.names),)
        if not any(has_copy(data_dir, part.names) for part in self.parts):
            find_copy(
                data_dir, (*self.names, *self.parts[0].names)
            )  # raises, naming every accepted file
        return self.parts


@dataclass(frozen=True, slots=True)
class PackagedDataset:
    """A file that ships with a package, in its folder data.

    Args:
        file: its name.
        package: the import name of the package, looked up when rows are read.
    """

    file: str
    package: str = "harness.tasks"

    def source(self, data_dir: Path | None) -> str:
        """Name and hash of the file. `data_dir` plays no part: the file is never replaced."""
        return named_hash(self._path)

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row)."""
        return read_rows(self._path)

    @property
    def _path(self) -> Path:
        return Path(str(importlib.resources.files(self.package))) / "data" / self.file


@dataclass(frozen=True, slots=True)
class FileDataset:
    """The rows of one file of the user's own, as `harness import` reads it."""

    path: Path

    def source(self, data_dir: Path | None) -> str:
        """The file's name."""
        return self.path.name

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row)."""
        return read_rows(self.path)


def has_copy(data_dir: Path, names: tuple[str, ...]) -> bool:
    """Whether the user's folder holds a file of one of these names."""
    return next(_copies(data_dir, names), None) is not None


def find_copy(data_dir: Path, names: tuple[str, ...]) -> Path:
    """The user's copy of a dataset.

    Raises:
        DataError: there is none; the message names every accepted file name.
    """
    if not data_dir.is_dir():
        raise DataError(f"--data {data_dir}: there is no such folder")
    for path in _copies(data_dir, names):
        return path
    wanted = ", ".join(f"{name}.jsonl" for name in names)
    raise DataError(f"--data {data_dir} holds none of {wanted} (.csv and .parquet are read too)")


def _copies(data_dir: Path, names: tuple[str, ...]) -> Iterator[Path]:
    paths = (data_dir / f"{name}{ending}" for name in names for ending in FORMATS)
    return (path for path in paths if path.is_file())


def load_problems(task: Task, data_dir: Path | None, limit: int | None = None) -> list[Problem]:
    """Parse the rows of a task; the first `limit` of them if one is given.

    Problems that cannot be judged here are left out.

    Raises:
        DataError: a row that cannot be parsed (file, row and field are named), two rows with one
            id, or no rows at all.
    """
    return select_problems(task, data_dir, Selection(), limit)[0]


def miscounted(task: Task, count: int) -> str | None:
    """What is to be said of a dataset with another number of problems than its benchmark; else None.

    Args:
        task: whose dataset it is.
        count: the problems that it holds, those left out included.
    """
    if task.n_problems is None or count == task.n_problems:
        return None
    return f"{count:,} problems, and the benchmark has {task.n_problems:,}"


def select_problems(
    task: Task, data_dir: Path | None, selection: Selection, limit: int | None = None
) -> tuple[list[Problem], Counter[str]]:
    """The problems that a selection asks, and how many others there are for which reason.

    Rows are parsed one by one, so that problems left out take no memory.

    Args:
        task: whose rows are read.
        data_dir: the folder of the user's own copy; None for the hub's.
        selection: which problems are asked.
        limit: at most that many problems.

    Returns:
        The problems, and the number of others by reason.

    Raises:
        DataError: as `load_problems`, or the selection leaves nothing.
        UsageError: the selection is by date and a problem has none.
    """
    problems: dict[str, Problem] = {}
    left_out = Counter[str]()
    for place, row in task.dataset.rows(data_dir):
        if limit is not None and len(problems) >= limit:
            break
        problem = parse_row(task, place, row)
        reason = selection.leaves_out(problem)
        if reason:
            left_out[reason] += 1
        elif problem.id in problems:
            raise DataError(f"{place}: the id {problem.id!r} occurs twice")
        else:
            problems[problem.id] = problem
    if not problems:
        why = f" but {in_words(left_out)}" if left_out else ""
        raise DataError(f"{task.name}: {task.dataset.source(data_dir)} holds no problems{why}")
    return list(problems.values()), left_out


def named_hash(path: Path) -> str:
    """The name and hash of a file, as protocols record a copy."""
    with path.open("rb") as file:
        return f"{path.name} sha256:{hashlib.file_digest(file, 'sha256').hexdigest()[:16]}"
