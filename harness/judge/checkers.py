"""Checkers: compare a program's output with the expected output, outside the sandbox. Pure.

The output is hostile: tens of megabytes of blanks, of digits, of lines. Every checker walks it
lazily beside the expected output and stops at the first difference, so that its cost is bounded by
the length of the output and its memory by that of the expected output: no list of lines or words
is made of an output.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any

from harness.errors import UsageError

Checker = Callable[[bytes, bytes], bool]
"""(output, expected output) -> whether the output is accepted."""

_TOKEN = re.compile(rb"\S+")
_LINE_END = re.compile(rb"\r\n|\r|\n")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,9})?")
_TOLERANCE = 1e-6
_MAX_NUMBER = 10_000  # characters of one number
_JSON_GROWTH = 64  # times the expected JSON: a value written by `portable` is no longer than that
_ITEM_GROWTH = 4  # times its items: a pair of a dict is a list there, and a tuple a dict
_SHOWN = 60  # characters of a line in `first_difference`


def checker(name: str) -> Checker:
    """The checker of a name: one of `NAMES`, those for floats with an optional tolerance.

    "floats" accepts an absolute or a relative error of 1e-6, "floats:1e-9" one of 1e-9;
    "floats-abs" accepts the absolute error alone, "floats-rel" the relative one.

    Raises:
        UsageError: there is no such checker.
    """
    base, _, argument = name.partition(":")
    if base in _PLAIN and not argument:
        return _PLAIN[base]
    if base in _FLOATS:
        try:
            tolerance = float(argument or _TOLERANCE)
        except ValueError:
            tolerance = math.nan
        if tolerance >= 0:
            absolute, relative = _FLOATS[base]
            return partial(_floats, absolute=absolute * tolerance, relative=relative * tolerance)
    raise UsageError(f"checker {name!r}: there are {', '.join(NAMES)} (floats:1e-9 and the like)")


def _tokens_of(text: bytes) -> Iterator[re.Match[bytes]]:
    return _TOKEN.finditer(text)


def _pairwise(output: bytes, expected: bytes, equal: Callable[[bytes, bytes], bool]) -> bool:
    """Whether both hold equally many tokens, equal one by one."""
    found = _tokens_of(output)
    for wanted in _tokens_of(expected):
        token = next(found, None)
        if token is None or not equal(token[0], wanted[0]):
            return False
    return next(found, None) is None


def tokens(output: bytes, expected: bytes) -> bool:
    """Equal words; white space and line ends do not matter."""
    return output == expected or _pairwise(output, expected, bytes.__eq__)


def yes_no(output: bytes, expected: bytes) -> bool:
    """Equal words, upper or lower case."""
    return _pairwise(output, expected, lambda token, wanted: token.lower() == wanted.lower())


def lines(output: bytes, expected: bytes) -> bool:
    """Equal lines; blanks at the ends of lines and empty lines at the end do not matter."""
    if output == expected:
        return True
    output, expected = output.rstrip(), expected.rstrip()
    if output.count(b"\n") != expected.count(b"\n"):
        return False
    return all(
        line.rstrip() == wanted.rstrip()
        for line, wanted in zip(_lines_of(output), _lines_of(expected), strict=True)
    )


def _lines_of(text: bytes) -> Iterator[bytes]:
    start = 0
    while True:
        end = text.find(b"\n", start)
        if end < 0:
            yield text[start:]
            return
        yield text[start:end]
        start = end + 1


def lcb(output: bytes, expected: bytes) -> bool:
    """LiveCodeBench's comparison: equal lines, or lines of equal decimal numbers.

    Digits of other scripts are not taken for numbers, as Python's Decimal would.
    """
    output, expected = output.strip(), expected.strip()
    if output.count(b"\n") != expected.count(b"\n"):
        return False
    return all(
        line.strip() == wanted.strip() or _pairwise(line, wanted, _equal_decimals)
        for line, wanted in zip(_lines_of(output), _lines_of(expected), strict=True)
    )


def _equal_decimals(token: bytes, wanted: bytes) -> bool:
    if not (_is_number(token) and _is_number(wanted)):
        return False
    try:
        return Decimal(token.decode()) == Decimal(wanted.decode())
    except InvalidOperation:
        return False


def _is_number(token: bytes) -> bool:
    return len(token) <= _MAX_NUMBER and _NUMBER.fullmatch(token) is not None


def _floats(output: bytes, expected: bytes, *, absolute: float, relative: float) -> bool:
    """Equal words, numbers within an absolute or a relative error."""

    def equal(token: bytes, wanted: bytes) -> bool:
        if token == wanted:
            return True
        if not (_is_number(token) and _is_number(wanted)):
            return False
        value, right = float(token), float(wanted)
        allowed = max(absolute, relative * abs(right))
        return math.isfinite(value) and abs(value - right) <= allowed

    return _pairwise(output, expected, equal)


def unordered(output: bytes, expected: bytes) -> bool:
    """The same words in any order."""
    missing = Counter(token[0] for token in _tokens_of(expected))
    for token in _tokens_of(output):
        if not missing[token[0]]:
            return False
        missing[token[0]] -= 1
    return not any(missing.values())


def returned(output: bytes, expected: bytes) -> bool:
    """Whether the value that a function returned equals the expected JSON, a tuple being a list.

    `output` is what `harness.judge.inside.program.portable` wrote, in a process that the
    submission controls, so it may be any bytes.
    """
    if len(output) > _JSON_GROWTH * len(expected) + 4096:
        return False
    if _items(output) > _ITEM_GROWTH * _items(expected) + 16:
        return False
    try:
        value = _value(json.loads(output))
    except (ValueError, TypeError, RecursionError, KeyError):
        return False
    value = list(value) if isinstance(value, tuple) else value
    return bool(value == json.loads(expected))


def _items(text: bytes) -> int:
    """Upper bound of the values in a JSON text, also in one that is none."""
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1


def _value(written: Any) -> Any:
    if isinstance(written, list):
        return [_value(item) for item in written]
    if isinstance(written, dict):
        ((kind, inner),) = written.items()
        if kind == "tuple":
            return tuple(_value(item) for item in inner)
        if kind == "dict":
            return {_value(key): _value(item) for key, item in inner}
        return object()
    return written


_PLAIN: dict[str, Checker] = {
    "tokens": tokens, "lines": lines, "lcb": lcb, "yes-no": yes_no, "unordered": unordered,
}  # fmt: skip
_FLOATS = {"floats": (1, 1), "floats-abs": (1, 0), "floats-rel": (0, 1)}
NAMES = (*_PLAIN, *_FLOATS)
"""The names of all checkers; "lcb" is LiveCodeBench's own comparison."""


def first_difference(output: bytes, expected: bytes) -> str:
    """One line that names the first line that differs; empty where only white space does.

    It decides nothing. A checker may accept that difference and refuse a later one (numbers within
    a tolerance), so it says where to begin reading, not why the output was refused.
    """
    pairs = itertools.zip_longest(_split(output.rstrip()), _split(expected.rstrip()))
    for number, (found, wanted) in enumerate(pairs, 1):
        if found is None:
            return f"output ends before line {number}, expected {_quoted(wanted)}"
        if wanted is None:
            return f"line {number} is one too many: {_quoted(found)}"
        if not tokens(found, wanted):
            return f"line {number} is {_quoted(found)}, expected {_quoted(wanted)}"
    return ""


def _split(text: bytes) -> Iterator[bytes]:
    """The lines of a text as `splitlines` gives them, one at a time."""
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def _quoted(line: bytes) -> str:
    text = line[: 4 * _SHOWN].decode("utf-8", "replace").strip()
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'
