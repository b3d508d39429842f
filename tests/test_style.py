"""The rules of tests/style.py find what they should, and nothing else."""

from __future__ import annotations

import ast

import pytest

from tests.style import errors, offences

ERRORS = "class HarnessError(Exception): ...\nclass DataError(HarnessError): ...\n"
KINDS = errors([ast.parse(ERRORS + "class TornLine(DataError): ...")])


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("x = 1\n" * 320, None),
        ("x = 1\n" * 321, "files of more than 320 lines"),
        ("def f():\n" + "    x = 1\n" * 59, None),
        ("def f():\n" + "    x = 1\n" * 60, "functions of more than 60 lines"),
        ("def _f(a, b, c, d, e): ...", None),
        ("class A:\n    def _f(self, a, b, c, d, e, *, f): ...", None),
        ("def _f(a, b, c, d, e, f): ...", "functions of more than five positional parameters"),
        ("def f(a, b, c): ...", None),
        ("def f(a, b, c, d): ...", "docstrings without Args"),
        ("def f(a, b, *, c, d): ...", "docstrings without Args"),
        ("class A:\n    '''Args:'''\n    def __init__(self, a, b, c, d): ...", None),
        ("class A:\n    def __init__(self, a, b, c, d): ...", "docstrings without Args"),
        ("class _A:\n    def f(self, a, b, c, d): ...", None),
        ("@click.command()\ndef f(a, b, c, d):\n    raise DataError('no')", None),
        ("def f():\n    raise ValueError('no')", None),
        ("def f():\n    '''DataError when ..'''\n    raise DataError('no')", None),
        ("def f():\n    if x:\n        raise TornLine", "docstrings that leave out an error"),
        ("def f():\n    def g():\n        raise DataError('no')", None),
    ],
)
def test_the_rules_refuse_what_they_should(text: str, rule: str | None) -> None:
    found = [offence.rule for offence in offences("m.py", text, KINDS)]
    assert found == ([rule] if rule else [])
