"""A file of a GitHub repository as a dataset: one commit, and a checksum of what comes."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.data.datasets import find_copy, named_hash
from harness.data.readers import read_rows
from harness.errors import DataError
from harness.types import Row

_RAW = "https://raw.githubusercontent.com"
_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class GitHubFile:
    """One file at one commit, fetched once and kept in the user's cache.

    Args:
        repo: owner and name of the repository.
        commit: hash of the commit.
        file: path of the file in it.
        sha256: of the file; anything else that comes is refused.
        names: file names, without ending, that a user's own copy may have.
    """

    repo: str
    commit: str
    file: str
    sha256: str
    names: tuple[str, ...]

    def source(self, data_dir: Path | None) -> str:
        """`repo@commit`, or the name and hash of the user's copy."""
        if data_dir is None:
            return f"{self.repo}@{self.commit}"
        return named_hash(self.path(data_dir))

    def rows(self, data_dir: Path | None) -> Iterator[tuple[str, Row]]:
        """Yield (place, row).

        Raises:
            DataError: there is no such file, or it cannot be fetched.
        """
        return read_rows(self.path(data_dir))

    def hub_files(self) -> tuple[GitHubFile, ...]:
        """The files that `harness data fetch` copies."""
        return (self,)

    def path(self, data_dir: Path | None) -> Path:
        """The file to read: the user's copy when a folder is given, else GitHub's, cached.

        Raises:
            DataError: there is no such file, or it cannot be fetched.
        """
        if data_dir is not None:
            return find_copy(data_dir, self.names)
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        path = base / "harness" / "datasets" / self.sha256[:16] / Path(self.file).name
        if not path.is_file():
            content = self._fetch()
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.{os.getpid()}")
            partial.write_bytes(content)
            partial.replace(path)
        return path

    def _fetch(self) -> bytes:
        url = f"{_RAW}/{self.repo}/{self.commit}/{self.file}"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT) as reply:  # noqa: S310 - a fixed https address
                content: bytes = reply.read()
        except OSError as error:
            raise DataError(
                f"{url} cannot be fetched ({error}); without a network pass --data DIR holding "
                f"{self.names[0]}{Path(self.file).suffix}"
            ) from error
        if (found := hashlib.sha256(content).hexdigest()) != self.sha256:
            raise DataError(f"{url}: the file has the checksum {found}, not {self.sha256}: something "
                            "on the way changed it; save the file by hand and pass --data DIR")  # fmt: skip
        return content
