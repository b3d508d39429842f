"""Rows of test data to submissions and test cases: LiveCodeBench's schema, and that of batch files. Pure."""

from __future__ import annotations

import base64
import binascii
import io
import json
import pickle
import zlib
from dataclasses import dataclass
from typing import Any

from harness.data.reasoning import split_reasoning
from harness.errors import DataError
from harness.judge.submission import Rule, Submission, extract
from harness.types import Row, TestCase

_MAX_PAYLOAD = 2 << 30  # bytes of one problem's tests when unpacked


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


def livecodebench_tests(row: Row) -> tuple[TestCase, ...]:
    """The public and private tests of a row in LiveCodeBench's schema.

    `TestCase.function` is set for functional problems.

    Raises:
        DataError: tests that cannot be decoded, naming the problem and the field.
    """
    place = f"problem {row.get('question_id', '?')}"
    metadata = _json(row.get("metadata") or "{}", f"{place}, metadata")
    found = []
    for name in ("public_test_cases", "private_test_cases"):
        tests = _tests(row.get(name) or "[]", f"{place}, {name}")
        for number, test in enumerate(tests, 1):
            found.append(_test(test, metadata, f"{place}, {name}, test {number}"))
    if not found:
        raise DataError(f"{place} has no tests")
    return tuple(found)


def _test(test: Any, metadata: Any, place: str) -> TestCase:
    function = None
    try:
        if test["testtype"] == "functional":
            function = metadata["func_name"]
        parts = test["input"], test["output"]
    except (KeyError, TypeError) as error:
        raise DataError(f"{place}: {error} is missing") from None
    if not all(isinstance(part, str) for part in parts):
        raise DataError(f"{place}: input and output must be texts")
    return TestCase(*parts, function)


def _tests(payload: Any, place: str) -> list[Any]:
    """A list of tests: plain JSON, or JSON packed by pickle, zlib and base64.

    Raises:
        DataError: it cannot be decoded, or is no list.
    """
    if isinstance(payload, str) and not payload.lstrip().startswith("["):
        payload = _unpacked(payload, place)
    tests = _json(payload, place) if isinstance(payload, str) else payload
    if not isinstance(tests, list):
        raise DataError(f"{place}: a list of tests is needed, not {type(tests).__name__}")
    return tests


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, TypeError) as error:
        raise DataError(f"{place} is not valid JSON: {error}") from None


def _unpacked(payload: str, place: str) -> str:
    try:
        unzip = zlib.decompressobj()
        data = unzip.decompress(base64.b64decode(payload, validate=True), _MAX_PAYLOAD)
        if not unzip.eof:
            raise DataError(f"{place}: the payload is cut, or longer than {_MAX_PAYLOAD} bytes")
        text = _OnlyText(io.BytesIO(data)).load()
    except (binascii.Error, zlib.error, pickle.UnpicklingError, EOFError, ValueError,
            IndexError, KeyError, AttributeError, TypeError) as error:  # fmt: skip
        raise DataError(f"{place} cannot be decoded: {error}") from None
    if not isinstance(text, str):
        raise DataError(f"{place}: the payload holds a {type(text).__name__}, not a text")
    return text


class _OnlyText(pickle.Unpickler):
    """Loads a pickled text. Whatever would import or call something is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"the payload asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("the payload refers to something outside it")
