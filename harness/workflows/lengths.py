"""Which earlier run tells how long the samples of a task are likely to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import UsageError
from harness.storage.run_folder import RunFolder
from harness.workflows.run_settings import RunSettings


def length_sources(
    settings: RunSettings, tasks: Sequence[str], known: Mapping[str, Path]
) -> dict[str, Path]:
    """By task, the run whose lengths are expected: `settings.lengths`, the base, or a known one.

    Args:
        settings: of the run.
        tasks: names of the tasks.
        known: by task, a run to use if the settings name none.

    Raises:
        DataError: the named folder is not a run.
        UsageError: it has none of these tasks.
    """
    sources = dict(known)
    for path in (settings.base, settings.lengths):
        if path is not None:
            sources |= {folder.name: path for folder in RunFolder(path).tasks()}
    if settings.lengths is not None and settings.lengths not in map(sources.get, tasks):
        raise UsageError(
            f"--lengths {settings.lengths}: that run has none of {', '.join(tasks)}; omit it, "
            "or name a run that has them"
        )
    return sources
