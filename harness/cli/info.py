"""`harness tasks` and `harness doctor`."""

from __future__ import annotations

import json
import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

EXTRAS = {
    "torch": "the transformers engine: pip install 'reasoning-harness[transformers]'",
    "transformers": "the transformers engine: pip install 'reasoning-harness[transformers]'",
    "math-verify": "the symbolic fallback of the math grader: reinstall reasoning-harness",
}
# What a machine may do without; nobody needs all of them.
ENGINES = {
    "vllm": "the vllm engine: pip install 'reasoning-harness[vllm]'",
    "ray": "the ray engine: pip install 'reasoning-harness[ray]'",
    "lm-eval": "the lm_eval engine and tasks: pip install 'reasoning-harness[lm-eval]'",
}
_FREE_GIB = 5


@click.command(short_help="List the tasks, or show one in full.")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def tasks(name: str | None, as_json: bool) -> None:
    """List the tasks; with NAME, show its protocol, prompt and source in full.

    lm_eval:NAME is the task NAME of lm-eval, lm_eval:DIR/NAME one whose file lies in DIR.
    """
    from harness.registry import find_tasks
    from harness.registry import tasks as all_tasks

    found = find_tasks(name) if name else list(all_tasks().values())
    if as_json or name:
        rows = [
            {
                "name": task.name,
                "metrics": [metric.name for metric in task.metrics],
                "k": task.sampling.k,
                "temperature": task.sampling.temperature,
                "top_p": task.sampling.top_p,
                "max_tokens": task.sampling.max_tokens,
                "stop": list(task.sampling.stop),
                "grader": task.grader.version,
                "extract": getattr(task.grader, "extract", None),
                "scoring": getattr(task.grader, "scoring", None),
                "choice_order": task.choice_order,
                "source": task.dataset.source(None),
                "system_prompt": task.system_prompt,
                "prompt": task.prompt,
            }
            for task in found
        ]
        click.echo(json.dumps(rows if as_json else rows[0], indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("task", "k", "metrics", "grader", "source"):
        table.add_column(column, overflow="fold")
    for task in found:
        source = task.dataset.source(None).partition("@")[0].partition(" ")[0]
        metrics = ", ".join(metric.name for metric in task.metrics)
        table.add_row(
            task.name, str(task.sampling.k), metrics, task.grader.version.partition("+")[0], source
        )
    Console().print(table)


@click.command(short_help="Check what this machine can run.")
def doctor() -> None:
    """Check what this machine can run, and say how to get the rest. Exits 1 on a finding."""
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
        pass  # named above
    for well, line in check():
        findings += not well
        click.echo(f"{'ok' if well else 'missing':8} {line}")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    findings += free < _FREE_GIB
    click.echo(f"{'low' if free < _FREE_GIB else 'ok':8} {free:.0f} GiB free in this folder")
    click.get_current_context().exit(1 if findings else 0)
