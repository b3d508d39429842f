"""Where an output first differs, for a person to read."""

from __future__ import annotations

import pytest

from harness.judge.difference import first_difference


@pytest.mark.parametrize(
    ("output", "due", "said"),
    [
        (b"1\n2\n", b"1\n3\n", 'line 2 is "2", due is "3"'),
        (b"1\n", b"1\n3\n", 'output ends before line 2, due is "3"'),
        (b"", b"3", 'output ends before line 1, due is "3"'),
        (b"1\n2\n3\n", b"1\n", 'line 2 is one too many: "2"'),
        (b"1  2 \n\n", b"1 2\n", ""),
        (b"\xff\xfe", b"1", 'line 1 is "\ufffd\ufffd", due is "1"'),
        (b"x" * 10_000_000, b"1", f'line 1 is "{"x" * 60}…", due is "1"'),
    ],
)
def test_the_first_line_that_differs_is_named(output: bytes, due: bytes, said: str) -> None:
    assert first_difference(output, due) == said
