"""Sets and infinities that are named in words: all real numbers except 0, the empty set, infinity."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction

from harness.graders.latex.meaning.real_sets import (
    EMPTY,
    INFINITY,
    MINUS_INFINITY,
    REALS,
)
from harness.graders.latex.syntax import Answer, Brackets, Collection, Number, Relation, Symbol

_HINT = re.compile(
    r"\\forall|\b(?:(?:all|any|every)\b.{0,60}(?:[<>]|\\(?:in|neq?|[lg]eq?))(?=.)|(?:reals?|infinity|empty|null|(?:no|zero)\b.*\b(?:solutions?|roots?|such)|integers)\b)",
    re.IGNORECASE | re.DOTALL,
)
_MARKS = ("text", "\\m", "\\forall", "\\op", "infinity")
_LONGEST = 120  # characters
_TEXT = re.compile(r"\\(?:text(?:bf|it|rm|normal)?|mbox|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
_LAYOUT = re.compile(r"\$|\\[,;:! ]|~|\\q?quad(?![a-z])|\\(?:left|right|displaystyle)(?![a-z])")
_ALL = (
    r"(?:(?:for )?(?:[a-z](?: is| can be| =)? )?(?:all|any|every|each|the set of(?: all)?|set of(?: all)?)"
    r"(?: of)?(?: the)? |[a-z] is (?:a )?)"
)
_NOUN = r"real(?:s| numbers?| values?(?: of)?| [a-z](?![a-z]))?(?: [a-z](?![a-z]))?"
_ZERO = Number(Fraction(0))
_RELATION = r"[a-z]\s*(?:[<>≠=]|!=|\\(?:in|neq?|[lg]eq?|[lg]eqslant|[lg]t)(?![a-z]))"
_SIGN = r"(?:[<>≤≥]=?|\\(?:[lg]eq?|[lg]eqslant|[lg]t)(?![a-z]))"
_SUCH = re.compile(
    rf"(?:{_ALL}(?:{_NOUN})?,? ?(?:such that |with |where |satisfying |for which )?|\\forall ?)"
    rf"(?P<condition>{_RELATION}.*)"
    rf"|{_ALL}(?:{_NOUN}|[a-z]),? (?:such that|with|where|satisfying|for which|so that) (?P<between>{_RELATION}.*"
    rf"|[^a-z]*{_SIGN}\s*[a-z]\s*{_SIGN}.*)",
    re.IGNORECASE,
)
_EXCEPT = re.compile(
    rf"(?:{_ALL}|(?=real numbers|reals)){_NOUN},?\s*"
    r"(?:(?:except(?: for| when)?|other than|excluding|besides|but(?: not)?|not equal to|apart from"
    r"|not including|with) |(?:such that|where|with)?\s*[a-z]?\s*(?:\\neq?|≠|!=)\s*)(?P<rest>.+)",
    re.IGNORECASE,
)
_BEYOND = re.compile(
    rf"{_ALL}{_NOUN}(?: that (?:is|are))? (?P<how>greater|larger|bigger|more|less|smaller|lower) than"
    r"(?P<equal> or equal to)? (?P<rest>.+)",
    re.IGNORECASE,
)
_SAID: tuple[tuple[re.Pattern[str], Answer], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), value)
    for pattern, value in (
        (
            rf"{_ALL}{_NOUN}(?:,? \(?\\mathbb ?(?:\{{R\}}|R)\)?)?|(?:the )?real numbers|(?:the )?reals",
            REALS,
        ),
        (rf"(?:{_ALL}|the )?(?:strictly )?positive {_NOUN}", Brackets("(", ")", (_ZERO, INFINITY))),
        (
            rf"(?:{_ALL}|the )?(?:strictly )?negative {_NOUN}",
            Brackets("(", ")", (MINUS_INFINITY, _ZERO)),
        ),
        (rf"(?:{_ALL}|the )?non-? ?negative {_NOUN}", Brackets("[", ")", (_ZERO, INFINITY))),
        (rf"(?:{_ALL}|the )?non-? ?positive {_NOUN}", Brackets("(", "]", (MINUS_INFINITY, _ZERO))),
        (
            rf"(?:{_ALL}|the )?non-? ?zero {_NOUN}",
            Relation((REALS, Collection("set", (_ZERO,))), ("minus",)),
        ),
        (rf"{_ALL}integers?(?: [a-z])?", Symbol("mathbb Z")),
        (rf"{_ALL}positive integers?(?: [a-z])?", Symbol("mathbb Z_>0")),
        (r"(?:positive |plus |\+ ?)?infinity", INFINITY),
        (r"(?:negative |minus |- ?)infinity", MINUS_INFINITY),
        (
            r"(?:the )?(?:empty|null) set|(?:the )?(?:solution )?set is empty|(?:there (?:is|are|exists?) )?no (?:real |valid |possible )?"
            r"(?:solutions?|roots?)(?: exists?)?|no such (?:[a-z]|numbers?|values?|real numbers?)(?: exists?)?",
            EMPTY,
        ),
    )
)


def said_set(text: str, read: Callable[[str], Answer]) -> Answer | None:
    """The set or infinity that words name; None for a text that names none.

    Args:
        text: a cleaned text.
        read: the parser, for the numbers that words except.
    """
    worded = text[:1].isalpha() or any(mark in text for mark in _MARKS)
    if not worded or len(text) > _LONGEST or not _HINT.search(text):
        return None
    plain = " ".join(_LAYOUT.sub(" ", _TEXT.sub(r" \1 ", text)).split()).strip(" .,;!")
    for pattern, value in _SAID:
        if pattern.fullmatch(plain):
            return value
    beyond = _BEYOND.fullmatch(plain)
    if beyond:
        above = beyond["how"].lower() in ("greater", "larger", "bigger", "more")
        operator = (">" if above else "<") + ("=" if beyond["equal"] else "")
        return Relation((Symbol("x"), read(beyond["rest"])), (operator,))
    such = _SUCH.fullmatch(plain)
    if such:
        return read(such["condition"] or such["between"])
    without = _EXCEPT.fullmatch(plain)
    if without:
        rest = read(re.sub(r"^[a-z]\s*(?:=|\\neq?)\s*", "", without["rest"]))
        items = rest.items if isinstance(rest, Collection) else (rest,)
        return Relation((REALS, Collection("set", items)), ("minus",))
    return None
