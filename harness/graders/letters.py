"""Which letter of multiple choice a response states. Pure.

Searches are bounded as in `harness.graders.extraction`.
"""

from __future__ import annotations

import re

from harness.graders.boxes import boxed
from harness.graders.extraction import Policy
from harness.types import LETTERS

_BOLD_LETTER = re.compile(rf"\*\*\s*\(?([{LETTERS}])\)?[.:]?\s*\*\*")
_DECORATION = re.compile(
    r"\\(?:boxed|fbox|framebox|textbf|textit|text|mathrm|mathbf|mathit|bf|rm)(?![a-zA-Z])"
    r"|\\[()\[\],;! ]|[*_${}`#]"
)
_LETTER = rf"[(\[\"']?\s*(?P<letter>(?!I\s+[a-z])[{LETTERS}])(?![\w'’+^=])\s*\)?"
_STATED = re.compile(
    r"(?:answer|(?:correct|right|best|final)\s+(?:option|choice))\b(?P<words>[^.\n:=]{0,60}?)"
    rf"(?:[:=：>]|\bis\b|\s)\s*(?:(?:option|choice)\s+)?{_LETTER}",
    re.IGNORECASE,
)
_SHOWN = re.compile(
    rf"\b(?:option|choice)\s+{_LETTER}|\(\s*(?P<paren>[{LETTERS}])\s*\)"
    rf"|^\s*\(?(?P<alone>[{LETTERS}])\)?[.:]?\s*$|\A\s*(?P<first>[{LETTERS}])\s*[).:]",
    re.MULTILINE,
)
_BARE = re.compile(rf"(?<![\w'’])(?:(?P<bare>[{LETTERS[1:]}])(?<!I)|(?P<a>A)(?=\W*\Z))(?![\w'’])")
_BOXED_LETTER = re.compile(
    rf"\s*(?:(?:option|choice|answer)[\s:]*(?:is\s)?)?\s*(?:{_LETTER}\s*(?:[.:)].*)?"
    rf"|\(?(?P<small>[{LETTERS.lower()}])\)?)\s*",
    re.IGNORECASE | re.DOTALL,
)
_ANOTHER = re.compile(
    rf"\s*(?:(?:\bor\b|/|&)\s*(?:option\s+|choice\s+)?\(?[{LETTERS}](?!\w)"
    rf"|(?:\band\b|,)\s*(?:option\s+|choice\s+)?\(?[{LETTERS}]\)?(?=\s*(?:[.,;\n]|\Z|or\b|and\b)))"
)
_BLANK_LINES = re.compile(r"[^\S\n]*\n\s*")
_BLANK = re.compile(r"[^\S\n]+")
_LETTER_REACH = 8000


def stated_letter(response: str, policy: Policy = "strict") -> str | None:
    """The last letter that a response states as its choice, or None.

    A box decides; then "the answer is C", "correct option: C"; then "option C", "(C)", bold, or
    a line of its own. `lenient` adds a capital letter that stands alone, but never the article
    "A". Two letters joined by "or" or "and" are no answer.
    """
    box = boxed(response)
    if box is not None:
        plain = _plain(box[:_LETTER_REACH])
        found = _BOXED_LETTER.fullmatch(plain)
        return None if not found or _hedged(found, plain) else _letter(found)
    plain = _plain(response[-_LETTER_REACH:])
    for pattern in (_STATED, _SHOWN, *((_BARE,) if policy == "lenient" else ())):
        matches = [found for found in pattern.finditer(plain) if _affirmed(found)]
        if matches:
            return None if _hedged(matches[-1], plain) else _letter(matches[-1])
    return None


def _plain(text: str) -> str:
    """The text without bold, boxes, formulas and fonts; a bold letter becomes "(C)"."""
    text = _DECORATION.sub(" ", _BOLD_LETTER.sub(r" (\1) ", text))
    return _BLANK_LINES.sub("\n", _BLANK.sub(" ", text))


def _letter(found: re.Match[str]) -> str:
    return next(
        part for name, part in found.groupdict().items() if part and name != "words"
    ).upper()


def _affirmed(found: re.Match[str]) -> bool:
    """False for "the answer is not C" and for a letter in small type, which may be the article."""
    groups = found.groupdict()
    negated = re.search(r"\bnot\b|n't\b", groups.get("words") or "", re.IGNORECASE)
    return not negated and not (groups.get("letter") or "").islower()


def _hedged(found: re.Match[str], text: str) -> bool:
    return _ANOTHER.match(text, found.end()) is not None
