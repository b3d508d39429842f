"""`harness judge`: one program against tests, or a batch of rows."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.output import echo, terminal
from harness.errors import DataError, HarnessError, Incomplete, UsageError
from harness.judge import Judge, Result, Rule, Submission
from harness.judge.checkers import checker as named_checker
from harness.judge.formats import BatchRow, batch_row
from harness.judge.languages import LANGUAGES
from harness.judge.scoring import SCORINGS, Scoring, refusal
from harness.types import Limits, Row, TestCase, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUFFIXES = {".py": "python", ".cpp": "cpp", ".cc": "cpp", ".cxx": "cpp"}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("program", required=False, type=_FILE)
@click.option("--tests", type=_FILE, metavar="F.jsonl",
              help="Test cases: rows with input and output, and for a function also function.")  # fmt: skip
@click.option("--language", type=click.Choice(list(LANGUAGES)),
              help="Language of the program; by default taken from its file name.")  # fmt: skip
@click.option("--scoring", type=click.Choice(SCORINGS), default="process",
              show_default=True, help="Run it as a process, or a Python program as LiveCodeBench's own "
              "runner does.")  # fmt: skip
@click.option("--checker", metavar="NAME", help="How outputs are compared: tokens (the default), "
              "lines, lcb, floats, floats:1e-9, yes-no, unordered.")  # fmt: skip
@click.option("--cpu-seconds", metavar="SECONDS", type=click.FloatRange(min=0, min_open=True), default=6.0,
              show_default=True, help="CPU time limit of a test case.")  # fmt: skip
@click.option("--memory-mib", metavar="MIB", type=click.IntRange(min=16), default=1024, show_default=True,
              help="Memory limit of a test case.")  # fmt: skip
@click.option("--batch", type=_FILE, metavar="F.jsonl", help="Rows with source, stdin and "
              "expected_output, or LiveCodeBench's rows with code or response; needs -o.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="F.jsonl",
              help="File for the verdicts of the batch, one line per row.")  # fmt: skip
@click.option(
    "--workers",
    metavar="N",
    type=click.IntRange(min=1),
    help="Programs run at once; by default one per core.",
)
@click.option("--judge-python", metavar="PATH", help="Interpreter for Python programs.")
@click.option("--unsafe-judge", is_flag=True,
              help="Run without a sandbox, with resource limits only; only for programs you trust.")  # fmt: skip
def judge(
    *,
    program: Path | None,
    tests: Path | None,
    language: str | None,
    scoring: Scoring,
    checker: str | None,
    cpu_seconds: float,
    memory_mib: int,
    batch: Path | None,
    output: Path | None,
    workers: int | None,
    judge_python: str | None,
    unsafe_judge: bool,
) -> None:
    """Run PROGRAM on test cases in a sandbox and stop at the first that fails.

    Exits 0 if it is correct and 1 if not. A batch that ran to its end exits 0, or 4 if a row ended
    in error.
    """
    if checker is not None:
        named_checker(checker)
    limits = Limits(cpu_seconds, memory_mib)
    if batch is None:
        if program is None or tests is None:
            raise UsageError(
                "harness judge needs PROGRAM and --tests F.jsonl, or --batch F.jsonl -o F.jsonl"
            )
        one = _single(program, tests, language, checker or "tokens")
        if one.submission:
            _check_language(scoring, one.submission.language)
        with Judge(python=judge_python, unsafe=unsafe_judge) as running:
            result = _judged(running, one, limits, scoring)
        _show(result, unsafe_judge)
        click.get_current_context().exit(_exit_code(result))
    if program is not None or tests is not None:
        raise UsageError(f"--batch {batch} and a program: give one of the two")
    if output is None:
        raise UsageError(f"--batch {batch} needs -o F.jsonl for its verdicts")
    if language:
        _check_language(scoring, language)
    rule: Rule = "language" if scoring == "process" else "livecodebench"
    items = [_with(one, language, checker) for one in _items(batch, rule)]
    count = workers or max(1, len(os.sched_getaffinity(0)))
    with Judge(workers=count, python=judge_python, unsafe=unsafe_judge) as running:
        errors = _judge_batch(
            running, items, limits, scoring, output=output, workers=count, unsafe=unsafe_judge
        )
    if errors:
        raise Incomplete(f"{errors} of {len(items)} rows of {batch} ended in error, see {output}")


def _check_language(scoring: Scoring, language: str) -> None:
    why = refusal(scoring, language)
    if why:
        raise UsageError(why)


def _single(program: Path, tests: Path, language: str | None, checker: str) -> BatchRow:
    source = program.read_bytes().decode("utf-8", "surrogateescape")
    known = language or _SUFFIXES.get(program.suffix.lower())
    if known is None:
        raise UsageError(f"{program}: the language cannot be told from its name; give --language")
    cases = []
    for place, row in _rows(tests):
        due, given = row.get("output"), row.get("input")
        if not isinstance(due, str) or not isinstance(given, str):
            raise DataError(f"{place} needs strings in its fields input and output")
        cases.append(TestCase(given, due, row.get("function")))
    if not cases:
        raise DataError(f"{tests} holds no test cases")
    return BatchRow(str(program), Submission(source, known), tuple(cases), checker)


def _items(batch: Path, rule: Rule) -> Iterator[BatchRow]:
    for place, row in _rows(batch):
        try:
            yield batch_row(row, rule)
        except DataError as error:
            raise DataError(f"{place}: {error}") from None


def _with(one: BatchRow, language: str | None, checker: str | None) -> BatchRow:
    """The row with the options of the command line in place of its own."""
    submission = one.submission
    if language and submission:
        submission = replace(submission, language=language)
    return BatchRow(one.id, submission, one.tests, checker or one.checker)


def _rows(path: Path) -> Iterator[tuple[str, Row]]:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{path}:{number} is not valid JSON: {error}") from None
            if not isinstance(row, dict):
                raise DataError(f"{path}:{number} is not a JSON object")
            yield f"{path}:{number}", row


def _judge_batch(
    running: Judge,
    items: Sequence[BatchRow],
    limits: Limits,
    scoring: Scoring,
    *,
    output: Path,
    workers: int,
    unsafe: bool,
) -> int:
    """Judge all rows and write each verdict in order; returns how many ended in error."""
    errors = 0
    mark = f"{scoring}+unsafe-judge" if unsafe else scoring
    try:
        with output.open("w", encoding="utf-8") as lines, _threads(workers) as pool:
            results = pool.map(lambda one: _judged(running, one, limits, scoring), items)
            for one, result in zip(items, _with_progress(results, len(items)), strict=True):
                errors += result.verdict is Verdict.ERROR
                lines.write(json.dumps(_line(one, result, mark)) + "\n")
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
    return errors


@contextmanager
def _threads(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that cancels what has not begun when it is left early, by Ctrl-C for instance."""
    pool = ThreadPoolExecutor(workers)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _judged(running: Judge, one: BatchRow, limits: Limits, scoring: Scoring) -> Result:
    if one.submission is None:
        return Result(Verdict.NO_ANSWER, detail="no complete code block in the response")
    why = refusal(scoring, one.submission.language)
    if why:
        return Result(Verdict.ERROR, detail=why)
    try:
        return running.judge(
            one.submission, one.tests, limits, checker=one.checker, scoring=scoring
        )
    except HarnessError as error:
        return Result(Verdict.ERROR, detail=str(error))


