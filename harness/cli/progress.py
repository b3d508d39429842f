"""Progress in the terminal: a bar or a line for each task."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from harness.cli.output import terminal
from harness.pipeline.pending import TaskRun
from harness.pipeline.runner import Observer
from harness.protocol import MODEL_JUDGE
from harness.storage.projections import KeyRow
from harness.types import Verdict

_LINE_SECONDS = 30.0  # between two lines without a terminal, so that a log stays readable
_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(bar_width=24),
    MofNCompleteColumn(),
    TextColumn("{task.fields[note]}"),
    TimeRemainingColumn(compact=True),
)


@contextmanager
def task_progress(
    *, sampling: bool, several: bool = False
) -> Iterator[Callable[[Sequence[TaskRun]], Observer]]:
    """Show progress on stderr: a bar per task on a terminal, otherwise a line every 30 seconds.

    Args:
        sampling: count samples up to those asked for; otherwise count grades of stored samples.
        several: there are several run folders, so each line names its own.
    """
    console = terminal(stderr=True)
    if console.is_terminal:
        yield from _bars(console, sampling, several)
    else:
        yield lambda runs: _Lines(runs, sampling, several).event


def _bars(
    console: Console, sampling: bool, several: bool
) -> Iterator[Callable[[Sequence[TaskRun]], Observer]]:
    with Progress(*_COLUMNS, console=console) as progress:

        def begin(runs: Sequence[TaskRun]) -> Observer:
            counts = [_Count(run, sampling, several) for run in runs]
            bars = {
                count.name: progress.add_task(
                    count.label, total=count.total, completed=count.done, note=""
                )
                for count in counts
            }
            by_name = {count.name: count for count in counts}

            def event(what: str, task: str, verdict: Verdict | None) -> None:
                count = by_name[task]
                count.event(what, verdict)
                progress.update(bars[task], completed=count.done, note=count.note())

            return event

        yield begin


@contextmanager
def question_progress() -> Iterator[Callable[[str, int], Callable[[bool], None]]]:
    """Show the progress of asking a model, on stderr: a bar or a line for each task.

    What is yielded takes a task and its number of questions, and returns what is called whenever
    one has ended, with whether it failed.
    """
    console = terminal(stderr=True)
    if not console.is_terminal:
        yield _question_lines
        return
    with Progress(*_COLUMNS, console=console) as progress:

        def begin(task: str, questions: int) -> Callable[[bool], None]:
            bar = progress.add_task(f"{task} {MODEL_JUDGE}", total=questions, note="")
            failures = 0

            def ended(failed: bool) -> None:
                nonlocal failures
                failures += failed
                progress.update(bar, advance=1, note=f"{failures} errors" if failures else "")

            return ended

        yield begin


def _question_lines(task: str, questions: int) -> Callable[[bool], None]:
    done = failures = 0
    due = time.monotonic() + _LINE_SECONDS

    def ended(failed: bool) -> None:
        nonlocal done, failures, due
        done, failures = done + 1, failures + failed
        if time.monotonic() >= due:
            due = time.monotonic() + _LINE_SECONDS
            errors = f" {failures} errors" if failures else ""
            sys.stderr.write(f"{task} {MODEL_JUDGE} {done}/{questions}{errors}\n")

    return ended


class _Count:
    """The progress of one task."""

    def __init__(self, run: TaskRun, sampling: bool, several: bool) -> None:
        self.name = run.task.name
        self.label = f"{run.folder.path.parent.name} {self.name}" if several else self.name
        self._sampling = sampling
        self.graded = self.correct = self.failed = 0
        stored = sum(1 for _ in run.folder.read("samples.jsonl", KeyRow))
        self.total = sum(run.asked.values()) if sampling else stored
        self.done = stored if sampling else 0

    def event(self, what: str, verdict: Verdict | None) -> None:
        """Count one event of the runner."""
        if what == "graded":
            self.graded += 1
            self.correct += verdict is Verdict.CORRECT
            self.failed += verdict is Verdict.ERROR
            self.done += not self._sampling
        else:
            self.done += self._sampling
            self.failed += what == "failed"

    def note(self) -> str:
        """Share of correct samples so far, and failures."""
        parts = [f"{self.correct / self.graded:.1%} correct"] if self.graded else []
        return " ".join(parts + ([f"{self.failed} errors"] if self.failed else []))


class _Lines:
    """Progress as plain lines, for logs."""

    def __init__(self, runs: Sequence[TaskRun], sampling: bool, several: bool) -> None:
        self._counts = {run.task.name: _Count(run, sampling, several) for run in runs}
        self._next = time.monotonic() + _LINE_SECONDS

    def event(self, what: str, task: str, verdict: Verdict | None) -> None:
        """Count one event, and print the progress of all tasks if it is time."""
        self._counts[task].event(what, verdict)
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _LINE_SECONDS
        parts = [f"{c.label} {c.done}/{c.total} {c.note()}".strip() for c in self._counts.values()]
        sys.stderr.write(" | ".join(parts) + "\n")
