"""`harness nightly`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.interrupt import run_async
from harness.cli.lock_option import take_over_option
from harness.cli.output import echo, terminal
from harness.cli.progress import task_progress
from harness.errors import DataError, HarnessError, UsageError

if TYPE_CHECKING:
    from harness.storage.nights import CheckpointResult
    from harness.workflows.night_settings import NightSettings
    from harness.workflows.nightly import Plan

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("config", metavar="CONFIG.yaml", type=_FILE)
@click.option("--checkpoint", "chosen", metavar="PATH", multiple=True,
              help="Evaluate this checkpoint instead of the new ones, even if it was evaluated "
              "before; a folder or a glob; repeatable.")  # fmt: skip
@click.option("--full", is_flag=True,
              help="Draw every sample despite `until: decided`; a run needs them to become the "
              "baseline.")  # fmt: skip
@click.option("--redraw", is_flag=True,
              help="Draw the --checkpoint again, with another seed, into a run of its own "
              "(NAME-redrawn), to accept it without the luck of the first draw.")  # fmt: skip
@take_over_option
@click.option("--dry-run", is_flag=True, help="List what would be evaluated, and stop.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE",
              help="Write all comparisons as JSON, with every problem.")  # fmt: skip
@click.option("--markdown", type=_FILE, metavar="FILE", help="Write Markdown, for a CI summary.")
@click.option("--junit", type=_FILE, metavar="FILE", help="Write a JUnit report.")
def nightly(
    *,
    config: Path,
    chosen: Sequence[str],
    full: bool,
    redraw: bool,
    take_over: bool | None,
    dry_run: bool,
    json_file: Path | None,
    markdown: Path | None,
    junit: Path | None,
) -> None:
    """Evaluate each new checkpoint and compare it with the accepted runs.

    Each task is tested for a drop from the accepted run and, over all nights, for a fall that no
    single night shows. Where nothing changed, both fail at the stated rate together.

    Exits with the worst result of all checkpoints: 1 regression or fall, 2 one cannot be read, 3 not the
    same protocol, 4 incomplete, 5 underpowered, 0 otherwise, also without a new checkpoint or baseline.
    After an interruption the same command continues. Only `harness accept` changes the baseline.

    \b
    CONFIG.yaml, paths relative to where the command is run:
      checkpoints: out/step-*      a path, folder or glob, or a list of them
      runs: runs/nightly           run folders, history.jsonl, accepted.json
      run: {tasks: [aime24], k: 16}    options of `harness run`
      name: "{checkpoint}"         name of each run; also {parent}, {content}
      margin: 5                    the drop that must be excluded, in points
      false_alarms_per_month: 1    of 30 nights without any change, over all tasks
      until: decided               stop sampling once the result is clear
      allocate: history            more samples where they tell more
      fail_on_rise: false          exit 1 on a significant rise too
      allow: []                    parts of the protocol that may differ
      site: site                   rebuild the site into this folder
    """
    from harness.storage.nights import worst
    from harness.workflows.night_settings import read_night

    settings = read_night(config, take_over=take_over)
    found = _plan(settings, chosen)
    if redraw:
        _redraw(found, chosen, dry_run)
        return
    if dry_run:
        _print_plan(found)
        return
    if not found.due:
        echo("no new checkpoint")
    results: list[CheckpointResult] = []
    codes = _tell_earlier(found)
    try:
        with _reports(results, settings.runs, json_file, markdown, junit):
            for result in _results(found, full):
                results.append(result)
    except DataError as error:  # a report cannot be written: it must not hide a regression
        echo(f"error: {error}", err=True)
        codes.append(error.exit_code)
    codes += [result.exit_code for result in results]
    codes += _end(settings)
    click.get_current_context().exit(worst(codes))


def _end(settings: NightSettings) -> list[int]:
    """Rebuild the site, and record that all is told; the site's exit code, if there is one."""
    from harness.storage.ledger import write_untold

    codes = []
    if settings.site is not None and settings.runs.is_dir():
        codes.append(_rebuild(settings.runs, settings.site))
    write_untold(settings.runs, [])
    return codes


