"""Which answer a response states. Pure.

    completion -> split_reasoning -> response -> find -> extracted answer

`find` asks `boxes`, then `phrases`, then `closing`. `harness.graders.letters.stated` reads the letters of
multiple choice in its place. Every search runs from the end of the text and is bounded, so that the
cost stays linear in the length of the response whatever it holds.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from harness.graders.extraction.boxes import boxed, boxed_without_backslash, without_void_boxes
from harness.graders.extraction.closing import closing
from harness.graders.extraction.phrases import phrased

Policy = Literal["strict", "lenient"]
"""Where an answer may stand. `strict`: in a box, else in an answer phrase ("the answer is ..") or tag.
`lenient`: else in the last formula of the closing sentence, else the whole text is the answer."""


class Found(NamedTuple):
    """An extracted answer and where it stood: `box`, `phrase`, `formula`, `number` or `whole`."""

    text: str
    place: str


def find(response: str, policy: Policy = "strict") -> Found | None:
    """The answer that a response states, as written there, or None.

    The last balanced box counts; boxes that only punctuation, "and", "or", a bullet or the name of
    a variable stand between are one answer. A box that is empty or repeats an instruction is
    passed over. Then the last answer phrase or tag. `policy` may allow more.
    """
    box = boxed(response)
    if box is not None:
        return Found(box, "box")
    response = without_void_boxes(response)
    lost = boxed_without_backslash(response)
    if lost is not None:
        return Found(lost, "box")
    stated = phrased(response)
    if stated is not None:
        return Found(stated, "phrase")
    if policy == "strict":
        return None
    closed = closing(response)
    return Found(*closed) if closed else None
