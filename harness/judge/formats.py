"""Rows of test data to submissions and test cases: LiveCodeBench's schema, and that of batch files. Pure."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import orjson

from harness.data.reasoning import split_reasoning
from harness.errors import DataError
from harness.judge.pickled_text import pickled_text
from harness.judge.submission import Rule, Submission, extract
from harness.problem_tests import inflated
from harness.types import Row, TestCase


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch: a submission (None where the response holds none) and its tests."""

    id: str | None
    submission: Submission | None
    tests: tuple[TestCase, ...]
    checker: str


def batch_row(row: Row, rule: Rule = "language") -> BatchRow:
    """Parse one row of a batch file, in either of the two schemas, a response by a rule.

    Raises:
        DataError: the row is in neither, or its tests cannot be decoded.
    """
    name = next((str(row[key]) for key in ("id", "name", "question_id") if key in row), None)
    if "source" in row:
        test = TestCase(row.get("stdin", ""), row.get("expected_output", ""), row.get("fn_name"))
        submission = Submission(row["source"], row.get("language", "python"))
        return BatchRow(name, submission, (test,), row.get("checker", "tokens"))
    if "public_test_cases" not in row:
        raise DataError("the row has neither a program (source) nor tests (public_test_cases)")
    if "code" in row:
        found: Submission | None = Submission(row["code"])
    elif "response" in row:
        found = extract(split_reasoning(row["response"])[1], rule=rule)
    else:
        raise DataError("the row has neither code nor response")
    if found is not None:
        found = Submission(found.source, found.language, prelude=True)
    return BatchRow(name, found, livecodebench_tests(row), "lcb")


class _Case(msgspec.Struct):
    input: str
    output: str
    testtype: str


_CASES = msgspec.json.Decoder(list[_Case])


def livecodebench_tests(row: Row) -> tuple[TestCase, ...]:
    """The public and private tests of a row in LiveCodeBench's schema.

    `TestCase.function` is set for functional problems.

    Raises:
        DataError: tests that cannot be decoded, naming the problem and the field.
    """
    place = f"problem {row.get('question_id', '?')}"
    metadata = _metadata(row.get("metadata") or "{}", place)
    found: list[TestCase] = []
    for name in ("public_test_cases", "private_test_cases"):
        try:
            cases = _cases(row.get(name) or "[]")
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise DataError(f"{place}, {name} cannot be decoded: {error}") from None
        for number, case in enumerate(cases, 1):
            function = metadata.get("func_name") if case.testtype == "functional" else None
            if case.testtype == "functional" and not isinstance(function, str):
                raise DataError(
                    f"{place}, {name}, test {number}: it calls a function, and the metadata name "
                    f"{function!r} as func_name"
                )
            found.append(TestCase(case.input, case.output, function))
    if not found:
        raise DataError(f"{place} has no tests")
    return tuple(found)


def _metadata(given: Any, place: str) -> Mapping[str, Any]:
    try:
        found = orjson.loads(given) if isinstance(given, str) else given
    except orjson.JSONDecodeError as error:
        raise DataError(f"{place}, metadata is not valid JSON: {error}") from None
    if not isinstance(found, Mapping):
        raise DataError(f"{place}, metadata: an object is needed, not {type(found).__name__}")
    return found


def _cases(payload: Any) -> list[_Case]:
    """A list of tests: plain JSON, or JSON packed by pickle, zlib and base64."""
    if not isinstance(payload, str):
        return msgspec.convert(payload, list[_Case])
    if payload.lstrip().startswith("["):
        return _CASES.decode(payload)
    packed = base64.b64decode(payload, validate=True)
    del payload
    return _CASES.decode(pickled_text(inflated(packed)))
