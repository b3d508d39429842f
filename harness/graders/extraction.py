"""Which answer a response states. Pure.

    completion -> split_reasoning -> response -> find -> extracted answer

`harness.graders.letters` reads the letters of multiple choice in place of `find`. Every search runs from
the end of the text and is bounded, so that the cost stays linear in the length of the response
whatever it holds.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Policy = Literal["strict", "lenient"]
"""Where an answer may stand. `strict`: in a box, else in an answer phrase ("the answer is ..").
`lenient`: else in the last formula of the closing sentence, else the whole text is the answer."""


class Found(NamedTuple):
    """An extracted answer and where it stood: `box`, `phrase`, `formula`, `number` or `whole`."""

    text: str
    place: str


def find(response: str, policy: Policy = "strict") -> Found | None:
    """The answer that a response states, as written there, or None.

    The last balanced box counts; boxes that only punctuation, "and", "or" or the name of a
    variable stand between are one answer. Then the last answer phrase. `policy` may allow more.
    """
    box = boxed(response)
    if box is not None:
        return Found(box, "box") if box else None
    stated = _phrased(response)
    if stated is not None:
        return Found(stated, "phrase")
    return _closing(response) if policy == "lenient" else None


# Boxes

_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
_BRACE = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{|\\.|[{}]", re.DOTALL)
_JOINT = re.compile(r"[,;&]|\b(?:and|or)\b")
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s*([A-Za-z0-9]{1,20})(?![A-Za-z0-9{])")
_BETWEEN_BOXES = re.compile(
    r"(?:\s|[$,;&*]|\\[()\[\],;:! ]|\\q?quad|\\text\{|\}|(?<=\s)[a-z]{1,12} and\b|\b(?:and|or)\b"
    r"|(?:\\?[A-Za-z]{1,5}(?:_\{?\w{1,3}\}?)?\s*=))*"
)


def boxed(text: str) -> str | None:
    """Content of the last balanced box, joined with the boxes that stand right before it."""
    last = max(text.rfind(name) for name in ("\\boxed", "\\fbox", "\\framebox"))
    if last < 0:
        return None
    paragraph = text.rfind("\n\n", 0, last) + 1
    spans = _box_spans(text, paragraph) or (_box_spans(text, 0) if paragraph else [])
    if not spans:
        bare = _BARE_BOX.match(text, last)
        return bare[1] if bare else None
    first = len(spans) - 1
    while first and _joins(text[spans[first - 1][1] + 1 : spans[first][0]]):
        first -= 1
    contents = [_inside(text, span) for span in spans[first:]]
    # equal boxes are one answer stated twice
    return ", ".join(dict.fromkeys(contents))


def _inside(text: str, span: tuple[int, int]) -> str:
    opening = _BOX.match(text, span[0])
    return text[opening.end() if opening else span[0] : span[1]].strip()


def _joins(gap: str) -> bool:
    return (
        len(gap) <= 80
        and _JOINT.search(gap) is not None
        and _BETWEEN_BOXES.fullmatch(gap) is not None
    )


def _box_spans(text: str, start: int) -> list[tuple[int, int]]:
    """(start, closing brace) of the outermost balanced boxes from `start` on."""
    spans: list[tuple[int, int]] = []
    opened: list[int] = []  # where each open brace began: a box's backslash, or -1
    for token in _BRACE.finditer(text, start):
        brace = token[0]
        if brace == "{":
            opened.append(-1)
        elif brace == "}":
            box = opened.pop() if opened else -1
            if box >= 0:
                while spans and spans[-1][0] > box:
                    spans.pop()
                spans.append((box, token.start()))
        elif len(brace) > 2:
            opened.append(token.start())
    return spans


# Answer phrases

_ANSWER = re.compile(
    r"answers?\b\**[^.\n$:=：]{0,60}?(?:[:=：>]|\bis\b|\bare\b|\n)[\s:*]*"
    r"(?:(?:approximately|about|exactly|simply|therefore|thus|as follows|the following):?\s*)*",
    re.IGNORECASE,
)
_FORMULA = re.compile(
    r"\$\$(?P<a>[^$]{1,4000})\$\$|(?<!\\)\$(?P<b>[^$]{1,4000}?)(?<!\\)\$"
    r"|\\\((?P<c>.{1,4000}?)\\\)|\\\[(?P<d>.{1,4000}?)\\\]",
    re.DOTALL,
)
_BETWEEN_FORMULAS = re.compile(r"\s*(?:,|;|,?\s*\band\b|,?\s*\bor\b)\s*")
_UNIT_AFTER = re.compile(r"\s{0,2}(?:%|°|percent\b|pct\b|degrees?\b)")
_SENTENCE_END = re.compile(r"[.!?](?=\s|\*|\"|$)|\n\s*\n|<\|")
_CLAUSE_END = re.compile(
    r",?\s+(?:because|since|as|where|which|so|when|if|for|by|but|with|assuming|I hope)\b"
)
_SAYS_NOTHING = re.compile(
    r"(?:in)?(?:correct|complete|valid|right|wrong|found|given|unknown|not\b.*|yes or no)?",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"[*_]*(?:not|neither|never)\b", re.IGNORECASE)
_REACH = 4000  # characters: a stated answer longer than this is no answer
_TRIES = 16


def _phrased(text: str) -> str | None:
    """What follows the last "answer is", "Answer:" and the like."""
    at = len(text)
    for _ in range(_TRIES):
        at = max(text.rfind("nswer", 0, at), text.rfind("NSWER", 0, at))
        if at < 1:
            return None
        phrase = _ANSWER.match(text, at - 1)
        if phrase and not _NEGATED.match(text, phrase.end()):
            found = _statement(text[phrase.end() : phrase.end() + _REACH])
            if _BOX.search(found):
                return None  # a box that was cut off
            if found and not _SAYS_NOTHING.fullmatch(found):
                return found
    return None


def _statement(rest: str) -> str:
    """The answer at the start of what follows an answer phrase."""
    rest = rest.lstrip(' \t\r\n*_"\\' if rest.startswith('\\"') else " \t\r\n*_\"'")
    first = _FORMULA.match(rest)
    if first:
        return _run_of_formulas(rest, first)
    end = _SENTENCE_END.search(rest)
    sentence = rest[: end.start()] if end else rest
    formulas = list(_FORMULA.finditer(sentence))
    if formulas:
        return _last_run(sentence, formulas)
    sentence = sentence.partition("\n")[0]
    if " is " in sentence:
        sentence = sentence.rpartition(" is ")[2]
    clause = _CLAUSE_END.search(sentence)
    return (sentence[: clause.start()] if clause else sentence).strip(" \t*_\"'")


def _run_of_formulas(text: str, first: re.Match[str]) -> str:
    """The formula `first` with those that follow it after a comma, "and" or "or"."""
    end = first.end()
    while True:
        gap = _BETWEEN_FORMULAS.match(text, end)
        following = _FORMULA.match(text, gap.end()) if gap else None
        if not following:
            break
        end = following.end()
    unit = _UNIT_AFTER.match(text, end)
    if end == first.end() and not unit:
        return next(part for part in first.groups() if part is not None).strip()
    return text[first.start() : unit.end() if unit else end]


def _last_run(text: str, formulas: list[re.Match[str]]) -> str:
    first = len(formulas) - 1
    while first and _BETWEEN_FORMULAS.fullmatch(
        text, formulas[first - 1].end(), formulas[first].start()
    ):
        first -= 1
    return _run_of_formulas(text, formulas[first])


# Lenient: the closing sentence

_CHATTER = re.compile(r"\s*(?:I hope (?:it|this) is correct\.?|<\|[a-z_]{1,30}\|>\s*\w*)\s*$")
_PLAIN = re.compile(
    r"(?<![\w.\\/^_{(])(?:[$€£]\s?)?[-−]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
    r"(?:\s?/\s?\d+)?\s?%?(?![\w^_/\\(])"
)
_BREAK = re.compile(r"[.!?]\s+(?=[A-Z\\$(])|\n+")
_PROSE = re.compile(r"[a-z]{2,} [a-z]{2,} ")
_WHOLE = 2000


def _closing(text: str) -> Found | None:
    """The last formula of the closing sentence; else a number in it; else the whole text."""
    text = text.strip()
    while chatter := _CHATTER.search(text, max(0, len(text) - 80)):
        text = text[: chatter.start()]
    tail = text[-_REACH:]
    breaks = [found.end() for found in _BREAK.finditer(tail)]
    sentence = tail[breaks[-1] :] if breaks else tail
    formulas = list(_FORMULA.finditer(sentence))
    if formulas:
        return Found(_last_run(sentence, formulas), "formula")
    if _PROSE.search(sentence):
        numbers = _PLAIN.findall(sentence)
        return Found(str(numbers[-1]).strip(), "number") if numbers else None
    if breaks:
        return Found(sentence, "whole")
    return Found(text, "whole") if 0 < len(text) <= _WHOLE else None
