from __future__ import annotations

import time

import pytest

from harness.errors import UsageError
from harness.judge.checkers import NAMES, checker, first_difference, returned

MIB = 1 << 20

ACCEPTED = [
    ("tokens", "6   \n\n", "6\n"),
    ("tokens", "1 2\n3", "1\n2\n3\n"),
    ("lines", "a  \nb\n\n", "a\nb"),
    ("lcb", " 1.50 2 \n", "1.5 2.0"),
    ("lcb", "a b\n", "a b"),
    ("floats", "3.1415926", "3.14159265"),
    ("floats", "1000000.5 yes", "1000000 yes"),
    ("floats:1e-2", "3.14", "3.141"),
    ("floats-abs:0.01", "100.009", "100"),
    ("floats-rel:0.01", "100.9", "100"),
    ("yes-no", "YES\nno", "Yes\nNO"),
    ("unordered", "3 1\n2 1", "1 1 2 3"),
]
REFUSED = [
    ("tokens", "", "6"),
    ("tokens", "6 6", "6"),
    ("tokens", "6", "6 6"),
    ("tokens", "٦", "6"),
    ("tokens", "1e999999999", "1000000000"),
    ("tokens", "6.0", "6"),
    ("lines", "1 2\n3", "1\n2\n3"),
    ("lines", "a  b", "a b"),
    ("lcb", "1\n\n2", "1\n2"),
    ("lcb", "٦", "6"),
    ("lcb", "nan", "NaN"),
    ("lcb", "1e999999999", "1000000000"),
    ("lcb", "1_0", "10"),
    ("lcb", "1 2", "1"),
    ("floats", "nan", "3.14159"),
    ("floats", "inf", "1e308"),
    ("floats", "1e999", "1e308"),
    ("floats-abs:0.01", "100.9", "100"),
    ("floats-rel:0.01", "0.02", "0.01"),
    ("yes-no", "yes yes", "yes"),
    ("unordered", "1 2 2", "1 1 2"),
    ("unordered", "1 2", "1 2 2"),
]
HOSTILE = [
    b"6\n" * (8 * MIB), b" " * (16 * MIB), b"\n" * (16 * MIB), b"9" * (16 * MIB), b"\0" * (16 * MIB),
    b"[" * (4 * MIB), b"1." * (8 * MIB), b"1e" + b"9" * MIB,
]  # fmt: skip


@pytest.mark.parametrize(("name", "output", "due"), ACCEPTED)
def test_accepts(name: str, output: str, due: str) -> None:
    assert checker(name)(output.encode(), due.encode())


@pytest.mark.parametrize(("name", "output", "due"), REFUSED)
def test_refuses(name: str, output: str, due: str) -> None:
    assert not checker(name)(output.encode(), due.encode())


@pytest.mark.parametrize("name", NAMES)
def test_hostile_output_is_refused_in_little_time(name: str) -> None:
    compare = checker(name)
    for output in HOSTILE:
        started = time.process_time()
        assert not compare(output, b"6 7\n8\n")
        assert not returned(output, b"6")
        assert time.process_time() - started < 1.0, output[:4]


@pytest.mark.parametrize("name", ["", "exact", "tokens:1", "floats:x", "floats:-1", "floats:nan"])
def test_unknown_checkers_are_named(name: str) -> None:
    with pytest.raises(UsageError, match="checker"):
        checker(name)


@pytest.mark.parametrize(
    ("output", "due", "equal"),
    [
        ("6", "6", True),
        ("6.0", "6", True),
        ('{"tuple": [1, 2]}', "[1, 2]", True),
        ('[{"tuple": [1, 2]}]', "[[1, 2]]", False),
        ('{"dict": [["a", 1]]}', '{"a": 1}', True),
        ('{"dict": [[1, 1]]}', '{"1": 1}', False),
        ('{"other": "T"}', "6", False),
        ("NaN", "6", False),
        ("", "6", False),
        ('{"dict": 5}', "6", False),
        ("{}", "{}", False),
        ("6 7", "6", False),
    ],
)
def test_returned_values(output: str, due: str, equal: bool) -> None:
    assert returned(output.encode(), due.encode()) is equal


@pytest.mark.parametrize(
    ("output", "expected", "line"),
    [
        (b"1\n2\n", b"1\n3\n", 'line 2 is "2", expected "3"'),
        (b"1\n", b"1\n3\n", 'output ends before line 2, expected "3"'),
        (b"", b"3", 'output ends before line 1, expected "3"'),
        (b"1\n2\n3\n", b"1\n", 'line 2 is one too many: "2"'),
        (b"1  2 \n\n", b"1 2\n", ""),
        (b"\xff\xfe", b"1", 'line 1 is "\ufffd\ufffd", expected "1"'),
        (b"x" * 10_000_000, b"1", f'line 1 is "{"x" * 60}…", expected "1"'),
    ],
)
def test_the_first_line_that_differs_is_named(output: bytes, expected: bytes, line: str) -> None:
    assert first_difference(output, expected) == line
