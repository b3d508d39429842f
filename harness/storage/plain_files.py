"""Opens plain files only, so that nothing hangs and nothing is written through a link.

A run folder may be somebody else's: a pipe in it would let a reader wait for ever, and a symbolic
link would lead a writer out of it. The folder that the user names may be a link itself.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from harness.errors import DataError

PART = ".harness-part"
"""What the name of a file ends in that is to replace another once it is written."""

_PART = re.compile(r"\..+\.[a-z0-9_]{8}" + re.escape(PART))
_PART_BEFORE = re.compile(
    r"\.(manifest|protocol|scores|stopping|problems|samples|grades|errors|accepted)\.jsonl?"
    r"\.[a-z0-9_]{8}"
)  # as earlier versions named them

_WRITING = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISLNK, "a symbolic link"),
)


def open_to_read(path: Path, buffering: int = -1) -> BinaryIO:
    """Open a plain file, or a link to one.

    Args:
        path: the file.
        buffering: bytes that are read at once; by default those of a block.

    Raises:
        FileNotFoundError: there is none.
        DataError: it is something else, or cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(mode := os.fstat(fd).st_mode):
        os.close(fd)
        raise DataError(f"{path}: {_kind(mode)} and no file; remove it, or restore the file")
    return os.fdopen(fd, "rb", buffering)


def open_to_write(path: Path, flags: int = 0) -> int:
    """Open a file for reading and writing, created where there is none; its descriptor.

    Args:
        path: the file.
        flags: further ones of `os.open`.

    Raises:
        OSError: it cannot be opened.
        DataError: it is a link, or no plain file.
    """
    try:
        fd = os.open(path, flags | _WRITING, 0o644)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            check_place(path)
        raise
    if not stat.S_ISREG(mode := os.fstat(fd).st_mode):
        os.close(fd)
        raise _no_file(path, mode)
    return fd


def check_place(path: Path, *, link: bool = False) -> None:
    """Check that a file may be put at `path`, in place of the one that is there, if any.

    Args:
        path: the place.
        link: whether a link may be there, because it is replaced and not followed.

    Raises:
        DataError: something else is there.
    """
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISREG(mode) and not (link and stat.S_ISLNK(mode)):
            raise _no_file(path, mode)


def check_folder(path: Path) -> None:
    """Check that a folder within a run folder is one, and no link to another place.

    Raises:
        DataError: it is something else.
    """
    with suppress(OSError):
        mode = path.lstat().st_mode
        if not stat.S_ISDIR(mode):
            raise DataError(
                f"{path}: {_kind(mode)} and no folder; the harness writes to no other place than the "
                "run folder: put the folder itself there, or use another -o folder"
            )


def part_of(path: Path) -> Path:
    """A name beside `path` for what is to replace it, of which nothing is left after a kill."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART}")


def remove_parts(folder: Path, age: float = 0.0) -> None:
    """Delete what killed writers left in a folder: files that were to replace another.

    Args:
        folder: that holds the files.
        age: seconds since the last write; 0 where no other process can write here.
    """
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not (_PART.fullmatch(entry.name) or _PART_BEFORE.fullmatch(entry.name)):
                continue
            with suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and time.time() - status.st_mtime >= age:
                    Path(entry.path).unlink()


def _no_file(path: Path, mode: int) -> DataError:
    return DataError(
        f"{path}: {_kind(mode)} and no file, so nothing is written there; remove it, or put the file "
        "itself there"
    )


def _kind(mode: int) -> str:
    return next((f"it is {words}" for known, words in _KINDS if known(mode)), "it is no plain file")
