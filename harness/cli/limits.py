"""Limits of this process that are too low to work under, told before anything is begun."""

from __future__ import annotations

import resource

from harness.errors import UsageError

WORKING = frozenset({"run", "import", "grade", "sweep", "nightly"})
"""The commands that start engines and grading workers."""

_FILES = 64  # pipes of grading workers, sandboxes and the symbolic worker; connections come on top
_ADDRESSES = 2_000_000 << 10  # bytes; torch and its threads reserve more than a gigabyte


def check_limits(command: str | None) -> None:
    """Raise the limit of open files as far as a working command needs, and check what it runs under.

    Args:
        command: its name.

    Raises:
        UsageError: a limit is too low, with the number needed; under less, imports hang and workers
            cannot be started.
    """
    if command not in WORKING:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FILES:
        raise UsageError(
            f"the limit of open files is {hard}, and at least {_FILES} are needed: ulimit -n 1024"
        )
    if soft != resource.RLIM_INFINITY and soft < _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, hard))
    addresses, _ = resource.getrlimit(resource.RLIMIT_AS)
    if addresses != resource.RLIM_INFINITY and addresses < _ADDRESSES:
        raise UsageError(
            f"the limit of address space is {addresses >> 20:,} MiB, and at least "
            f"{_ADDRESSES >> 20:,} MiB are needed: ulimit -v {_ADDRESSES >> 10}, or unlimited"
        )
