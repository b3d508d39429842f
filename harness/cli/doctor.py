"""`harness doctor`."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

EXTRAS = {
    "torch": "the transformers engine: pip install 'reasoning-harness[transformers]'",
    "transformers": "the transformers engine: pip install 'reasoning-harness[transformers]'",
    "math-verify": "the symbolic fallback of the math grader: reinstall reasoning-harness",
}
# Optional: nobody needs all of them.
ENGINES = {
    "vllm": "the vllm engine: pip install 'reasoning-harness[vllm]'",
    "ray": "the ray engine: pip install 'reasoning-harness[ray]'",
    "lm-eval": "the lm_eval engine and tasks: pip install 'reasoning-harness[lm-eval]'",
}
_FREE_GIB = 5


@click.command()
def doctor() -> None:
    """Check what this machine can run, and say how to install the rest.

    Exits 1 if something that every installation needs is missing.
    """
    from harness.judge import check

    findings = 0
    click.echo(f"python {platform.python_version()} on {platform.platform()}")
    click.echo(f"{len(os.sched_getaffinity(0))} cores")
    for package, needed_for in EXTRAS.items():
        try:
            click.echo(f"ok       {package} {version(package)}")
        except PackageNotFoundError:
            findings += 1
            click.echo(f"missing  {package}: needed for {needed_for}")
    for package, needed_for in ENGINES.items():
        try:
            click.echo(f"ok       {package} {version(package)}")
        except PackageNotFoundError:
            click.echo(f"note     no {package}, for {needed_for}")
    try:
        import torch

        if torch.cuda.is_available():
            for number in range(torch.cuda.device_count()):
                click.echo(f"ok       GPU {number}: {torch.cuda.get_device_name(number)}")
        else:
            click.echo("note     no GPU is visible: the transformers engine runs on the CPU")
    except ImportError:
        pass  # reported above
    for passed, line in check():
        findings += not passed
        click.echo(f"{'ok' if passed else 'missing':8} {line}")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    findings += free < _FREE_GIB
    click.echo(f"{'low' if free < _FREE_GIB else 'ok':8} {free:.0f} GiB free in this folder")
    click.get_current_context().exit(1 if findings else 0)
