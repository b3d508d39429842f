"""Which letter of multiple choice a response states. Pure.

    response -> a box that holds a letter -> answer phrase -> letter shown as a choice -> lone capital

Each stage looks for the last *offer*: one letter, or several that "or", "and", a stroke or a comma
join. An offer that is denied ("not C", "C is wrong") is passed over; one of several letters is no
answer. Searches are bounded as in `harness.graders.extraction.find`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from harness.graders.extraction.boxes import boxed, last_box
from harness.graders.extraction.find import Policy
from harness.graders.letters.offers import Offer, offers_of
from harness.graders.letters.text import in_box, plain_text
from harness.types import LETTERS

_REACH = 8000
_LONGEST_BOX = 2000
_BOX = "□"  # stands for a box before what follows it, so that this does not begin a line
_WINDOW = 120  # characters before an offer in which an answer phrase may begin


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
    held = in_box(box[:_LONGEST_BOX]) | _beside_box(response)
    after = _BOX + plain_text(_after_box(response)[:_REACH])
    if len(held) == 1:
        taken_back = _TAKEN_BACK.search(after)
        rest = after[taken_back.end() :] if taken_back else ""
        return _one(_last(rest, offers_of(rest), _is_stated)) or next(iter(held))
    if held:  # several: an answer phrase may still settle it
        return _one(_last(after, offers_of(after), _is_stated))
    text = plain_text(response[-_REACH:])
    stated = _last(text, offers_of(text), _is_stated)
    if stated is not None:
        return _one(stated)
    return _one(_last(after, offers_of(after), lambda *at: _is_shown(*at) or _is_pointed_at(*at)))


def _in_text(text: str, policy: Policy) -> str | None:
    offers = offers_of(text)
    found = _last(text, offers, _is_stated)
    if found is None:
        offers = _without_lists(text, offers)
        found = _last(text, offers, _is_shown)
    if found is None and policy == "lenient":
        found = _last(text, offers, _is_lone)
    return _one(found)


def _last(text: str, offers: Sequence[Offer], fits: Callable[[str, Offer], bool]) -> Offer | None:
    return next((offer for offer in reversed(offers) if fits(text, offer)), None)


def _one(offer: Offer | None) -> str | None:
    return next(iter(offer.letters)) if offer is not None and len(offer.letters) == 1 else None


_BOX_BEFORE = re.compile(r"\\(?:boxed|fbox)\s*\{([^{}]{1,80})\}[ \t$/&|,;]{0,8}\Z")
_CHOICE_BEFORE = re.compile(
    rf"(?:\A|\n)[ \t>-]*(?:\*\*)?(?:\(\s*(?P<paren>[{LETTERS}])\s*\)|(?i:option|choice)\s+\(?(?P<named>[{LETTERS}])\)?"
    rf"|(?<=\*\*)(?P<bold>[{LETTERS}]))(?:\*\*)?[\s:.,–—-]*\$*\s*\Z"
)


_TAKEN_BACK = re.compile(
    r"(?:□|[.!?\n])[\s$*]*(?:(?:no|wait|hmm+|actually|sorry|oops|hold on)\b[,.!:…\s-]{0,6}){0,2}"
    r"(?:(?:that|this|it)(?:['’]s|\s(?:is|was))\s(?:\w+\s)?(?:wrong|incorrect|a\smistake|not\s(?:right|correct)|n['’]t\sright)"
    r"|I\s(?:made|was|have\smade)\s(?:an?\s(?:mistake|error)|wrong|mistaken))\b"
    r"|(?:□|\n)[\s$*.]*(?:no|wait)\b,?\s[^.\n]{0,80}\b(?:wrong|incorrect|mistake|error)\b",
    re.IGNORECASE,
)
"""A box taken back by what follows it."""


def _beside_box(text: str) -> frozenset[str]:
    """The letter right before the last box: in a box of its own, or "(C)" at the start of its line."""
    before = text[max(0, (start := last_box(text)) - 120) : start]
    if box := _BOX_BEFORE.search(before):
        return in_box(box[1])
    found = _CHOICE_BEFORE.search(before)
    return frozenset(filter(None, found.groups())) if found else frozenset()


def _after_box(text: str) -> str:
    """What follows the last box."""
    start = last_box(text)
    depth = 0
    for brace in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if brace[0] == "}" and depth <= 0:
            return text[start + brace.end() :]
    return ""


_CHOSEN = re.compile(
    r"[^\n]{0,200}\b(?:is|it|correct|right|true|valid|best|fits|works|matche?s?|agrees|hence|yes|answer)\b|\W{0,3}(?:\n|\Z)|[^\n]{0,200}[✓✔✅]",
    re.IGNORECASE,
)


def _without_lists(text: str, offers: Sequence[Offer]) -> list[Offer]:
    """The offers but for lists that repeat the choices: "(A) 3 (B) 4 (C) 5"."""
    kept: list[Offer] = []
    items: list[Offer] = []

    def close_list() -> None:
        if len(items) < 3 or _CHOSEN.match(text, items[-1].end):
            kept.extend(items)
        items.clear()

    for offer in offers:
        in_turn = offer.letters == {LETTERS[len(items) % len(LETTERS)]}
        if not in_turn or not _is_item(text, offer):
            close_list()
        starts = offer.letters == {LETTERS[0]} or bool(items)
        (items if starts and _is_item(text, offer) else kept).append(offer)
    close_list()
    return kept


def _is_item(text: str, offer: Offer) -> bool:
    closed = text[offer.end - 1] == ")" or text[offer.end : offer.end + 1] in (".", ":")
    return (offer.marked or closed) and not _is_denied(text, offer)


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
_KEY_WORDS = (
    *(f"{kind} {noun}" for kind in ("correct", "right", "best", "final", "my")
      for noun in ("option", "choice", "letter")),
    "answer", "antwort", "réponse", "respuesta", "risposta", "resposta", "ответ", "答", "选", "選", "正解", "정답",
)  # fmt: skip
_STATED = re.compile(
    rf"{_KEY}(?:(?P<words>[^.\n:=→]{{0,60}}?)(?:[:=>→–—-]|\b(?:is|be|was|are|est|es|ist|é|è|corresponds? to|match(?:es)?)\b|[是為为は은는])"
    rf"[\s:>]*{_LEADS}|\s?\)?\s?{_LEADS})\Z",
    re.IGNORECASE,
)
_LOOSELY_STATED = re.compile(
    rf"{_KEY}(?P<words>(?:(?!\b(?-i:[{LETTERS}])\b)[^.,;()\n:=→]){{0,60}}?)\s\Z", re.IGNORECASE
)
_CALLED = re.compile(
    r"[.:]?\s(?:is|must be|would be) (?:therefore |thus |clearly )?the (?:only |single )?"
    r"(?:correct|right|best) (?:answer|option|choice)\b"
)
_DENIED = re.compile(
    r"\b(?:not|never|neither|nor|cannot|unlikely|incorrect|wrong|instead of|rather than)\b|n['’]t\b|[不非]",
    re.IGNORECASE,
)
_WRONG_KEY = re.compile(
    r"(?:\b(?:in|un)correct|\bwrong|\bnot (?:the|an?)|n['’]t (?:the|an?))\s(?:\w+\s)?\Z",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"(?:\bnot|n['’]t|\bcannot|\bnever|\bneither|\bnor|\bexcept|\bthan|\binstead of|\brul(?:ed?|es|ing) out"
    r"|\bexclud\w{1,4}|\beliminat\w{1,4}|\breject\w{0,4}|\bdiscard\w{0,4}|\bunlike)\s"
    r"(?:(?:be|the|an?|either|both|option|choice|answer|letter)s?\s){0,3}\Z",
    re.IGNORECASE,
)
_DENYING_WORDS = ("not", "n't", "n’t", "nor", "neither", "never", "except", "than", "instead", "rul",
                  "exclud", "eliminat", "reject", "discard", "unlike")  # fmt: skip
_DENIED_AFTER = re.compile(
    r"[.:]?\s?(?:不|错误|是错|錯)"
    r"|[.:]?\s(?:(?:is|are|was|were|must be|can be|looks?|seems?) (?:\w+ )?(?:not\b|incorrect|wrong|false"
    r"|ruled out|impossible|excluded|eliminated|invalid|out\b)"
    r"|(?:is|are|was|does|do|can|could|would)n['’]t\b|cannot\b|can not\b|fails?\b|does not\b|violates\b|contradicts\b)",
    re.IGNORECASE,
)
_RETRACTED = re.compile(
    r"\)?(?:[.:!?…]+|,|\s?[(—–-])\s?(?:oh,?\s)?(?:wait\b|no[,.]\s|no wait\b|correction\b|oops\b|scratch that\b|actually,? (?:no|wait)\b)"
    r"|\)?\?\s?(?:no\b|hmm|let\b|wait\b)"
    r"|\)?\s?\((?:or|maybe|possibly|perhaps)\s(?:also\s)?\(?[A-J]\b|\)?\.\sor\s\(?[A-J]\b"
    r"|\s(?:to|through|[–-]+>|→)\s\(?[A-J]\b|[–-][A-J]\b",
    re.IGNORECASE,
)
_SUPPOSED = re.compile(
    r"\b(?:if|suppose|supposing|assume|assuming|whether|unless)\s(?:that\s)?(?:the\s)?\Z"
    r"|\b(?:initial|previous|earlier|first)\s\Z",
    re.IGNORECASE,
)
_NAMED_THING = re.compile(
    r"(?:\d|\b(?:vitamin|hepatitis|influenza|question|problem|part|person|figure|table|section|opposite of|different from"
    r"|anything but))\s(?:the\s)?\Z",
    re.IGNORECASE,
)
_WOULD = re.compile(r"\bwould(?: have)?\s(?:be|been)\b", re.IGNORECASE)
_FIRST = re.compile(r"[.:](?![\w.])|,\s(?:because|since|as)\b|\s[-–—]{1,3}\s[a-z]{2}")
_FEW_WORDS = re.compile(r"[).:]*(?= [^\s.]{2})(?: [^\s.]+){1,4}\.?\s?\Z")
_LINE_START = re.compile(r"(?:\A|\n)\s?(?:[-•>] ?)?\Z")
_LINE_END = re.compile(r"[.:]?\s?[\"'”’]?(?:\n|\Z)")
_POINTED_AT = re.compile(
    r"(?:[→⇒—–]|[-=]+>|\\(?:to|[rR]ightarrow|implies)|\bi\.e\.,?|\b(?:corresponds?|matches)\b(?: to| with)?"
    r"|□\s?[:,;])\s?\Z"
)
_CLAUSE_END = re.compile(r"\s?(?:\Z|\n|[.,;](?:\s|\Z))")


def _is_stated(text: str, offer: Offer) -> bool:
    """Whether an answer phrase leads to the offer, or it is called the correct answer."""
    led_to = _phrase(text, offer) or (offer.capital and _CALLED.match(text, offer.end))
    return bool(led_to) and not _is_denied(text, offer)


def _phrase(text: str, offer: Offer) -> re.Match[str] | None:
    """The answer phrase that leads to an offer."""
    before = text[max(0, offer.start - _WINDOW) : offer.start]
    if not _has_any(before, _KEY_WORDS):  # quicker than the patterns, which seldom match
        return None
    found = _STATED.search(before)
    return _LOOSELY_STATED.search(before) if found is None and offer.marked else found


def _is_shown(text: str, offer: Offer) -> bool:
    """Whether the offer is marked as a choice: "option C", "(C)", a line of its own, "C) .."."""
    return _is_set_apart(text, offer) and not _is_denied(text, offer)


def _is_set_apart(text: str, offer: Offer) -> bool:
    if offer.marked:
        return True
    if not _LINE_START.search(text[max(0, offer.start - 6) : offer.start]):
        return False
    if _LINE_END.match(text, offer.end):
        return offer.capital or not text[offer.end :].strip(" .\n")
    if text[: offer.start].strip() or not (offer.capital or _FEW_WORDS.match(text, offer.end)):
        return False
    return text[offer.end - 1] == ")" or _FIRST.match(text, offer.end) is not None


def _is_lone(text: str, offer: Offer) -> bool:
    """Whether the offer is capital letters that stand alone, but not the article "A" alone."""
    if not offer.capital or offer.letters == {"I"} or _is_denied(text, offer):
        return False
    if _NAMED_THING.search(text[max(0, offer.start - 24) : offer.start]):
        return False
    return offer.letters != {"A"} or not re.search(r"\w", text[offer.end :])


def _is_pointed_at(text: str, offer: Offer) -> bool:
    """Whether the offer is where a calculated value leads: "6.3 → C", "corresponds to C"."""
    before = text[max(0, offer.start - 40) : offer.start]
    return (
        offer.capital
        and _POINTED_AT.search(before) is not None
        and _CLAUSE_END.match(text, offer.end) is not None
        and not _is_denied(text, offer)
    )


def _has_any(text: str, words: Sequence[str]) -> bool:
    text = text.lower()
    return any(word in text for word in words)


def _is_denied(text: str, offer: Offer) -> bool:
    before = text[max(0, offer.start - 40) : offer.start]
    denied_before = _has_any(before, _DENYING_WORDS) and _DENIED_BEFORE.search(before)
    if denied_before or _DENIED_AFTER.match(text, offer.end):
        return True
    if _RETRACTED.match(text, offer.end):
        return True
    phrase = _phrase(text, offer)
    return phrase is not None and _is_denied_phrase(phrase, text[offer.end : offer.end + 4])


def _is_denied_phrase(phrase: re.Match[str], after: str) -> bool:
    """Whether an answer phrase denies what follows it, or only supposes it."""
    before = phrase.string[: phrase.start()]
    return bool(
        _DENIED.search(phrase["words"] or "")
        or _WRONG_KEY.search(before)
        or _SUPPOSED.search(before)
        or (after.startswith(" if") and _WOULD.search(phrase[0]))
    )
