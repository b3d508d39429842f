"""`harness site`."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.output import echo
from harness.waiting import waiting_for

_FOLDER = click.Path(path_type=Path)


@click.command()
@click.argument("runs_dir", metavar="RUNS_DIR", type=_FOLDER)
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    type=_FOLDER,
    required=True,
    help="Folder of the site; any web server can serve it, a browser can open it.",
)
@click.option(
    "--baselines",
    metavar="FILE",
    type=_FOLDER,
    multiple=True,
    help="Add published scores of your own (YAML); repeatable.",
)
@click.option("--rebuild", is_flag=True, help="Build every page again.")  # fmt: skip
def site(runs_dir: Path, output: Path, baselines: tuple[Path, ...], rebuild: bool) -> None:
    """Build a site over all runs below a folder: trends, comparisons, a page per run.

    Only pages whose runs changed are built again. RUNS_DIR/accepted.json, if it exists,
    names the baseline of each task.
    """
    written = build(runs_dir, output, baselines=baselines, rebuild=rebuild)
    echo(f"wrote {written} pages; open {output / 'index.html'}", err=True)


@waiting_for("the site to be built")
def build(
    runs_dir: Path, output: Path, *, baselines: tuple[Path, ...] = (), rebuild: bool = False
) -> int:
    """Bring the site up to date; returns the number of pages written.

    Args:
        runs_dir: the folder of run folders.
        output: the site's folder.
        baselines: files of published scores beside those of the package.
        rebuild: write every page, also those that have not changed.
    """
    from harness.cli.report import drawn
    from harness.reports.page.site import build_site

    return build_site(runs_dir, output, draw=drawn, baselines=baselines, rebuild=rebuild)
