"""What the sample browser of a page knows: an index of every sample, and their texts in pieces.

The index is columns: number n of every column is sample n. Texts are read and written one piece
at a time, so that memory does not grow with them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import DataError
from harness.reports.observations import Key, decode
from harness.reports.results import Result
from harness.storage.files import dump
from harness.storage.plain_files import open_to_read
from harness.types import Grade, Problem, TestCase, Verdict

from .chunks import RAW_BYTES, Chunks
from .markup import answer_markup, text_markup

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
    run: list[int] = field(default_factory=list)
    problem: list[int] = field(default_factory=list)
    index: list[int] = field(default_factory=list)
    verdict: list[int] = field(default_factory=list)
    answer: list[int] = field(default_factory=list)
    tokens: list[int | None] = field(default_factory=list)


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

    def add(self, row: Sequence[bytes]) -> None:
        """Put a sample's texts, JSON in parts, into the open piece; close that when it is full."""
        if not self.open:
            self.starts.append(len(self.columns.index) - 1)
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


@dataclass(frozen=True, slots=True)
class _Found:
    """One sample: `texts` is what the page shows of it, a JSON object in parts."""

    key: Key
    grade: Grade | None
    n_tokens: int | None
    texts: tuple[bytes, ...]


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
    runs, tasks, verdicts = _Numbers(), _Numbers(), _Numbers()
    for verdict in (*Verdict, UNGRADED):
        verdicts(str(verdict))
    for result in results:
        run = runs((result.run, result.model))
        tasks((result.task, now.hides(result)))
        for found in _samples(result, hide=now.hides(result)):
            grade = found.grade
            answer = None if grade is None or now.hides(result) else grade.answer
            columns = now.columns
            columns.run.append(run)
            columns.problem.append(now.problem(result, result.problems[found.key[0]]))
            columns.index.append(found.key[1])
            columns.verdict.append(verdicts(str(grade.verdict) if grade else UNGRADED))
            columns.answer.append(-1 if answer is None else now.answers(answer))
            columns.tokens.append(found.n_tokens)
            now.add(found.texts)
    now.close()
    known = {
        "runs": [{"name": name, "model": model} for name, model in runs.of],
        "tasks": [{"name": name, "hidden": hidden} for name, hidden in tasks.of],
        "verdicts": list(verdicts.of),
        "problems": [shown for shown, _ in now.shown],
        "answers": list(now.answers.of),
        "samples": {name: getattr(now.columns, name) for name in _Columns.__slots__},
        "starts": now.starts,
    }
    return Browser(for_script(known), tuple(s for _, s in now.shown), len(now.columns.index))


def for_script(value: object) -> str:
    """JSON that may stand in a script element: no text in it can end the element or open one."""
    return dump(value).decode().replace("<", "\\u003c")


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


def _samples(result: Result, *, hide: bool) -> Iterator[_Found]:
    """Each sample of a result, by problem."""
    if result.folder is None:
        return
    lines = result.observed().lines
    order = {id: number for number, id in enumerate(result.problems)}
    keys = sorted(lines, key=lambda key: (order[key[0]], key[1]))
    if not keys:
        return
    path = result.folder.path / "samples.jsonl"
    try:
        with open_to_read(path, 0) as file:
            for key in keys:
                line, grade = lines[key], result.grades.get(key)
                decision = {} if hide else _decision(grade, result.problems[key[0]])
                text = os.pread(file.fileno(), line.size, line.start)
                if line.clean and not hide:
                    texts = _merged(decision, text)
                else:
                    texts = (_selected(decision, text, f"{path}, line {line.number}", hide=hide),)
                yield _Found(key, grade, line.n_tokens, texts)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from error


def _merged(decision: dict[str, Any], text: bytes) -> tuple[bytes, ...]:
    """A line of samples.jsonl as it stands, the decision's fields before its own."""
    if not decision:
        return (text[:-1],)
    return dump(decision)[:-1], b",", text[1:-1]


def _selected(decision: dict[str, Any], text: bytes, place: str, *, hide: bool) -> bytes:
    """The fields of a line that the page may show; its texts only where they are not hidden."""
    row, _ = decode(text, place)
    return dump({name: row.get(name) for name in _KEPT if not (hide and name in _TEXTS)} | decision)


def _decision(grade: Grade | None, problem: Problem) -> dict[str, Any]:
    """What settled a grade, with the test case that it names."""
    if grade is None:
        return {}
    decision: dict[str, Any] = {"detail": grade.detail}
    if grade.also:
        decision["also"] = dict(grade.also)
    named = _FAILED_TEST.match(grade.detail)
    if named and 0 < int(named[1]) <= len(problem.tests):
        decision["test"] = _test(
            int(named[1]), len(problem.tests), problem.tests[int(named[1]) - 1]
        )
    return decision


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
