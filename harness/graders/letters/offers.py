"""Letters that a text offers as choices: "C", "(C)", "option C", and those offered together. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harness.types import LETTERS


class Offer(NamedTuple):
    """Letters offered together, and where they stand in the text."""

    letters: frozenset[str]
    start: int
    end: int
    marked: bool  # "option C" or "(C)"
    capital: bool


_WORD = "A-Za-zÀ-ӿ0-9_"
_FUNCTION_WORDS = (
    "is|was|and|or|nor|because|since|as|with|for|by|which|but|due|if|not|where|from|that|this|would"
    "|will|has|in|on|at|to|only|so|than|are|corresponds?|matches|seems?|looks?|can|cannot|does|must"
)
_MENTION = re.compile(
    rf"(?<![{_WORD}°\\])(?<![{_WORD}]['’])"
    rf"(?P<letter>(?!A\s(?!(?:{_FUNCTION_WORDS})\b)[a-z]|I\s[a-z])[{LETTERS}]"
    rf"|[{LETTERS.lower().replace('i', '')}](?=\s?(?:[)\].,;:!?<(\n/\"'”’»]|[-–—]\s[a-z]{{2}}|\Z|(?:is|or|and|because|since)\b)))"
    rf"(?![{_WORD}])(?!['’]\w)(?:\s?(?P<close>[)\]\"'”’»]{{1,2}}))?"
)
_LEAD = re.compile(
    r"(?P<named>\b(?:options?|choices?)(?:(?:\s?:|\sis)?\s|-))?(?:(?P<open>[(\[\"'“‘«]{1,2})\s?)?\Z",
    re.IGNORECASE,
)
_CALL = re.compile(rf"[{_WORD}\\]\Z")  # f(A), P(A)
_RELATED_BEFORE = re.compile(r"(?:[<+·^≤≥≈]|(?<![-=])>|\d\s?[-−*/]|(?<![A-Za-z])[A-J]\s?[-−])\s?\Z")
_EQUATED_BEFORE = re.compile(r"(?<!nswer)(?<!nswer\s)=\s?\Z", re.IGNORECASE)
_RELATED_AFTER = re.compile(
    r"\s?(?:[=+^·×∝≈≤≥≠∼]|>|<(?![/|a-z])|\\[a-zA-Z]|/\s?(?:[a-z](?![a-z])|[\d\\]))|\s?[-−]\s?[A-Z]\b|-\d|\(\s?[a-z]\s?[,)]"
)
_JOINT = re.compile(
    r"\s?\(?(?P<joint>,?\s?\b(?:and/or|and|or|nor|but|plus|as well as|vs)\b\.?|\|\||[,;/&+|、或和])?\s?"
    r"(?:(?:also|maybe|perhaps|possibly|even|potentially|alternatively|both|either|else|rather),?\s?)?"
    r"(?:the )?(?:letters? |answers? )?"
)
_ALSO = re.compile(r"\s(?:(?:is|are|could|may|might|can|would|seems)\s)?also\b")
_STACKED = re.compile(r"\.?\n\s?(?:(?:[-•]|\d[.)]) ?)?")
_JOINED_TO = re.compile(
    r"\s?(?:[.,;:/&+|\n、]|\Z|[)\]]|(?:or|and|are|both|hold|together|seem|work|could|might)\b)"
)
_ENDS_LINE = re.compile(r"\.?\s?(?:\n|\Z)")


class _Mention(NamedTuple):
    """A letter that can name a choice, with its brackets and the word "option" before it."""

    letter: str
    start: int
    end: int
    named: bool
    bracketed: bool


def offers_of(text: str) -> list[Offer]:
    """Every offer of a letter in a plain text, in its order."""
    found: list[Offer] = []
    previous: _Mention | None = None
    for mention in _mentions(text):
        capital = mention.letter.isupper()
        marked = mention.named or (mention.bracketed and capital)
        letters = frozenset(mention.letter.upper())
        offer = Offer(letters, mention.start, mention.end, marked, capital)
        if previous is not None and _joins(text, previous, mention):
            one = found.pop()
            offer = Offer(one.letters | letters, one.start, mention.end, one.marked or marked,
                           one.capital and capital)  # fmt: skip
        found.append(offer)
        previous = mention
    return found


def _mentions(text: str) -> Iterator[_Mention]:
    for found in _MENTION.finditer(text):
        begin = max(0, found.start() - 14)
        lead = _LEAD.search(text, begin, found.start())
        start = lead.start() if lead else found.start()
        opening = (lead and lead["open"]) or ""
        before = text[max(0, start - 12) : start]
        symbol_before = _CALL if "(" in opening else _EQUATED_BEFORE
        if (
            symbol_before.search(before)
            or _RELATED_BEFORE.search(before)
            or _RELATED_AFTER.match(text, found.end())
        ):
            continue  # a symbol of a formula
        named = bool(lead and lead["named"])
        bracketed = "(" in opening and ")" in (found["close"] or "")
        yield _Mention(found["letter"], start, found.end(), named, bracketed)


def _joins(text: str, one: _Mention, two: _Mention) -> bool:
    """Whether two mentions are one offer: "B or C", "(B) and (C)", "B/C", lines of a list."""
    gap = text[one.end : two.start]
    if len(gap) > 80:
        return False
    if _ALSO.match(text, two.end):  # "(B) is right, and (C) could also be"
        return "." not in gap and "\n" not in gap
    if _STACKED.fullmatch(gap):
        return _ENDS_LINE.match(text, two.end) is not None
    found = _JOINT.fullmatch(gap)
    if found is None:
        return False
    joint = (found["joint"] or "").strip(" ,")
    if not joint and "," not in gap:
        capital = one.letter.isupper() and two.letter.isupper()
        alike = one.bracketed == two.bracketed and capital and not two.named
        return not gap.strip() and alike and _JOINED_TO.match(text, two.end) is not None
    if joint in ("or", "and/or", "nor", "/", "|", "或") and two.letter.isupper():
        return True
    return _JOINED_TO.match(text, two.end) is not None