def _plan(settings: NightSettings, chosen: Sequence[str]) -> Plan:
    from harness.registry import find_tasks
    from harness.workflows.nightly import plan

    found = plan(settings, find_tasks(str(settings.run["tasks"])), chosen)
    for line in found.history.left_out:
        echo(f"warning: left out: {line}", err=True)
    return found


def _tell_earlier(found: Plan) -> list[int]:
    """Tell what a call found that was ended before its end; the exit codes, which were not seen."""
    again = {checkpoint.run for checkpoint in found.due}
    lines = [line for line in found.untold if line.run not in again]
    for line in lines:
        echo(f"{line.run}: {line.verdict}, found by a call that was ended before it told all")
    return [line.exit_code for line in lines]


def _redraw(found: Plan, chosen: Sequence[str], dry_run: bool) -> None:
    """Draw checkpoints again, and say how to accept them."""
    from harness.storage.ledger import REDRAWN
    from harness.workflows.redraw import redraw

    if not chosen:
        raise UsageError("--redraw needs --checkpoint PATH, the one to draw again")
    for checkpoint in found.due:
        run = found.settings.runs / (checkpoint.run + REDRAWN)
        echo(f"{checkpoint.path} -> {run}", err=not dry_run)
        if dry_run:
            continue
        with task_progress(sampling=True) as observe:
            run_async(redraw(found, checkpoint, observe=observe))
        echo(f"{checkpoint.path} is drawn again: harness accept {run}")


def _print_plan(found: Plan) -> None:
    """Print what would be evaluated, one line per checkpoint."""
    held = [f"{task} against {run}" for task, run in found.bases.items()]
    held += [f"{task.name} has no baseline yet" for task in found.tasks
             if task.name not in found.bases]  # fmt: skip
    for checkpoint in found.due:
        run = found.settings.runs / checkpoint.run
        state = ", to be completed" if run.exists() else ""
        echo(f"{checkpoint.path} -> {run}{state}")
    echo(f"{len(found.due)} to be evaluated; {'; '.join(held)}")


def _results(found: Plan, full: bool) -> Iterator[CheckpointResult]:
    """Each checkpoint's result, printed at once: a later one may be interrupted."""
    from harness.cli.task_lookup import task_named
    from harness.reports.tables.nightly import print_result
    from harness.workflows.nightly import hold

    runs = found.settings.runs
    for number, checkpoint in enumerate(found.due, 1):
        echo(f"{number}/{len(found.due)} {checkpoint.path} -> {runs / checkpoint.run}",
                   err=True)  # fmt: skip
        with task_progress(sampling=True) as observe:
            result = run_async(hold(found, checkpoint, task_named, observe=observe, full=full))
        print_result(result, runs, terminal())
        yield result


@contextmanager
def _reports(
    results: list[CheckpointResult],
    runs: Path,
    json_file: Path | None,
    markdown: Path | None,
    junit: Path | None,
) -> Iterator[None]:
    """Write the requested reports at the end, also after an interruption."""
    from harness.reports.tables.junit import nightly_junit
    from harness.reports.tables.nightly import headline, to_markdown
    from harness.storage.files import write_json, write_text
    from harness.storage.nights import worst

    try:
        yield
    finally:
        if json_file is not None:
            code = worst([result.exit_code for result in results])
            rows = [result.to_json() for result in results]
            write_json(json_file, {"exit_code": code, "checkpoints": rows})
        if markdown is not None:
            write_text(markdown, to_markdown(results, runs))
        if junit is not None:
            write_text(junit, nightly_junit(results))
        if len(results) > 1:
            echo(f"\n{headline(results)}")


def _rebuild(runs: Path, site: Path) -> int:
    """Rebuild the site; returns its exit code, because a failure must not hide a regression."""
    from harness.cli.site import build

    try:
        build(runs, site)
    except HarnessError as error:
        echo(f"error: site: {error}", err=True)
        return error.exit_code
    except Exception as error:
        echo(f"internal error: site: {error!r}", err=True)
        return 70
    return 0
