from __future__ import annotations

import base64
import json
import pickle
import subprocess
import tracemalloc
import zlib
from typing import Any

import pytest

from harness.errors import DataError
from harness.judge.formats import batch_row, livecodebench_tests
from harness.types import TestCase

PUBLIC = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return subprocess.check_output, (["touch", "/tmp/never"],)


def packed(value: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


def packed_bytes(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def row(**fields: object) -> dict[str, object]:
    return {
        "question_id": "q7",
        "public_test_cases": json.dumps(PUBLIC),
        "metadata": "{}",
        **fields,
    }


def test_public_and_private_tests_in_either_form() -> None:
    expected = (TestCase("1\n", "2\n"),) * 2
    assert livecodebench_tests(row(private_test_cases=json.dumps(PUBLIC))) == expected
    assert livecodebench_tests(row(private_test_cases=packed(json.dumps(PUBLIC)))) == expected


def test_functional_tests_name_their_function() -> None:
    tests = json.dumps([{"input": "[1]\n2", "output": "3", "testtype": "functional"}])
    found = livecodebench_tests(row(public_test_cases=tests, metadata='{"func_name": "f"}'))
    assert found == (TestCase("[1]\n2", "3", "f"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"private_test_cases": "!!!"},
        {"private_test_cases": base64.b64encode(b"xx").decode()},
        {"private_test_cases": packed(Evil())},
        {"private_test_cases": packed([1])},
        {"private_test_cases": packed(json.dumps(PUBLIC))[:-8]},
        {"private_test_cases": packed("{}")},
        {"public_test_cases": "[1"},
        {"public_test_cases": '[{"input": "1", "testtype": "stdin"}]'},
        {"public_test_cases": '[{"input": 1, "output": "1", "testtype": "stdin"}]'},
        {"public_test_cases": '[{"input": "1", "output": "1", "testtype": "functional"}]'},
        {"public_test_cases": "[]"},
        {"metadata": "{"},
        {"metadata": "[]"},
        {"private_test_cases": 5},
        {"private_test_cases": [{"input": "1"}]},
        {"private_test_cases": packed("[" * 5000)},
        {"private_test_cases": packed('[{"input": "\\ud800", "output": "", "testtype": "stdin"}]')},
        {"private_test_cases": packed_bytes(b"\x80\x04\x8d" + b"\xff" * 8 + b"ab\x94.")},
        {"public_test_cases": json.dumps([{**PUBLIC[0], "more": "x"}])[:-1] + "}"},
    ],
)
def test_what_cannot_be_decoded_is_an_error_with_its_place(fields: dict[str, object]) -> None:
    with pytest.raises(DataError, match="q7"):
        livecodebench_tests(row(**fields))


def test_what_is_too_large_is_refused_before_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.problem_tests.MAX_BYTES", 1 << 20)
    large = packed(json.dumps([{**PUBLIC[0], "input": "1" * (20 << 20)}]))
    tracemalloc.start()
    with pytest.raises(DataError, match="q7, private_test_cases cannot be decoded: more than"):
        livecodebench_tests(row(private_test_cases=large))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_what_a_header_promises_is_not_reserved() -> None:
    promised = packed_bytes(b"\x80\x04X" + (1 << 31).to_bytes(4, "little") + b"[]\x94.")
    tracemalloc.start()
    with pytest.raises(DataError, match="q7, private_test_cases cannot be decoded"):
        livecodebench_tests(row(private_test_cases=promised))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


def test_batch_rows() -> None:
    one = batch_row(
        {"name": "x", "language": "cpp", "source": "s", "stdin": "i", "expected_output": "o"}
    )
    assert (one.id, one.tests, one.checker) == ("x", (TestCase("i", "o"),), "tokens")
    assert one.submission and one.submission.language == "cpp" and not one.submission.prelude
    with_code = batch_row(row(code="print(1)", response="```\nprint(2)\n```"))
    assert with_code.submission and with_code.submission.source == "print(1)"
    assert with_code.submission.prelude and with_code.checker == "lcb"
    answered = batch_row(row(response="hm ```\nprint(3)\n```</think>```\nprint(2)\n```"))
    assert answered.submission and answered.submission.source == "print(2)"
    assert batch_row(row(response="no code")).submission is None
    with pytest.raises(DataError, match="neither"):
        batch_row({"id": 1})
