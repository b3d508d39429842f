"""What a report needs of a task's samples, from one pass over them: where each stands, its length, words.

Texts are read one by one and dropped; what stays is a few numbers per sample, and where its line
is, so that a page copies texts without reading the file again.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import IO, Any

import orjson

from harness.errors import DataError
from harness.stats.metrics import tally_problem
from harness.storage.plain_files import open_to_read
from harness.types import Grade, Sample, Tally, Verdict

Classes = Callable[[str], Callable[[Sequence[str]], list[int]] | None]
"""By a task's name, what numbers the equivalence classes of its answers; None where unknown."""

Key = tuple[str, int]
"""Of a sample: problem id and index."""

_WORDS = Path(__file__).parent / "reflection_words.txt"
_BUFFER = 1 << 20
_FIELDS = frozenset(field.name for field in fields(Sample))


@dataclass(frozen=True, slots=True)
class Length:
    """One graded sample: whether it is right, and its tokens with the reasoning."""

    problem_id: str
    correct: bool
    tokens: int


@dataclass(frozen=True, slots=True)
class Line:
    """Where a sample stands in samples.jsonl, in bytes, and its tokens with the reasoning.

    `clean` says that the line is valid JSON, of exactly the fields of a sample, between
    braces that are its first and last characters.
    """

    start: int
    size: int
    number: int
    n_tokens: int | None
    clean: bool


@dataclass(slots=True)
class Observations:
    """One task of one run.

    `grades` holds each problem's graded samples by index, `lengths` those whose tokens were
    counted, `words` how often each reflection word stands in the `n_reasoning` samples that hold
    reasoning, `lines` where the samples are, also those without a grade.
    """

    grades: Mapping[str, Sequence[Grade]]
    lengths: list[Length] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    n_reasoning: int = 0
    lines: dict[Key, Line] = field(default_factory=dict)

    def tallies(self, classes: Callable[[Sequence[str]], list[int]] | None) -> list[Tally]:
        """One tally per problem; without `classes` it holds no votes that mean anything."""
        return [tally_problem(found, classes) for found in self.grades.values() if found]


def observe(
    path: Path,
    problems: Mapping[str, object],
    grades: Mapping[Key, Grade],
    *,
    words: bool = False,
) -> Observations:
    """Read the samples of a task once.

    Args:
        path: samples.jsonl; one that is missing holds no sample.
        problems: by id, those whose samples count, in the order of the report.
        grades: of those problems; one with verdict `error` is no grade.
        words: count the reflection words in reasoning too.

    Raises:
        DataError: a file that cannot be read, or a line that is no sample (its number is named).
    """
    graded = {key: grade for key, grade in grades.items() if grade.verdict is not Verdict.ERROR}
    by_problem: dict[str, list[Grade]] = {id: [] for id in problems}
    for _, grade in sorted(graded.items()):
        by_problem[grade.problem_id].append(grade)
    seen = Observations(by_problem)
    for line, row in _rows(path):
        key = _key(row, line, path)
        if key[0] not in by_problem:
            continue
        seen.lines[key] = line  # a later line replaces an earlier one
        if words and key in graded and row.get("reasoning") is not None:
            seen.n_reasoning += 1
            seen.words.update(count_words(row["reasoning"]))
    seen.lengths = [
        Length(key[0], graded[key].verdict is Verdict.CORRECT, line.n_tokens)
        for key, line in seen.lines.items()
        if line.n_tokens is not None and key in graded
    ]
    return seen


def decode(line: bytes, place: str) -> tuple[dict[str, Any], bool]:
    """One line of samples.jsonl, and whether it is valid as it stands.

    Of text that is not valid Unicode the broken parts are replaced. `place` names the line.

    Raises:
        DataError: the line is not JSON.
    """
    try:
        return orjson.loads(line), True
    except orjson.JSONDecodeError:
        try:
            return json.loads(line.decode("utf-8", "replace")), False
        except ValueError as error:
            raise DataError(f"{place}: not valid JSON ({error})") from error


def count_words(text: str) -> Counter[str]:
    """How often each reflection word stands in a text."""
    low = text.lower()
    return Counter(
        " ".join(found[0].split())
        for found in _pattern().finditer(low)
        if not found.start()
        or not (low[found.start() - 1].isalnum() or low[found.start() - 1] in "_-")
    )


@cache
def reflection_words() -> tuple[str, ...]:
    """The words that are counted, in the order of their file."""
    lines = _WORDS.read_text(encoding="utf-8").splitlines()
    return tuple(line.strip().lower() for line in lines if line.strip() and line[0] != "#")


def _rows(path: Path) -> Iterator[tuple[Line, dict[str, Any]]]:
    """Each line and what it holds; a torn last line is no sample."""
    if not path.exists():
        return
    start = 0
    try:
        with open_to_read(path, _BUFFER) as file:
            for number, text in enumerate(_whole_lines(file), 1):
                row, valid = decode(text, f"{path}, line {number}")
                try:
                    clean = (
                        valid and text[:1] == b"{" and text[-2:] == b"}\n" and row.keys() == _FIELDS
                    )
                    _check(row)
                    tokens = row.get("n_tokens")
                except (AttributeError, TypeError) as error:
                    raise _not_a_sample(path, number, error) from error
                yield Line(start, len(text), number, tokens, clean), row
                start += len(text)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _check(row: Mapping[str, Any]) -> None:
    """TypeError where a field that is used here has another type."""
    for name, kind in (("problem_id", str), ("index", int), ("n_tokens", int), ("reasoning", str)):
        found = row.get(name)
        if found is not None and not isinstance(found, kind):
            raise TypeError(f"{name} is {found!r}")


def _whole_lines(file: IO[bytes]) -> Iterator[bytes]:
    return (line for line in file if line.endswith(b"\n"))


def _key(row: Mapping[str, Any], line: Line, path: Path) -> Key:
    try:
        return row["problem_id"], row["index"]
    except KeyError as error:
        raise _not_a_sample(path, line.number, error) from error


def _not_a_sample(path: Path, number: int, error: Exception) -> DataError:
    return DataError(f"{path}, line {number}: not what the harness writes ({error!r})")


@cache
def _pattern() -> re.Pattern[str]:
    longest_first = sorted(reflection_words(), key=len, reverse=True)
    choices = "|".join(re.escape(word).replace(r"\ ", r"\s+") for word in longest_first)
    # What stands before a word is checked afterwards: a pattern that begins with a choice of
    # letters is searched for several times as fast.
    return re.compile(rf"(?:{choices})(?![\w-])")
