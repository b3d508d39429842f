"""Where an output first differs from the one due, in words for a person. Pure; decides nothing."""

from __future__ import annotations

from itertools import zip_longest

_SHOWN = 60  # characters of a line


def first_difference(output: bytes, due: bytes) -> str:
    """One line that names the first line that differs; empty where only blanks do.

    A checker may accept such a difference and refuse a later one (numbers within a tolerance), so
    this says where to look, not why the output was refused.
    """
    pairs = zip_longest(output.rstrip().splitlines(), due.rstrip().splitlines())
    for number, (found, wanted) in enumerate(pairs, 1):
        if found is None:
            return f"output ends before line {number}, due is {_quoted(wanted)}"
        if wanted is None:
            return f"line {number} is one too many: {_quoted(found)}"
        if found.split() != wanted.split():
            return f"line {number} is {_quoted(found)}, due is {_quoted(wanted)}"
    return ""


def _quoted(line: bytes) -> str:
    text = line[: 4 * _SHOWN].decode("utf-8", "replace").strip()
    return f'"{text}"' if len(text) <= _SHOWN else f'"{text[:_SHOWN]}…"'
