"""The closing sentence of a response that holds neither a box nor an answer phrase. Pure."""

from __future__ import annotations

import re

from harness.graders import clauses
from harness.graders.clauses import FORMULA, last_run, masked, squeezed
from harness.graders.latex import units
from harness.graders.phrases import REACH

_CHATTER = re.compile(r"\s*(?:I hope (?:it|this) is correct\.?|<\|[a-z_]{1,30}\|>\s*\w*)\s*$")
_PLAIN = re.compile(
    r"(?<![\w.\\/^_{(])(?:[$€£]\s?)?[-−]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?"
    r"(?:\s?/\s?\d+)?(?:\s?%)?(?:(?![\w^_/\\(]|\.\d|,\d{3}\b)|(?P<unit>[A-Za-z]{1,12}(?:/[A-Za-z]{1,9})?"
    r"(?:\^?[23²³])?)(?![\w^/]))"
)
_UNIT_WORD = re.compile(r"(?P<name>[A-Za-z]+(?:/[A-Za-z]+)?)\^?(?P<power>[23²³])?")
_BREAK = re.compile(r"[.!?]\s+(?=[A-Z\\$(])|\n+")
_PROSE = re.compile(r"[a-z]{2,} [a-z]{2,} ")
_DENIED = re.compile(
    r",?\s+(?:rather\s+than|instead\s+of|(?:and|but)?\s*not)\s+(?=[*$\\-]*\d)|,?\s+(?:because|since)\s"
)
_BOLD_NUMBER = re.compile(r"\*\*\s*\$?([-−]?\d[\d,.]*)\$?\s*\*\*")
_WHOLE = 2000


def closing(text: str) -> tuple[str, str] | None:
    """(answer, place): the last formula of the closing sentence; else a number in it; else all of it."""
    text = text.strip()
    while chatter := _CHATTER.search(text, max(0, len(text) - 80)):
        text = text[: chatter.start()]
    tail = squeezed(text[-REACH:])
    breaks = [found.end() for found in _BREAK.finditer(tail)]
    sentence = tail[breaks[-1] :] if breaks else tail
    said = _affirmed(sentence)
    formulas = list(FORMULA.finditer(said))
    if formulas:
        return last_run(said, formulas), "formula"
    if _PROSE.search(sentence) or said != sentence:
        return _number(said)
    if breaks:
        return sentence, "whole"
    return (text, "whole") if 0 < len(text) <= _WHOLE else None


def _affirmed(sentence: str) -> str:
    """The sentence without what it denies or gives as its reason at the end."""
    denied = _DENIED.search(masked(sentence))
    head = sentence[: denied.start()] if denied else sentence
    return head if any(sign.isdigit() for sign in head) else sentence


def _number(sentence: str) -> tuple[str, str] | None:
    numbers = [found for found in _PLAIN.finditer(sentence.replace("**", "")) if _is_plain(found)]
    if not numbers:
        return None
    last = numbers[-1]
    if last["unit"]:
        unit = _UNIT_WORD.fullmatch(last["unit"])
        number = last[0][: last.start("unit") - last.start()]
        return (clauses.set_unit(number, unit), "number") if unit else None
    return last[0].strip(), "number"


def _is_plain(found: re.Match[str]) -> bool:
    """Whether a number stands alone or is glued to a unit that is known: 12cm, but not 12th."""
    unit = _UNIT_WORD.fullmatch(found["unit"]) if found["unit"] else None
    return not found["unit"] or (unit is not None and units.known(units.canonical(unit["name"])))
