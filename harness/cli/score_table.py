"""What a command prints after scoring: a table of scores, and what to know about them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from harness.cli.cost_lines import cost_lines
from harness.cli.incomplete import check_complete
from harness.cli.output import terminal
from harness.protocol import MODEL_JUDGE
from harness.stats.scores import OpenRange, TaskScores
from harness.storage.run_folder import RunFolder
from harness.types import Score, Verdict
from harness.workflows.early_stopping import in_words as stopped_text


def finish(
    path: Path, tasks: Sequence[str], results: Sequence[TaskScores], how: str | None = None
) -> None:
    """Print the scores of a run.

    Args:
        path: the run folder.
        tasks: names of its tasks.
        results: the scores of each.
        how: what completes the run, where that is not the command that its manifest names.

    Raises:
        Incomplete: samples are pending, or ended in an internal error.
    """
    console = terminal()
    console.print(score_table(tasks, results))
    for task, result in zip(tasks, results, strict=True):
        _print_notes(console, task, result)
    for line in cost_lines(RunFolder(path).manifest(), tasks, results):
        console.print(line, highlight=False)
    check_complete(path, results, how)


def _print_notes(console: Console, task: str, result: TaskScores) -> None:
    """Print what a reader must know of one task's scores."""
    if result.pending:
        console.print(
            f"{task}: incomplete: {result.pending:,} pending; the run's own command resumes it",
            highlight=False,
        )
    for line in coverage_texts(task, result):
        console.print(line, highlight=False)
    for skipped in result.skipped:
        console.print(f"{task}: no {skipped.metric}, it {skipped.why}", style="dim")
    if result.opinions:
        again = " (--judge-again asks those again)" if result.opinions.no_opinion else ""
        console.print(f"{task}: {MODEL_JUDGE}: {result.opinions}{again}", highlight=False)
    if result.range:
        console.print(range_text(task, result.range), highlight=False)
    stopped = stopped_text(task, result.stopped) if result.stopped else None
    if stopped:
        console.print(stopped, highlight=False)
    if result.duplicates:
        console.print(
            f"{task}: {result.duplicates} long samples repeat another one word for word: unless the "
            "temperature is low, look for a cache or a constant seed in front of the model"
        )


def score_table(tasks: Sequence[str], results: Sequence[TaskScores]) -> Table:
    """One line per task and metric: value, its 95 % intervals by sampling and by problems, what went wrong.

    The column of undecided samples is there where some are.
    """
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "metric"):
        table.add_column(name, no_wrap=True)
    scores = [score for result in results for score in result.scores]
    undecided = any(score.verdicts.get(Verdict.UNDECIDED) for score in scores)
    names = (
        "%",
        "95 % sampling",
        "95 % problems",
        "cut",
        *(["undecided"] if undecided else []),
        "errors",
    )
    for name in names:
        table.add_column(name, justify="right")
    for task, result in zip(tasks, results, strict=True):
        for score in result.scores:
            scoring = f" {score.scoring}" if result.several else ""
            table.add_row(
                task,
                f"{score.metric} ({_n(score)}){scoring}",
                f"{100 * score.value:.1f}",
                _ends(result.sampling_interval(score)),
                _ends(score.interval_problems),
                f"{result.truncated_share:.0%}",
                *([str(score.verdicts.get(Verdict.UNDECIDED, 0))] if undecided else []),
                str(result.errors),
            )
    return table


def _n(score: Score) -> str:
    if score.n_range is not None and not score.ragged:
        return f"n={score.n_range[0]}-{score.n_range[1]}"
    return (
        f"n{'≤' if score.ragged else '='}{score.k if score.n_range is None else score.n_range[1]}"
    )


def coverage_texts(task: str, result: TaskScores) -> list[str]:
    """Clusters among the problems, and scores that are means over a part of them, one line each."""
    lines = [f"{task}: {result.clusters}"] if result.clusters else []
    if result.unscored and not (result.pending or result.errors):
        lines.append(
            f"{task}: incomplete: problems without any response, left out of every mean: "
            f"{result.unscored:,}"
        )
    lines += [
        f"{task}: {score.metric} covers {score.n_problems:,} of {score.of_problems:,} problems; the "
        "others have fewer graded samples"
        for score in result.partial
    ]
    return lines


def range_text(task: str, found: OpenRange) -> str:
    """Between what pass@1 lies where some problems lack the tests that decide."""
    return (
        f"{task}: problems that lack the deciding tests: {found.n_open:,}; pass@1 lies between "
        f"{100 * found.low:.1f} with those all wrong and {100 * found.high:.1f} as the tests at hand "
        f"say; {_ends(found.interval)} over other problems like these (95 %)"
    )


def _ends(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else " to ".join(f"{100 * end:.1f}" for end in interval)
