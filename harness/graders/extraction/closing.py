"""The closing sentence of a response that holds neither a box nor an answer phrase. Pure."""

from __future__ import annotations

import re

from harness.graders.extraction import clauses
from harness.graders.extraction.clauses import (
    FORMULA,
    NUMBER,
    last_run,
    masked,
    number_first,
    squeezed,
)
from harness.graders.extraction.phrases import REACH
from harness.graders.latex.text import units

_CHATTER = re.compile(r"\s*(?:I hope (?:it|this) is correct\.?|<\|[a-z_]{1,30}\|>\s*\w*)\s*$")
_PLAIN = re.compile(
    r"(?<![\w.\\/^_{(])(?:[$€£]\s?)?[-−]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d+)?"
    r"(?:\s?/\s?\d+)?(?:\s?%)?(?:(?![\w^_/\\(]|\.\d|,\d{3}\b)|(?P<unit>[A-Za-z]{1,12}(?:/[A-Za-z]{1,9})?"
    r"(?:\^?[23²³])?)(?![\w^/]))"
)
_UNIT_WORD = re.compile(r"(?P<name>[A-Za-z]+(?:/[A-Za-z]+)?)\^?(?P<power>[23²³])?")
_BREAK = re.compile(r"[.!?]\s+(?=[A-Z\\$(])|\n+")
_PROSE = re.compile(
    r"[a-z]{2,} [a-z]{2,} |\A[A-Z][a-z]{0,9} [a-z]{2,12} (?=[0-9.,]+[a-zA-Z/²³^]*\W*\Z)"
)
_DENIED = re.compile(
    r",?\s+(?:rather\s+than|instead\s+of|(?:and|but)?\s*not)\s+(?=[*$\\-]*\d)|,?\s+(?:because|since)\s"
)
_DENIED_VALUE = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bneither|\bno\s+longer|\bcannot|\banything\s+but|\bnowhere|\bno\s+es|\bnão|\bnon|\bnicht|\bpas|\bне)\s+(?:near\s+|be\s+|[èé]\s+|equals?\s+|exactly\s+"
    r"|to\s+){0,2}[*(]*(?:\ue000+|\$?[-−]?\d[\d.,]*)[*)]*[^\ue000\d]*$"
)
_UNSAID = re.compile(
    r"\b(?:wrong|incorrect|mistaken|na[iï]ve|previous)\s+(?:final\s+)?answer\b|\banswer\s+would\s+(?:be|have\s+been)\b[^.]*\b(?:if|but|had)\b"
    r"|\b(?:if|suppose|assume|assuming)\s+(?:that\s+)?the\s+answer\b|\b(?:between|from)\s+\d+\s+(?:and|to)\s+\d+(?:,?\s+inclusive)?\W*$"
    r"|(?:\d|\ue000)\)?\s+(?:is|was|are|were)\s+(?:(?:not|never)\s+(?:possible|correct|right|valid|the\s+answer)|impossible|wrong|incorrect|invalid|ruled\s+out)\b"
    r"|\b(?:differs?|different)\s+from\s+(?:\d|\ue000)",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"[0-9]\)?\s+or\s+(?:maybe\s+|perhaps\s+|even\s+)?\Z")
_SCALE = re.compile(r"\s+(?:thousand|million|billion|trillion|hundred|dozen)\b")
_INSTRUCTION = re.compile(
    r"\n[^\n]{0,120}\b(?:put|place|write|enclose|give|present|provide|express|box)\b[^\n]{0,40}\banswer\b[^\n]{0,60}$",
    re.IGNORECASE,
)
_TEX_ANSWER = re.compile(r"[-+]?[\d(\[\\][^$\n]*\\(?:text|mathrm|mbox|textrm)\s*\{")
_SENTENCE = re.compile(r"[\s$*<?!]|\\[(\[]|[A-Za-z]{3}")  # else it is one bare answer
_WHOLE = 2000


def closing(text: str) -> tuple[str, str] | None:
    """(answer, place): the last formula of the closing sentence; else a number in it; else all of it."""
    text = text.strip()
    if text and not _SENTENCE.search(text) and not text[-1].isalpha():
        return text, "whole"
    while chatter := _CHATTER.search(text, max(0, len(text) - 80)):
        text = text[: chatter.start()]
    instruction = _INSTRUCTION.search(text, max(0, len(text) - 300))
    if instruction:
        text = text[: instruction.start()].rstrip()
    tail = squeezed(text[-REACH:])
    breaks = [found.end() for found in _BREAK.finditer(tail)]
    sentence = tail[breaks[-1] :] if breaks else tail
    said = _affirmed(sentence)
    if _DENIED_VALUE.search(masked(said)) or _UNSAID.search(masked(sentence)):
        return None
    formulas = list(FORMULA.finditer(said))
    if formulas:
        return last_run(said, formulas), "formula"
    if not breaks and len(text) <= _WHOLE and _TEX_ANSWER.match(text):
        return text, "whole"  # an answer in TeX without its dollar signs
    if _PROSE.search(sentence) or said != sentence:
        return _number(said.replace("**", ""))
    counted = _counted(said.replace("**", ""))
    if counted is not None:
        return counted, "number"
    if breaks:
        return sentence, "whole"
    return (text, "whole") if 0 < len(text) <= _WHOLE else None


def _affirmed(sentence: str) -> str:
    """The sentence without what it denies or gives as its reason at the end."""
    denied = _DENIED.search(masked(sentence))
    head = sentence[: denied.start()] if denied else sentence
    return head if any(sign.isdigit() for sign in head) else sentence


def _counted(sentence: str) -> str | None:
    """The number that a sentence of a number and what it counts begins with: "12 residents"."""
    head = NUMBER.match(sentence)
    if not head:
        return None
    value = number_first(sentence, sentence, head)
    return value if value != sentence else None


def _number(sentence: str) -> tuple[str, str] | None:
    numbers = [found for found in _PLAIN.finditer(sentence) if _is_plain(found)]
    if not numbers:
        return None
    last = numbers[-1]
    if _ALTERNATIVE.search(sentence, 0, last.start()):
        return None
    if last["unit"]:
        unit = _UNIT_WORD.fullmatch(last["unit"])
        number = last[0][: last.start("unit") - last.start()]
        return (clauses.with_unit(number, unit), "number") if unit else None
    scale = _SCALE.match(sentence, last.end())
    return last[0].strip() + (scale[0] if scale else ""), "number"


def _is_plain(found: re.Match[str]) -> bool:
    """Whether a number stands alone or is glued to a unit that is known: 12cm, but not 12th."""
    unit = _UNIT_WORD.fullmatch(found["unit"]) if found["unit"] else None
    return not found["unit"] or (unit is not None and units.known(units.canonical(unit["name"])))
