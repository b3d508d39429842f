"""200,000 random LaTeX-like strings (`make fuzz`); a small share of them runs with the other tests."""

import importlib.util
import time
from pathlib import Path

import pytest

from harness.graders.extraction.find import find
from harness.graders.integer import integer_of
from harness.graders.latex.grammar.parser import read
from harness.graders.letters.stated import stated_letter
from harness.graders.math import Math, reading

_SPEC = importlib.util.spec_from_file_location("strings", Path(__file__).with_name("strings.py"))
assert _SPEC and _SPEC.loader
_STRINGS = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_STRINGS)

_LIMIT = 2.0  # seconds of wall time an answer


def run(seed: int, count: int, *, fallback_every: int) -> None:
    """Extract from, read and compare each string with itself and with its neighbour."""
    texts = _STRINGS.strings(seed, count)
    for at, text in enumerate(texts):
        started = time.monotonic()
        find(text, "lenient")
        stated_letter(text, "lenient")
        integer_of(text)
        if read(text) is not None:
            assert reading(text, text) is True, text
        other = texts[at - 1]
        settled = reading(other, text)
        if settled is None and at % fallback_every == 0:
            Math().settle(other, text)
        assert time.monotonic() - started < _LIMIT, text


def test_some_random_strings():
    run(seed=1, count=2_500, fallback_every=300)


@pytest.mark.fuzz
@pytest.mark.parametrize("seed", range(100, 120))
def test_many_random_strings(seed):
    run(seed, count=10_000, fallback_every=100)
