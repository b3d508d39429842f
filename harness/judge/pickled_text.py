"""The text in a pickle that holds nothing else, read without running the pickle. Pure.

Unpickling is a program: a few bytes can import a module, call it, or ask for gigabytes. The pickle of
one text has a handful of instructions, and no other is read here:

    [PROTO n] [FRAME n] the text's length, the text, [FRAME n] [MEMOIZE or a number to memoize by] STOP
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEAD = 2 + 9 + 9  # bytes before the text at most
_TAIL = 9 + 5 + 1  # and after it
_LENGTHS = {b"\x8c": "<B", b"X": "<I", b"\x8d": "<Q"}
_SKIPPED = {b"\x94": 0, b"q": 1, b"r": 4}  # memoize, by no number or by one of so many bytes


def pickled_text(pieces: Iterator[bytes]) -> bytearray:
    """The text that `pickle.dumps` wrote in protocol 3 or later, in UTF-8.

    Args:
        pieces: the pickle, which is read to its end; never more than its text is held.

    Raises:
        ValueError: the pickle is of anything else, or cut.
    """
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) >= _HEAD:
            break
    start, length = _text(data)
    end = start + length
    for piece in pieces:
        data += piece
        if len(data) > end + _TAIL:
            raise ValueError("the pickle holds more than a text")
    _check_end(bytes(data[end:]))
    del data[end:], data[:start]
    return data


def _text(data: bytearray) -> tuple[int, int]:
    """Where the text begins, and its length in bytes."""
    at = 2 if data[:1] == b"\x80" else 0
    if at and bytes(data[1:2]) > b"\x05":
        raise ValueError(f"the pickle is of protocol {data[1]}, and 5 is the last known")
    at = _past_frame(data, at)
    form = _LENGTHS.get(bytes(data[at : at + 1]))
    if form is None:
        raise ValueError(f"the pickle holds no text but instruction {bytes(data[at : at + 1])!r}")
    start = at + 1 + struct.calcsize(form)
    if len(data) < start:
        raise ValueError("the pickle is cut")
    (length,) = struct.unpack(form, data[at + 1 : start])
    return start, length


def _check_end(rest: bytes) -> None:
    at = _past_frame(rest, 0)
    skipped = _SKIPPED.get(rest[at : at + 1])
    at += 0 if skipped is None else 1 + skipped
    if rest[at:] != b".":
        raise ValueError(f"the pickle holds more than a text ({rest[:12]!r}), or is cut")


def _past_frame(data: bytes | bytearray, at: int) -> int:
    return at + 9 if data[at : at + 1] == b"\x95" else at
