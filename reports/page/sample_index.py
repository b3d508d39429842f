"""What the sample browser of a page knows: an index of every sample, and their texts in pieces.

The index is columns: number n of every column is sample n. Texts are read and written one piece
at a time, so that memory does not grow with them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from harness.errors import DataError
from harness.reports.graded import VERDICTS, Grades
from harness.reports.results import Result
from harness.reports.sample_lines import decode
from harness.storage.files import dump
from harness.storage.plain_files import open_to_read
from harness.types import Problem, TestCase

from .chunks import RAW_BYTES, Chunks
from .markup import answer_markup, text_markup

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNGRADED = "ungraded"
SHOWN_TEST = 2000
"""Characters of a failing test's input and output that are shown."""

_FAILED_TEST = re.compile(r"test (\d+)\b")
_KEPT = ("reasoning", "response", "finish_reason", "n_prompt_tokens", "n_reasoning_tokens", "n_tokens",
         "seconds", "seed", "choice_order")  # fmt: skip
_TEXTS = ("reasoning", "response")


@dataclass(frozen=True, slots=True)
class Statement:
    """One problem as markup, all of it safe; choices in the problem's own order."""

    statement: str
    choices: tuple[str, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Browser:
    """What the template needs: the index as JSON, and the statements in the index's order.

    A statement is None where the task hides it.
    """

    index: str
    statements: tuple[Statement | None, ...]
    n_samples: int


@dataclass(slots=True)
class _Columns:
    """Of every sample; `groups` holds run, problem and count of each stretch of samples of one problem."""

    groups: list[int] = field(default_factory=list)
    index: list[NDArray[np.int32]] = field(default_factory=list)
    verdict: list[NDArray[np.int32]] = field(default_factory=list)
    answer: list[NDArray[np.int32]] = field(default_factory=list)
    tokens: list[NDArray[np.int64]] = field(default_factory=list)

    @property
    def n_samples(self) -> int:
        return sum(self.groups[2::3])

    def packed(self) -> dict[str, Any]:
        """As the script of the page unpacks them; an index that counts up in each stretch is left out."""
        import numpy as np

        def whole(parts: list[NDArray[Any]]) -> NDArray[Any]:
            return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)

        index, tokens = whole(self.index), whole(self.tokens)
        counts = np.array(self.groups[2::3], dtype=np.int64)
        rising = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
        return {
            "groups": self.groups,
            "index": None if np.array_equal(index, rising) else index,
            "verdict": whole(self.verdict),
            "answer": whole(self.answer),
            "tokens": None if len(tokens) and tokens.max() < 0 else tokens,
        }


@dataclass(slots=True)
class _Numbers:
    """Numbers for values, in the order in which they were first met."""

    of: dict[Any, int] = field(default_factory=dict)

    def __call__(self, value: Any) -> int:
        return self.of.setdefault(value, len(self.of))


@dataclass(slots=True)
class _Gathering:
    chunks: Chunks
    show_masked: bool
    columns: _Columns = field(default_factory=_Columns)
    answers: _Numbers = field(default_factory=_Numbers)
    problems: dict[tuple[str, str, str], int] = field(default_factory=dict)
    shown: list[tuple[dict[str, Any], Statement | None]] = field(default_factory=list)
    open: list[bytes] = field(default_factory=list)
    size: int = 0
    added: int = 0
    starts: list[int] = field(default_factory=list)

    def problem(self, result: Result, problem: Problem) -> int:
        """The number of a problem; runs share it where they asked the same."""
        key = (result.task, problem.id, result.protocol.problems.get(problem.id, ""))
        if key not in self.problems:
            self.problems[key] = len(self.problems)
            self.shown.append(_shown(problem, result.task, self.hides(result)))
        return self.problems[key]

    def hides(self, result: Result) -> bool:
        return result.protocol.masked and not self.show_masked

    def index(self, result: Result, run: int) -> None:
        """Put a result's samples into the columns."""
        import numpy as np

        seen = result.observed()
        lines, grades, columns = seen.lines, seen.grades, self.columns
        problems = list(result.problems.values())
        places, counts = np.unique(lines.problems, return_counts=True)
        for place, count in zip(places.tolist(), counts.tolist(), strict=True):
            columns.groups += (run, self.problem(result, problems[place]), count)
        columns.index.append(lines.indices)
        columns.tokens.append(lines.tokens)
        verdicts = np.append(grades.verdicts.astype(np.int32), len(VERDICTS))  # ungraded comes last
        columns.verdict.append(verdicts[seen.grade_of])
        answers = np.append(grades.answers, np.int32(-1))[seen.grade_of]
        if self.hides(result):
            answers[:] = -1
        found, first = np.unique(answers, return_index=True)
        numbers = np.full(len(grades.texts) + 1, -1, dtype=np.int32)
        for answer in found[np.argsort(first)].tolist():
            if answer >= 0:
                numbers[answer] = self.answers(grades.texts[answer])
        columns.answer.append(numbers[answers])

    def add(self, row: Sequence[bytes]) -> None:
        """Put a sample's texts, JSON in parts, into the open piece; close that when it is full."""
        if not self.open:
            self.starts.append(self.added)
        self.added += 1
        self.open += (b"," if self.open else b"[", *row)
        self.size += sum(map(len, row))
        if self.size >= RAW_BYTES:
            self.close()

    def close(self) -> None:
        """Write the open piece, if there is one."""
        if self.open:
            self.chunks.add(b"".join((*self.open, b"]")))
            self.open.clear()
            self.size = 0


