from __future__ import annotations

import pickle
import pickletools
from collections.abc import Iterator

import pytest

from harness.judge.pickled_text import pickled_text


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("text", ["", "a", "x" * 255, "x" * 256, "é\n" * 40_000])
@pytest.mark.parametrize("size", [1, 700, 1 << 20])
def test_a_text_comes_back_in_any_pieces(protocol: int, text: str, size: int) -> None:
    found = pickled_text(pieces(pickle.dumps(text, protocol), size))
    assert found.decode() == text


def test_the_short_form_and_that_of_very_long_texts_are_read() -> None:
    assert pickled_text(iter([b"\x80\x04\x8c\x02hi."])) == b"hi"
    assert pickled_text(iter([b"\x80\x04\x8d\x02" + bytes(7) + b"hi\x94."])) == b"hi"
    assert pickled_text(iter([pickletools.optimize(pickle.dumps("hi"))])) == b"hi"


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps([1]),
        pickle.dumps(b"bytes"),
        pickle.dumps(len),
        pickle.dumps(("a", "b")),
        pickle.dumps("text", 0),
        pickle.dumps("text")[:-1],
        pickle.dumps("text")[:6],
        pickle.dumps("text") + b".",
        b"\x80\x04\x8c\x02hi0\x8c\x02ho.",
        b"\x80\x09\x8c\x02hi.",
        b"\x80",
        b"",
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_nothing_else_is_read(data: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="the pickle"):
        pickled_text(pieces(data, size))
