"""`harness doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from harness.cli.output import echo

_FREE_GIB = 5


@click.command()
def doctor() -> None:
    """Check what this machine can run, and say how to install the rest.

    Says of each engine's library whether the installed version was tried. Exits 1 if something
    that every installation needs is missing, or a library is too old.
    """
    from harness.engines.versions import PACKAGES
    from harness.judge import check

    findings = 0
    echo(f"python {platform.python_version()} on {platform.platform()}")
    echo(f"{len(os.sched_getaffinity(0))} cores")
    lines = [package.check() for package in PACKAGES]
    for word, line in [*lines, _math_verify()]:
        findings += word in ("missing", "old")
        echo(f"{word:8} {line}")
    try:
        import torch

        if torch.cuda.is_available():
            for number in range(torch.cuda.device_count()):
                echo(f"ok       GPU {number}: {torch.cuda.get_device_name(number)}")
        else:
            echo("note     no GPU is visible: the transformers engine runs on the CPU")
    except ImportError:
        pass  # reported above
    for passed, line in check():
        findings += not passed
        echo(f"{'ok' if passed else 'missing':8} {line}")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    findings += free < _FREE_GIB
    echo(f"{'low' if free < _FREE_GIB else 'ok':8} {free:.0f} GiB free in this folder")
    click.get_current_context().exit(1 if findings else 0)


def _math_verify() -> tuple[str, str]:
    """The symbolic fallback of the math grader, which comes with every installation."""
    try:
        return "ok", f"math-verify {version('math-verify')}"
    except PackageNotFoundError:
        return "missing", "math-verify: needed for the math grader: reinstall reasoning-harness"