def gather(results: Sequence[Result], chunks: Chunks, *, show_masked: bool = False) -> Browser:
    """Read the samples of run folders, problem by problem.

    Args:
        results: the tasks of runs; one that does not know its folder is passed over.
        chunks: where the texts go.
        show_masked: also the texts of tasks that ask to hide them.

    Raises:
        DataError: a samples.jsonl that is damaged, with the line.
    """
    now = _Gathering(chunks, show_masked)
    runs, tasks = _Numbers(), _Numbers()
    for result in results:
        run = runs((result.run, result.model))
        tasks((result.task, now.hides(result)))
        now.index(result, run)
        for texts in _texts(result, hide=now.hides(result)):
            now.add(texts)
    now.close()
    known = {
        "runs": [{"name": name, "model": model} for name, model in runs.of],
        "tasks": [{"name": name, "hidden": hidden} for name, hidden in tasks.of],
        "verdicts": [*map(str, VERDICTS), UNGRADED],
        "problems": [shown for shown, _ in now.shown],
        "answers": list(now.answers.of),
        "samples": now.columns.packed(),
        "starts": now.starts,
    }
    return Browser(for_script(known), tuple(s for _, s in now.shown), now.columns.n_samples)


def for_script(value: object) -> str:
    """JSON that may stand in a script element: no text in it can end the element or open one."""
    return dump(value, orjson.OPT_SERIALIZE_NUMPY).decode().replace("<", "\\u003c")


def _shown(problem: Problem, task: str, hide: bool) -> tuple[dict[str, Any], Statement | None]:
    if hide:
        return {"id": problem.id, "task": task, "statement": None, "answer": None}, None
    texts = {"statement": problem.statement, "answer": problem.answer}
    markup = Statement(
        text_markup(problem.statement),
        tuple(answer_markup(choice) for choice in problem.choices),
        answer_markup(problem.answer) if problem.answer is not None else "",
    )
    chosen = {"choices": problem.choices} if problem.choices else {}
    return {"id": problem.id, "task": task, **texts, **chosen}, markup


def _texts(result: Result, *, hide: bool) -> Iterator[Sequence[bytes]]:
    """What the page shows of each sample of a result, by problem: a JSON object in parts."""
    seen = result.observed()
    if result.folder is None or not len(seen.lines):
        return
    decisions = _Decisions(seen.grades, list(result.problems.values()), hide=hide)
    path = result.folder.path / "samples.jsonl"
    lines = seen.lines
    columns = (lines.problems, lines.starts, lines.sizes, lines.numbers, lines.clean, seen.grade_of)
    try:
        with open_to_read(path, 0) as file:
            for problem, start, size, number, clean, grade in zip(*columns, strict=True):
                decision = decisions(problem, grade)
                text = os.pread(file.fileno(), size, start)
                if clean and not hide:
                    yield _merged(decision, text)
                else:
                    yield (_selected(decision, text, f"{path}, line {number}", hide=hide),)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _merged(decision: bytes, text: bytes) -> tuple[bytes, ...]:
    """A line of samples.jsonl as it stands, the decision's fields before its own."""
    if not decision:
        return (text[:-1],)
    return decision[:-1], b",", text[1:-1]


def _selected(decision: bytes, text: bytes, place: str, *, hide: bool) -> bytes:
    """The fields of a line that the page may show; its texts only where they are not hidden."""
    row = decode(text, place)
    more = orjson.loads(decision) if decision else {}
    return dump({name: row.get(name) for name in _KEPT if not (hide and name in _TEXTS)} | more)


class _Decisions:
    """What settled each grade, with the test case that it names, as JSON; empty where nothing is shown."""

    def __init__(self, grades: Grades, problems: Sequence[Problem], *, hide: bool) -> None:
        self.grades, self.problems, self.hide = grades, problems, hide
        self._known: dict[int, bytes] = {}
        self._tests: dict[tuple[int, int], dict[str, Any] | None] = {}

    def __call__(self, problem: int, grade: int) -> bytes:
        if grade < 0 or self.hide:
            return b""
        reason = self.grades.reasons[grade]
        found = self._known.get(reason)
        if found is None:
            detail, also = self.grades.decisions[reason]
            named = _FAILED_TEST.match(detail)
            number = int(named[1]) if named else 0
            found = _decision(detail, also, self._test(problem, number) if number else None)
            if not number:  # then it says the same of every problem
                self._known[reason] = found
        return found

    def _test(self, problem: int, number: int) -> dict[str, Any] | None:
        """A test case by its number from 1, read once for all samples of its problem that fail it."""
        key = problem, number
        if key not in self._tests:
            if any(known != problem for known, _ in self._tests):
                self._tests.clear()  # samples come by problem
            tests = self.problems[problem].tests
            there = 0 < number <= len(tests)
            self._tests[key] = _test(number, len(tests), tests[number - 1]) if there else None
        return self._tests[key]


def _decision(
    detail: str, also: Sequence[tuple[str, str]], test: Mapping[str, Any] | None
) -> bytes:
    """What settled a grade, as JSON: in words, under further scorings, and the test that it names."""
    decision: dict[str, Any] = {"detail": detail}
    if also:
        decision["also"] = dict(also)
    if test is not None:
        decision["test"] = test
    return dump(decision)


def _test(number: int, of: int, test: TestCase) -> dict[str, Any]:
    return {
        "number": number,
        "of": of,
        "function": test.function,
        **{name: _cut(getattr(test, name)) for name in ("input", "output")},
    }


def _cut(text: str) -> dict[str, Any]:
    """The beginning of a text, and how many characters it has."""
    return {"text": text[:SHOWN_TEST], "length": len(text)}
