"""`harness compare`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click

from harness.cli.interrupt import run_async
from harness.cli.output import echo, terminal
from harness.errors import DataError, HarnessError, Incomplete, ProtocolMismatch, UsageError
from harness.points import MARGIN, share_of
from harness.waiting import waiting_for

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
@click.option("--price", "prices", metavar="[RUN=]IN,OUT", multiple=True,
              help="Price of a million prompt tokens and of a million completion tokens, in USD, "
              "in place of what the runs recorded; of one run with RUN=. Repeatable.")  # fmt: skip
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
    prices: Sequence[str],
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
    the sampling error is a regression. There is no regression if a drop of --margin is excluded;
    what shows neither is underpowered.

    With --same-model: 0 no difference found, 1 different, 5 underpowered: a difference of --margin
    (twice as much of a length, in percent) could go unseen. Two-sided at 5 % over all traits and
    tasks, with Holm's correction; what each trait would have shown is printed.
    """
    files = Reports(junit, markdown, json_file)
    settings = Settings(share_of(margin, "--margin"), tuple(allow), names(tasks), scoring)
    if same_model and fail_on_rise:
        raise UsageError("--fail-on-rise: --same-model finds rises anyway; leave one of them out")
    if same_model and prices:
        raise UsageError("--price: --same-model compares no costs; leave one of them out")
    if same_model:
        code = _compare_models(base, new, settings, files)
    else:
        code = _compare_scores(base, new, settings, files, prices, fail_on_rise=fail_on_rise)
    click.get_current_context().exit(code)


class Reports(NamedTuple):
    """The files that are asked for; None for none."""

    junit: Path | None
    markdown: Path | None
    json_file: Path | None

    def write(
        self, *, junit: Callable[[], str], markdown: Callable[[], str], data: Callable[[], object]
    ) -> None:
        """Write the requested files; what goes into the others is not made.

        Args:
            junit: makes the JUnit XML.
            markdown: makes the Markdown.
            data: makes what is written as JSON.

        Raises:
            DataError: a file cannot be written.
        """
        from harness.storage.files import write_json, write_text

        if self.junit is not None:
            write_text(self.junit, junit())
        if self.markdown is not None:
            write_text(self.markdown, markdown())
        if self.json_file is not None:
            write_json(self.json_file, data())


class Settings(NamedTuple):
    """What both comparisons go by: the margin as a share, parts that may differ, tasks, scoring."""

    margin: float
    allow: tuple[str, ...]
    tasks: list[str] | None
    scoring: str | None


@waiting_for("the runs to be compared")
def _compare_scores(
    base: Path,
    new: Path,
    settings: Settings,
    files: Reports,
    prices: Sequence[str],
    *,
    fail_on_rise: bool,
) -> int:
    from harness.cli.task_lookup import task_named
    from harness.reports.tables.comparison import print_comparison, to_markdown
    from harness.reports.tables.junit import comparison_junit
    from harness.workflows.compare import compare_runs
    from harness.workflows.compare_costs import with_costs

    with _mismatch_written(files):
        found = run_async(compare_runs(base, new, task_named, **settings._asdict()))
    found = with_costs(found, base, new, prices)
    print_comparison(found, terminal())
    code = found.exit_code(fail_on_rise=fail_on_rise)
    with _hiding_nothing(code):
        files.write(
            junit=lambda: comparison_junit(found, fail_on_rise=fail_on_rise),
            markdown=lambda: to_markdown(found),
            data=lambda: {**found.to_json(), "exit_code": code},
        )
    return code


@waiting_for("the runs to be compared")
def _compare_models(base: Path, new: Path, settings: Settings, files: Reports) -> int:
    from harness.cli.task_lookup import task_named
    from harness.reports.tables.junit import same_model_junit
    from harness.reports.tables.same_model import print_same_model, to_markdown
    from harness.workflows.same_model import compare_models

    with _mismatch_written(files):
        found = run_async(compare_models(base, new, task_named, **settings._asdict()))
    print_same_model(found, terminal())
    with _hiding_nothing(found.exit_code):
        files.write(
            junit=lambda: same_model_junit(found),
            markdown=lambda: to_markdown(found),
            data=found.to_json,
        )
    return found.exit_code


@contextmanager
def _mismatch_written(files: Reports) -> Iterator[None]:
    """Write why two runs cannot be compared into the files, too."""
    try:
        yield
    except (ProtocolMismatch, Incomplete) as error:
        _write_mismatch(error, files)
        raise


@contextmanager
def _hiding_nothing(code: int) -> Iterator[None]:
    """A file that cannot be written must not hide that the answer is no."""
    try:
        yield
    except DataError as error:
        if code != 1:
            raise
        echo(f"error: {error}", err=True)


def _write_mismatch(error: HarnessError, files: Reports) -> None:
    """Write the reports of a comparison that could not be made."""
    from harness.reports.tables.junit import junit_error

    verdict = "not the same protocol" if error.exit_code == 3 else "incomplete"
    files.write(
        junit=lambda: junit_error(str(error)),
        markdown=lambda: f"## not compared\n\n{error}\n",
        data=lambda: {"verdict": verdict, "why": str(error), "exit_code": error.exit_code},
    )
