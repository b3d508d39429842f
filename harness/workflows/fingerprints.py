"""Where what made two runs differs: compare prints it and goes on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness.storage.manifest import Manifest
from harness.storage.run_folder import RunFolder


def fingerprint_differences(base: Iterable[Path], new: RunFolder) -> dict[str, tuple[str, str]]:
    """Where the fingerprints differ: model, engine, dtype, chat template, versions, k."""
    now = _flat(new.manifest())
    found: dict[str, tuple[str, str]] = {}
    for path in dict.fromkeys(base):
        before = _flat(RunFolder(path).manifest())
        for name in [*before, *(name for name in now if name not in before)]:
            pair = before.get(name, "not stated"), now.get(name, "not stated")
            if pair[0] != pair[1]:
                found.setdefault(name, pair)
    return found


def _flat(manifest: Manifest) -> dict[str, str]:
    made = dict(manifest.fingerprint)
    versions = dict(made.pop("versions", {}))
    values = {
        "model": manifest.model,
        **made,
        "harness": manifest.harness,
        **{f"{name} version": found for name, found in versions.items()},
        **{f"k of {task}": k for task, k in manifest.k.items()},
    }
    if manifest.starts:
        last = manifest.starts[-1]
        values |= {"seed": last.seed} if last.seed is not None else {}
        values |= {"python": last.python} if last.python else {}
    return {name: "none" if value is None else str(value) for name, value in values.items()}
