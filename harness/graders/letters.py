"""Which letter of multiple choice a response states. Pure.

    response -> a box that holds a letter -> answer phrase -> letter shown as a choice -> lone capital

Each stage looks for the last *offer*: one letter, or several that "or", "and", a stroke or a comma
join. An offer that is denied ("not C", "C is wrong") is passed over; one of several letters is no
answer. Searches are bounded as in `harness.graders.extraction`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.graders.extraction import Policy, boxed
from harness.graders.letter_text import in_box, plain_text
from harness.types import LETTERS

_REACH = 8000
_WINDOW = 120  # characters before an offer in which an answer phrase may begin


@dataclass(frozen=True, slots=True)
class _Offer:
    """Letters offered together, and where they stand in the text."""

    letters: frozenset[str]
    start: int
    end: int
    marked: bool  # "option C" or "(C)"
    capital: bool


def stated_letter(response: str, policy: Policy = "strict") -> str | None:
    """The last letter that a response states as its choice, or None.

    A box with a letter decides; then "the answer is C", "correct option: C"; then "option C",
    "(C)", bold, or a line of its own, which must follow a box that holds no letter. `lenient` adds
    a capital letter that stands alone, but never the article "A". Letters offered together
    ("B or C") are no answer.
    """
    box = boxed(response)
    if box is None or not box.strip(" .…_?$"):
        return _in_text(plain_text(response[-_REACH:]), policy)
    held = in_box(box[:_REACH])
    if len(held) == 1:
        return next(iter(held))
    after = plain_text(_after_box(response)[:_REACH])
    if held:  # several: an answer phrase may still settle it
        return _last(after, _offers(after), _is_stated)
    text = plain_text(response[-_REACH:])
    offers = _offers(text)
    if any(_is_stated(text, offer) for offer in offers):
        return _last(text, offers, _is_stated)
    return _last(after, _offers(after), lambda *at: _is_shown(*at) or _is_pointed_at(*at))


def _in_text(text: str, policy: Policy) -> str | None:
    offers = _offers(text)
    stages = (_is_stated, _is_shown, *((_is_lone,) if policy == "lenient" else ()))
    for stage in stages:
        if any(stage(text, offer) for offer in offers):
            return _last(text, offers, stage)
    return None


def _last(
    text: str, offers: Sequence[_Offer], fits: Callable[[str, _Offer], bool]
) -> str | None:
    letters = next((o.letters for o in reversed(offers) if fits(text, o)), frozenset())
    return next(iter(letters)) if len(letters) == 1 else None


def _after_box(text: str) -> str:
    """What follows the last box."""
    start = max(text.rfind(name) for name in ("\\boxed", "\\fbox", "\\framebox"))
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if brace[0] == "}" and depth <= 0:
            return text[start + brace.end() :]
    return ""


# Offers

_WORD = "A-Za-zÀ-ӿ0-9_"
_FUNCTION_WORDS = (
    "is|was|and|or|nor|because|since|as|with|for|by|which|but|due|if|not|where|from|that|this|would"
    "|will|has|in|on|at|to|only|so|than|are|corresponds?|matches|seems?|looks?|can|cannot|does|must"
)
_MENTION = re.compile(
    rf"(?P<named>\b(?:[oO]ptions?|OPTIONS?|[cC]hoices?|CHOICES?)(?:\s?:|\sis)?\s)?"
    rf"(?:(?P<open>[(\[\"'“‘«]{{1,2}})\s?)?"
    rf"(?<![{_WORD}°\\])(?<![{_WORD}]['’])(?P<letter>[{LETTERS}{LETTERS.lower()}])(?![{_WORD}])(?!['’]\w)"
    r"(?:\s?(?P<close>[)\]\"'”’»]{1,2}))?"
)
_CALL = re.compile(rf"[{_WORD}\\]\Z")  # f(A), P(A)
_RELATED_BEFORE = re.compile(r"(?:[<+·^≤≥≈]|(?<![-=])>|\d\s?[-−*/]|(?<![A-Za-z])[A-J]\s?[-−])\s?\Z")
_EQUATED_BEFORE = re.compile(r"[\w)\]]\s?=\s?\Z")
_RELATED_AFTER = re.compile(
    r"\s?(?:[=+^·×∝≈≤≥≠∼]|>|<(?![/|a-z])|\\[a-zA-Z]|/\s?[a-z\d\\])|\s?[-−]\s?[A-Z]\b|-\d|\(\s?[a-z]\s?[,)]"
)
_ARTICLE = re.compile(rf"\s(?!(?:{_FUNCTION_WORDS})\b)[a-z]")
_SMALL_ENDS = re.compile(r"\s?(?:[.,;:!?<(\n/]|\Z|(?:is|or|and)\b)")
_JOINT = re.compile(
    r"\s?(?P<joint>,?\s?\b(?:and/or|and|or|nor|plus|as well as|vs)\b\.?|[,;/&+|、或和])?\s?"
    r"(?:(?:also|maybe|perhaps|possibly|even|potentially|alternatively|both|either),?\s?)?"
    r"(?:the )?(?:letters? |answers? )?"
)
_STACKED = re.compile(r"\.?\n\s?(?:[-•] ?)?")
_JOINED_TO = re.compile(
    r"\s?(?:[.,;:/&+|\n、]|\Z|[)\]]|(?:or|and|are|both|hold|together|seem|work|could|might)\b)"
)
_ENDS_LINE = re.compile(r"\.?\s?(?:\n|\Z)")


def _offers(text: str) -> list[_Offer]:
    """Every offer of a letter in a plain text, in its order."""
    found: list[_Offer] = []
    previous: re.Match[str] | None = None
    for mention in _MENTION.finditer(text):
        if not _is_label(text, mention):
            continue
        letter, marked = mention["letter"], _is_marked(text, mention)
        offer = _Offer(
            frozenset(letter.upper()), mention.start(), mention.end(), marked, letter.isupper()
        )
        if found and previous is not None and _joins(text, previous, mention):
            one = found.pop()
            offer = _Offer(
                one.letters | offer.letters,
                one.start,
                offer.end,
                one.marked or marked,
                one.capital and offer.capital,
            )
        found.append(offer)
        previous = mention
    return found


def _is_marked(text: str, mention: re.Match[str]) -> bool:
    return bool(mention["named"]) or (
        _is_bracketed(mention) and mention["letter"].isupper()
    )


def _is_bracketed(mention: re.Match[str]) -> bool:
    return "(" in (mention["open"] or "") and ")" in (mention["close"] or "")


def _is_label(text: str, mention: re.Match[str]) -> bool:
    """Whether a letter can name a choice: no word, no symbol of a formula."""
    letter, end = mention["letter"], mention.end()
    if letter == "i" or (letter in "AI" and not mention["close"] and _ARTICLE.match(text, end)):
        return False
    if letter.islower() and not mention["close"] and not _SMALL_ENDS.match(text, end):
        return False
    before = text[max(0, mention.start() - 12) : mention.start()]
    symbol_before = _CALL if "(" in (mention["open"] or "") else _EQUATED_BEFORE
    if symbol_before.search(before):
        return False
    return not _RELATED_BEFORE.search(before) and not _RELATED_AFTER.match(text, end)


def _joins(text: str, one: re.Match[str], two: re.Match[str]) -> bool:
    """Whether two mentions are one offer: "B or C", "(B) and (C)", "B/C", lines of a list."""
    if two.start() - one.end() > 40:
        return False
    gap = text[one.end() : two.start()]
    if _STACKED.fullmatch(gap):
        return _ENDS_LINE.match(text, two.end()) is not None
    found = _JOINT.fullmatch(gap)
    if found is None:
        return False
    joint = (found["joint"] or "").strip(" ,")
    if not joint and "," not in gap:
        return not gap.strip() and _is_bracketed(one) and _is_bracketed(two)
    if joint in ("or", "and/or", "nor", "/", "|", "或") and two["letter"].isupper():
        return True
    return _JOINED_TO.match(text, two.end()) is not None


# Where an offer stands

_KEY = (
    r"(?:\b(?:answers?|(?:correct|right|best|final|my)\s(?:option|choice|letter)|antwort|réponse"
    r"|respuesta|risposta|resposta|ответ)\b|答案|正确选项|正確選項|[故应應]?[选選][择擇]?|答え|正解|정답)"
)
_LEADS = (
    r"(?:(?:therefore|thus|hence|then|clearly|simply|indeed|definitely|probably|likely|most|still"
    r"|actually|again|just|really|now|either|both|given by|listed as|labell?ed|marked|as follows"
    r"|the|letter|option|choice|answer|statement|是|为|為)\b,?[\s:]*)*"
)
_STATED = re.compile(
    rf"{_KEY}(?:(?P<words>[^.\n:=→]{{0,60}}?)(?:[:=>→–—-]|\b(?:is|be|was|are|est|es|ist|é|è)\b|[是為为は은는])"
    rf"[\s:>]*{_LEADS}|\s?\)?\s?{_LEADS})\Z",
    re.IGNORECASE,
)
_LOOSELY_STATED = re.compile(rf"{_KEY}(?P<words>[^.\n:=→]{{0,60}}?)\s\Z", re.IGNORECASE)
_CALLED = re.compile(
    r"[.:]?\s(?:is|must be|would be) (?:therefore |thus |clearly )?the (?:only |single )?"
    r"(?:correct|right|best) (?:answer|option|choice)\b"
)
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlikely|incorrect|wrong|instead of|rather than)\b|n['’]t\b|[不非]",
    re.IGNORECASE,
)
_WRONG_KEY = re.compile(
    r"(?:\b(?:in|un)correct|\bwrong|\bnot (?:the|an?)|n['’]t (?:the|an?))\s(?:\w+\s)?\Z", re.IGNORECASE
)
_DENIED_BEFORE = re.compile(
    r"(?:\bnot|n['’]t|\bcannot|\bnever|\bneither|\bnor|\bexcept|\bthan|\binstead of|\brul(?:ed?|es|ing) out"
    r"|\bexclud\w{1,4}|\beliminat\w{1,4}|\breject\w{0,4}|\bdiscard\w{0,4}|\bunlike)\s"
    r"(?:(?:be|the|an?|either|both|option|choice|answer|letter)s?\s){0,3}\Z",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"[.:]?\s?(?:不|错误|是错|錯)"
    r"|[.:]?\s(?:(?:is|are|was|were|must be|can be|looks?|seems?) (?:\w+ )?(?:not\b|incorrect|wrong|false"
    r"|ruled out|impossible|excluded|eliminated|invalid|out\b)"
    r"|(?:is|are|was|does|do|can|could|would)n['’]t\b|cannot\b|can not\b|fails?\b|does not\b)",
    re.IGNORECASE,
)
_FIRST = re.compile(r"[.:](?![\w.])|\s[-–—]{1,3}\s[a-z]{2}")
_LINE_START = re.compile(r"(?:\A|\n)\s?(?:[-•>] ?)?\Z")
_LINE_END = re.compile(r"[.:]?\s?[\"'”’]?(?:\n|\Z)")
_POINTED_AT = re.compile(
    r"(?:→|[-=]+>|\\(?:to|[rR]ightarrow|implies)|\bi\.e\.,?|\b(?:corresponds?|matches)\b(?: to| with)?"
    r"|\A\s?[=:,;]?)\s?\Z"
)
_CLAUSE_END = re.compile(r"\s?(?:\Z|\n|[.,;](?:\s|\Z))")


def _is_stated(text: str, offer: _Offer) -> bool:
    """Whether an answer phrase leads to the offer, or it is called the correct answer."""
    if _is_denied(text, offer):
        return False
    if _phrase(text, offer) is not None:
        return True
    return offer.capital and _CALLED.match(text, offer.end) is not None


def _phrase(text: str, offer: _Offer) -> re.Match[str] | None:
    """The answer phrase that leads to an offer."""
    before = text[max(0, offer.start - _WINDOW) : offer.start]
    found = _STATED.search(before)
    return _LOOSELY_STATED.search(before) if found is None and offer.marked else found


def _is_shown(text: str, offer: _Offer) -> bool:
    """Whether the offer is marked as a choice: "option C", "(C)", a line of its own, "C) .."."""
    if _is_denied(text, offer):
        return False
    if offer.marked:
        return True
    if not _LINE_START.search(text[max(0, offer.start - 6) : offer.start]):
        return False
    if _LINE_END.match(text, offer.end):
        return offer.capital or not text[offer.end :].strip(" .\n")
    if not offer.capital or text[: offer.start].strip():
        return False
    return text[offer.end - 1] == ")" or _FIRST.match(text, offer.end) is not None


def _is_lone(text: str, offer: _Offer) -> bool:
    """Whether the offer is capital letters that stand alone, but not the article "A" alone."""
    if not offer.capital or offer.letters == {"I"} or _is_denied(text, offer):
        return False
    return offer.letters != {"A"} or not re.search(r"\w", text[offer.end :])


def _is_pointed_at(text: str, offer: _Offer) -> bool:
    """Whether the offer is where a calculated value leads: "6.3 → C", "corresponds to C"."""
    before = text[max(0, offer.start - 40) : offer.start]
    return (
        offer.capital
        and _POINTED_AT.search(before) is not None
        and _CLAUSE_END.match(text, offer.end) is not None
        and not _is_denied(text, offer)
    )


def _is_denied(text: str, offer: _Offer) -> bool:
    before = text[max(0, offer.start - 40) : offer.start]
    if _DENIED_BEFORE.search(before) or _DENIED_AFTER.match(text, offer.end):
        return True
    phrase = _phrase(text, offer)
    return phrase is not None and bool(
        _DENIED.search(phrase["words"] or "")
        or _WRONG_KEY.search(phrase.string[: phrase.start()])
    )