def _line(one: BatchRow, result: Result, scoring: str) -> dict[str, object]:
    return {
        "id": one.id,
        "verdict": result.verdict.value,
        "cpu_ms": round(result.cpu_ms, 3),
        "wall_ms": round(result.wall_ms, 3),
        "peak_kib": result.peak_kib,
        "scoring": scoring,
        "test": result.test,
        "detail": result.detail,
    }


def _with_progress(results: Iterable[Result], total: int) -> Iterator[Result]:
    if not sys.stderr.isatty():
        yield from results
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("Judging"), BarColumn(bar_width=24), MofNCompleteColumn(),
               TextColumn("{task.fields[rate]}"))  # fmt: skip
    with Progress(*columns, console=terminal(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=total, rate="")
        for result in results:
            speed = progress.tasks[0].speed
            progress.update(bar, advance=1, rate=f"{speed:.1f} programs/s" if speed else "")
            yield result


def _show(result: Result, unsafe: bool) -> None:
    place = f"test {result.test}; " if result.test else ""
    detail = f"; {result.detail}" if result.detail else ""
    mark = "; WITHOUT A SANDBOX" if unsafe else ""
    echo(
        f"{result.verdict} ({place}{result.cpu_ms:.1f} ms CPU, {result.wall_ms:.1f} ms, "
        f"{result.peak_kib} KiB{detail}{mark})"
    )


def _exit_code(result: Result) -> int:
    if result.verdict is Verdict.ERROR:
        return Incomplete.exit_code
    return 0 if result.verdict is Verdict.CORRECT else 1
