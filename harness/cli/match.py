"""`harness match`: one answer against its reference, or a batch of them."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Literal, get_args

import click

from harness.cli.output import echo, terminal
from harness.data.reasoning import split_reasoning
from harness.errors import DataError, Incomplete, UsageError
from harness.graders.choice import Choice
from harness.graders.extraction.find import Policy
from harness.graders.integer import Integer
from harness.graders.math import Math
from harness.types import Problem, Row, Sample, Verdict

Kind = Literal["math", "integer", "choice"]

_ROW_KINDS: Mapping[str, Kind] = {
    "math": "math", "aime": "integer", "integer": "integer", "letter": "choice", "choice": "choice",
}  # fmt: skip
_ANY_INTEGER = 10**18
_NOTHING = re.compile(r"(?:[\s$]|\\(?:boxed|fbox)\s*\{\s*\})*")
"""A reference that states no answer: blanks, delimiters, empty boxes."""

_SHOW_PROGRESS = 2000  # rows; fewer are done before a bar could be read


class _TextsMayBeginWithMinus(click.Command):
    """Treats every argument that is not one of its options as a text, so -5 needs no escape."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value: set[str] = set()
        bare = set(self.get_help_option_names(ctx))
        for option in self.params:
            if isinstance(option, click.Option):
                (bare if option.is_flag else takes_value).update(option.opts)
        options: list[str] = []
        texts: list[str] = []
        waiting = iter(args)
        for arg in waiting:
            if arg == "--":
                texts.extend(waiting)
            elif arg in takes_value:
                options.extend((arg, *(value for value in (next(waiting, None),) if value)))
            elif arg in bare or (arg.startswith("--") and arg.partition("=")[0] in takes_value):
                options.append(arg)
            else:
                texts.append(arg)
        return super().parse_args(ctx, [*options, "--", *texts])


@click.command(cls=_TextsMayBeginWithMinus)
@click.argument("gold", required=False)
@click.argument("prediction", required=False)
@click.option("--kind", type=click.Choice(get_args(Kind)), default="math", show_default=True,
              help="Kind of the answers; a row's task_kind overrides it.")  # fmt: skip
@click.option("--extract", type=click.Choice(get_args(Policy)), default="lenient", show_default=True,
              help="Where in a response to look for the answer.")  # fmt: skip
@click.option("--batch", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              metavar="F.jsonl", help="Rows with gold and prediction, and optionally id, task_kind "
              "and form (answer: already extracted; response: the default); needs -o.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), metavar="F.jsonl",
              help="File for the verdicts of the batch, one line per row.")  # fmt: skip
def match(
    *,
    gold: str | None,
    prediction: str | None,
    kind: Kind,
    extract: Policy,
    batch: Path | None,
    output: Path | None,
) -> None:
    """Compare PREDICTION with GOLD and name the stage that settled it.

    PREDICTION is a response: its reasoning is cut off and its answer extracted. It may begin with a
    minus sign. Exits 0 if it is correct and 1 if not. A batch that ran to its end exits 0, or 4 if a
    row ended in error.
    """
    if batch is not None:
        if gold is not None:
            raise UsageError(f"--batch {batch} and {gold!r}: give a file or two texts")
        if output is None:
            raise UsageError(f"--batch {batch} needs -o F.jsonl for its verdicts")
        _match_batch(batch, output, kind, extract)
        return
    if gold is None or prediction is None:
        raise UsageError("harness match needs GOLD and PREDICTION, or --batch F.jsonl -o F.jsonl")
    if _NOTHING.fullmatch(gold):
        raise UsageError(f"GOLD {gold!r} states no answer to compare with")
    row = {"gold": gold, "prediction": prediction}
    result = match_row(row, kind=kind, extract=extract)
    echo(f"{result.verdict} (stage: {result.stage}; extracted: {result.extracted})")
    if result.verdict is not Verdict.CORRECT:
        click.get_current_context().exit(1)


@dataclass(frozen=True, slots=True)
class Match:
    """What one comparison found; times are CPU and wall time of this process in milliseconds."""

    id: object
    verdict: Verdict
    cpu_ms: float
    wall_ms: float
    stage: str
    extracted: str | None


def match_row(row: Row, *, kind: Kind, extract: Policy) -> Match:
    """Compare one row.

    Raises:
        DataError: the reference answer is empty, or not one of its kind.
    """
    if _NOTHING.fullmatch(row["gold"]):
        raise DataError(f"gold states no answer: {row['gold']!r}")
    cpu, wall = time.process_time(), time.perf_counter()
    verdict, stage, answer = _compare(row, _ROW_KINDS.get(str(row.get("task_kind")), kind), extract)
    return Match(
        id=next((row[name] for name in ("id", "name", "question_id") if name in row), None),
        verdict=verdict,
        cpu_ms=round((time.process_time() - cpu) * 1000, 3),
        wall_ms=round((time.perf_counter() - wall) * 1000, 3),
        stage=stage,
        extracted=answer,
    )


def _compare(row: Row, kind: Kind, extract: Policy) -> tuple[Verdict, str, str | None]:
    graders: dict[Kind, Math | Integer | Choice] = {
        "math": Math(extract),
        "integer": Integer(-_ANY_INTEGER, _ANY_INTEGER, extract),
        "choice": Choice(extract),
    }
    grader = graders[kind]
    if row.get("form") == "answer":
        answer = row["prediction"].strip()
        if not answer:
            return Verdict.NO_ANSWER, "no answer", None
        return *grader.settle(row["gold"], answer), answer
    reasoning, response = split_reasoning(row["prediction"])
    sample = Sample("", 0, reasoning, response, "unknown")
    grade = grader.grade(Problem(str(row.get("id", "")), "", row["gold"]), sample)
    return grade.verdict, grade.detail, grade.answer


def _match_batch(batch: Path, output: Path, kind: Kind, extract: Policy) -> None:
    """Compare every row of a file and write each verdict at once."""
    from harness.graders import sympy_client

    sympy_client.start()
    rows = list(_rows(batch))
    errors = 0
    try:
        with output.open("w", encoding="utf-8") as lines:
            for row in _with_progress(rows):
                errors += _write(lines, row, kind, extract)
    except OSError as error:
        raise UsageError(f"cannot write {output}: {error.strerror}") from None
    if errors:
        raise Incomplete(f"{errors} of {len(rows)} rows of {batch} ended in error, see {output}")


def _write(lines: IO[str], row: Row, kind: Kind, extract: Policy) -> bool:
    """Write one row's verdict; True where it ended in error."""
    try:
        line = asdict(match_row(row, kind=kind, extract=extract))
    except Exception as error:  # an internal error: the batch continues and reports it at its end
        line = {"id": row.get("id"), "verdict": Verdict.ERROR, "stage": repr(error)}
    lines.write(json.dumps(line) + "\n")
    return line["verdict"] is Verdict.ERROR


def _rows(batch: Path) -> Iterator[Row]:
    with batch.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{batch}:{number} is not valid JSON: {error.msg}") from None
            missing = [
                name
                for name in ("gold", "prediction")
                if not isinstance(row, dict) or not isinstance(row.get(name), str)
            ]
            if missing:
                raise DataError(f"{batch}:{number} has no string in its field {missing[0]}")
            yield row


def _with_progress(rows: list[Row]) -> Iterator[Row]:
    if len(rows) < _SHOW_PROGRESS or not sys.stderr.isatty():
        yield from rows
        return
    from rich.progress import track

    yield from track(rows, "Comparing", console=terminal(stderr=True), transient=True)
