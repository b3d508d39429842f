"""Lists and sets with an ellipsis: 1, 2, ..., n."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from harness.graders.latex.syntax import (
    Answer,
    Collection,
    Number,
    Symbol,
    unnamed,
)

ELLIPSIS = Symbol("...")
_MOST_ELEMENTS = 100


def sequence(items: Sequence[Answer]) -> Answer:
    """A sequence in order: (first, step, last) where it is seen to be arithmetic, else as written.

    A finite one of numbers is the list of its elements; one without an end ends in the ellipsis.
    """
    first = items[0]
    written = (unnamed(first), *items[1:])
    at = written.index(ELLIPSIS) if ELLIPSIS in written else -1
    before, after = written[:at], written[at + 1 :]
    start = [item.value for item in before if isinstance(item, Number)]
    steps = {two - one for one, two in pairwise(start)} or {Fraction(1)}
    step = next(iter(steps))
    if at < 1 or len(start) < len(before) or len(after) > 1 or len(steps) > 1 or step == 0:
        return Collection("sequence", written)
    last = after[0] if after else ELLIPSIS
    if not isinstance(last, Number):
        return Collection("sequence", (Number(start[0]), Number(step), last))
    count, rest = divmod(last.value - start[0], step)
    if rest or not 0 <= count < _MOST_ELEMENTS:
        return Collection("sequence", written)
    return Collection("list", tuple(Number(start[0] + k * step) for k in range(int(count) + 1)))
