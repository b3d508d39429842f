"""`harness compare`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from harness.cli.interrupt import run_async
from harness.errors import DataError, HarnessError, Incomplete, ProtocolMismatch, UsageError
from harness.points import MARGIN, share_of

if TYPE_CHECKING:
    from harness.stats.comparison import Comparison

_RUN = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)


def names(value: str | None) -> list[str] | None:
    """Split a comma-separated list; None if the option was not given.

    Raises:
        UsageError: the list is empty.
    """
    if value is None:
        return None
    found = [part.strip() for part in value.split(",") if part.strip()]
    if not found:
        raise UsageError(f"{value!r} names no task; omit the option to take all of them")
    return found


@click.command()
@click.argument("base", type=_RUN)
@click.argument("new", type=_RUN)
@click.option("--margin", type=float, default=MARGIN, show_default=True, metavar="POINTS",
              help="The drop that 'no regression' must exclude; 5 is five points. With "
              "--same-model the difference of a share that must be detectable.")  # fmt: skip
@click.option("--tasks", metavar="T[,T..]", help="Only these tasks; all of BASE by default.")
@click.option("--allow", multiple=True, metavar="PART",
              help="Compare although this part of the protocol differs: max_tokens, temperature, "
              "prompt, choice_order ..; repeatable.")  # fmt: skip
@click.option("--scoring", metavar="NAME",
              help="Compare by the verdicts of a further scoring, such as model-judge or "
              "lcb-official; by default the task's own decides.")  # fmt: skip
@click.option("--same-model", is_flag=True,
              help="Ask instead whether NEW is from the model that BASE is from: scores, lengths, "
              "truncation, reasoning, answers and texts, two-sided.")  # fmt: skip
@click.option("--fail-on-rise", is_flag=True,
              help="Exit 1 on a significant rise too; a broken extractor can raise scores.")  # fmt: skip
@click.option("--junit", type=_FILE, metavar="FILE", help="Write a JUnit report.")
@click.option("--markdown", type=_FILE, metavar="FILE", help="Write Markdown, for a CI summary.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE",
              help="Write the comparison as JSON, with every problem.")  # fmt: skip
def compare(
    *,
    base: Path,
    new: Path,
    margin: float,
    tasks: str | None,
    allow: Sequence[str],
    scoring: str | None,
    same_model: bool,
    fail_on_rise: bool,
    junit: Path | None,
    markdown: Path | None,
    json_file: Path | None,
) -> None:
    """Test whether NEW is worse than BASE, paired by problem.

    Exit codes: 0 no regression, 1 regression, 3 not the same protocol, 4 a run is incomplete and
    no regression stands without what it lacks, 5 underpowered: too few samples to tell; the number
    that would be enough is printed.

    The test is one-sided at 5 % per task, with Holm's correction. A drop that is significant by
    the sampling error is a regression. Otherwise there is no regression if a drop of --margin is
    excluded, or would have been detected with power 0.8.

    With --same-model: 0 no difference found, 1 different, 5 underpowered: a difference of --margin
    (twice as much of a length, in percent) could go unseen. Two-sided at 5 % over all traits and
    tasks, with Holm's correction; what each trait would have shown is printed.
    """
    files = Reports(junit, markdown, json_file)
    settings = Settings(share_of(margin, "--margin"), tuple(allow), names(tasks), scoring)
    if same_model and fail_on_rise:
        raise UsageError("--fail-on-rise: --same-model finds rises anyway; leave one of them out")
    if same_model:
        code = _compare_models(base, new, settings, files)
    else:
        code = _compare_scores(base, new, settings, files, fail_on_rise=fail_on_rise)
    click.get_current_context().exit(code)


class Reports(NamedTuple):
    """The files that are asked for; None for none."""

    junit: Path | None
    markdown: Path | None
    json_file: Path | None


class Settings(NamedTuple):
    """What both comparisons go by: the margin as a share, parts that may differ, tasks, scoring."""

    margin: float
    allow: tuple[str, ...]
    tasks: list[str] | None
    scoring: str | None


def _compare_scores(
    base: Path, new: Path, settings: Settings, files: Reports, *, fail_on_rise: bool
) -> int:
    from rich.console import Console

    from harness.cli.task_lookup import task_named
    from harness.reports.tables.comparison import print_comparison
    from harness.workflows.compare import compare_runs

    with _mismatch_written(files):
        found = run_async(compare_runs(base, new, task_named, **settings._asdict()))
    print_comparison(found, Console())
    code = found.exit_code(fail_on_rise=fail_on_rise)
    with _hiding_nothing(code):
        write_comparison(found, fail_on_rise=fail_on_rise, **files._asdict())
    return code


def _compare_models(base: Path, new: Path, settings: Settings, files: Reports) -> int:
    from rich.console import Console

    from harness.cli.task_lookup import task_named
    from harness.reports.tables.junit import same_model_junit
    from harness.reports.tables.same_model import print_same_model, to_markdown
    from harness.storage.files import write_json, write_text
    from harness.workflows.same_model import compare_models

    with _mismatch_written(files):
        found = run_async(compare_models(base, new, task_named, **settings._asdict()))
    print_same_model(found, Console())
    with _hiding_nothing(found.exit_code):
        if files.junit is not None:
            write_text(files.junit, same_model_junit(found))
        if files.markdown is not None:
            write_text(files.markdown, to_markdown(found))
        if files.json_file is not None:
            write_json(files.json_file, found.to_json())
    return found.exit_code


@contextmanager
def _mismatch_written(files: Reports) -> Iterator[None]:
    """Write why two runs cannot be compared into the files, too."""
    try:
        yield
    except (ProtocolMismatch, Incomplete) as error:
        write_mismatch(error, **files._asdict())
        raise


@contextmanager
def _hiding_nothing(code: int) -> Iterator[None]:
    """A file that cannot be written must not hide that the answer is no."""
    try:
        yield
    except DataError as error:
        if code != 1:
            raise
        click.echo(f"error: {error}", err=True)


def write_comparison(
    found: Comparison,
    *,
    fail_on_rise: bool,
    junit: Path | None,
    markdown: Path | None,
    json_file: Path | None,
) -> None:
    """Write the requested reports.

    Args:
        found: the comparison.
        fail_on_rise: whether a significant rise counts as a failure, too.
        junit: where JUnit XML goes; None for none, as below.
        markdown: where Markdown goes.
        json_file: where JSON goes.

    Raises:
        DataError: a file cannot be written.
    """
    from harness.reports.tables.comparison import to_markdown
    from harness.reports.tables.junit import comparison_junit
    from harness.storage.files import write_json, write_text

    if junit is not None:
        write_text(junit, comparison_junit(found, fail_on_rise=fail_on_rise))
    if markdown is not None:
        write_text(markdown, to_markdown(found))
    if json_file is not None:
        code = found.exit_code(fail_on_rise=fail_on_rise)
        write_json(json_file, {**found.to_json(), "exit_code": code})


def write_mismatch(
    error: HarnessError, *, junit: Path | None, markdown: Path | None, json_file: Path | None
) -> None:
    """Write the reports of a comparison that could not be made.

    Args:
        error: why not.
        junit: where JUnit XML goes; None for none, as below.
        markdown: where Markdown goes.
        json_file: where JSON goes.

    Raises:
        DataError: a file cannot be written.
    """
    from harness.reports.tables.junit import junit_error
    from harness.storage.files import write_json, write_text

    if junit is not None:
        write_text(junit, junit_error(str(error)))
    if markdown is not None:
        write_text(markdown, f"## not compared\n\n{error}\n")
    if json_file is not None:
        verdict = "not the same protocol" if error.exit_code == 3 else "incomplete"
        write_json(json_file, {"verdict": verdict, "why": str(error),
                               "exit_code": error.exit_code})  # fmt: skip
