"""Answer phrases and tags: "The answer is ..", "Answer: ..", "<answer>..</answer>". Pure."""

from __future__ import annotations

import re
from itertools import pairwise

from harness.graders.extraction.boxes import cut_off, is_void
from harness.graders.extraction.clauses import (
    FORMULA,
    NUMBER,
    cut_remark,
    has_remark,
    is_split,
    last_run,
    masked,
    number_first,
    run_of_formulas,
    squeezed,
    starts_value,
)

REACH = 4000
"""Characters: a stated answer longer than this is no answer."""

_TRIES = 16
_HEDGES = (
    r"(?:(?:approximately|approx\.|about|exactly|precisely|simply|just|only|clearly|indeed|then|hence|therefore|thus"
    r"|again|now|equal\s+to|given\s+by|found\s+to\s+be|as\s+follows|the\s+following|the\s+(?:number|integer|value)"
    r"(?=\s[*_]*[$\d\\-])):?,?\s*)*"
)
_ENGLISH = re.compile(
    r"answers?\b[*_]*[^.\n$:=：<]{0,60}?(?:[:=：]+>?|-+>|>|[→⇒➜➡⟶]|\bis\b|\bare\b|\n|\bequals?\b(?!\s+to\b)|\b(?:comes?|works?)\s(?:out\s)?to\b(?:\sbe\b)?|\bbe\s(?=[*_$\\(]*[-−+.]?[\d$\\])"
    rf"|\s[-–—]{{1,2}}\s(?=[*_$\\(]*[-−+.]?[\d$\\]))[\s:*,]*(?:\.{{3}}\s|…\s?)?{_HEDGES}",
    re.IGNORECASE,
)
_ROMANCE = re.compile(
    r"(?:respuestas?|respostas?|r[ée]ponses?|antwort(?:en)?|risposta|antwoord|jawaban|odpowied[źz]|cevap|đáp\s(?:án|số)"
    r"|ответ)\b[*_]*[^.\n$:=：<]{0,40}?(?:\s?[:=：]+|\b(?:es|est|ist|lautet|sind|is|son|adalah|là)\b|(?<=\s)[éè]\s"
    r"|\s[-–—]\s)[\s:*]*(?=[*_(\\]*[-−+.$\w\\{\[])",
    re.IGNORECASE,
)
_CJK = re.compile(
    r"(?:(?<![解回问問应應])答(?:案|え)?|정답|답|(?<!不)正解)[*_]*】?\s?(?:应该|應該|应|應|就)?\s?(?:[:：=＝]|(?<=】)|是|为|為|等于|は|은|는|이)[\s:：*]*"
    r"(?=[*_$\\({（]*[-−+.]?[\d$\\])"
)
_KEYWORDS = (
    "nswer",
    "NSWER",
    "espuesta",
    "esposta",
    "eponse",
    "ntwort",
    "isposta",
    "ntwoord",
    "awaban",
    "evap",
)
_WIDE_KEYWORDS = ("éponse", "dpowied", "áp án", "áp số", "твет", "答", "답", "正解")
_TAG = re.compile(
    r"[<\[]\s?(?P<end>/)?\s?(?:final[\s_-]?)?answer\b[^<>\[\]\n]{0,40}[>\]]", re.IGNORECASE
)
_END_TAG = re.compile(r"[<\[]\s?/\s?(?:final[\s_-]?)?answer", re.IGNORECASE)
_HTML = re.compile(
    r"</?(?:b|strong|em|i|u|p|div|span|code|mark|h[1-6]|br)\b[^<>]{0,60}>", re.IGNORECASE
)


def phrased(text: str) -> str | None:
    """What stands in the last answer tag that is closed, else what follows the last answer phrase."""
    keywords = _KEYWORDS if text.isascii() else _KEYWORDS + _WIDE_KEYWORDS
    places = {keyword: at for keyword in keywords if (at := text.rfind(keyword)) >= 0}
    if not places:
        return None
    inside = "</" not in text and "[/" not in text  # nothing can be closed: a phrase decides
    stated = None
    for _ in range(_TRIES):
        keyword = max(places, key=lambda each: places[each])
        at = places[keyword]
        if at < 0:
            break
        places[keyword] = text.rfind(keyword, 0, at)
        tag = _tag_around(text, at)
        if tag and tag["end"]:
            inside = True
            continue
        found = _tagged(text[tag.end() : tag.end() + REACH]) if tag else _after_phrase(text, at)
        if found and cut_off(found):
            break
        if found and not _SAYS_NOTHING.fullmatch(found) and not is_void(found):
            stated = stated or found
            if inside:
                return found
        inside = inside and tag is None
    return stated


def _tag_around(text: str, at: int) -> re.Match[str] | None:
    before = max(text.rfind("<", max(0, at - 16), at), text.rfind("[", max(0, at - 16), at))
    tag = _TAG.match(text, before) if before >= 0 else None
    return tag if tag and tag.end() > at else None


def _after_phrase(text: str, at: int) -> str | None:
    """The answer that is stated at a keyword; None where its words introduce none."""
    start = at if text[at] in "答답正" else at - 1
    if start < 0:
        return None
    if text[at] == "답" and text.startswith("정", at - 1):
        start = at - 1
    phrase = next(
        (found for form in (_ENGLISH, _ROMANCE, _CJK) if (found := form.match(text, start))), None
    )
    if phrase is None or _DENIED.search(phrase[0]):
        return None
    if _SUPPOSED.search(text, max(0, start - 40), start):
        return None
    stated = text[phrase.end() : phrase.end() + REACH]
    return None if _WOULD.search(phrase[0]) and _IF.search(stated, 0, 200) else statement(stated)


def _tagged(rest: str) -> str:
    """The answer between tags, or after an opening tag: a line of it if it has several."""
    end = _END_TAG.search(rest)
    lines = [line for line in (rest[: end.start()] if end else rest).splitlines() if line.strip()]
    if not lines:
        return ""
    if len(lines) == 1 or not end:
        return statement(lines[0])
    whole = "\n".join(lines)
    if FORMULA.match(whole.strip()) or NUMBER.fullmatch(lines[0].strip(" *_")):
        return statement(whole)
    return statement(lines[-1])


# What is said

_DENIED = re.compile(
    r"(?:\bnot|n['’]t|\bnever|\bno|\bcannot|\bnão|\bnon|不|不会|不可能)\s{0,2}(?:\w{1,12}\s)?(?:is|are|be|es|é|è|是|为|為)[\s:*：]*$"
)
_SUPPOSED = re.compile(
    r"\b(?:(?:if|suppose|supposing|assume|assuming|whether|unless|(?:might|may|would|could)\s+think)\s+(?:that\s+)?"
    r"(?:(?:the|my|our|your)\s+)?(?:final\s+|correct\s+)?|(?:wrong|incorrect|mistaken|erroneous|na[iï]ve|previous"
    r"|initial|earlier|old|tempting)\s+(?:final\s+)?)\Z",
    re.IGNORECASE,
)
_WOULD = re.compile(r"\bwould\s+be\b", re.IGNORECASE)
_IF = re.compile(r"\A[^.\n]*\b(?:if|but|had)\b")
_SENTENCE_END = re.compile(r"(?<!i\.e)(?<!e\.g)[.!?](?=[\s*\"'’”)<\]]|$)|[。！？；]|\n\s*\n|<\||</")
_NEGATED = re.compile(
    r"(?:[A-Za-z]+\s){0,3}?(?:not|neither|never|no\s+longer|anything\s+but|nowhere|hardly|unlikely)\b(?!\s+only)",
    re.IGNORECASE,
)
_NOT_BUT = re.compile(
    r"not\s+(?:\ue000+|\$?[-−]?\d[\d.,/]{0,20}),?\s+but\s+(?:rather\s+|instead\s+|in\s+fact\s+)?(?=[*]{0,2}(?:\ue000|\\?\$?[-−]?\d))",
    re.IGNORECASE,
)
_SAYS_NOTHING = re.compile(
    r"(?:in)?(?:correct|complete|valid|right|wrong|found|given|unknown|unclear|helpful|clear|useful|reasonable"
    r"|verified|confirmed|consistent.*|not\b.*|yes or no|below|above|here|as follows|boxed.*|what|obvious)?",
    re.IGNORECASE,
)
_LEADING_WORD = re.compile(
    r"(?!(?:sqrt|pi|sin|cos|tan|log|ln|exp|cis)\b)[A-Za-z][A-Za-z'’]+,?\s|[aA]\s(?=[a-z])"
)
_COPULA = re.compile(
    r"(?:\b(?:is|are|equals?|be|was|were|becomes|gives|yields|(?i:we|you|they|one|he|she|it)\s(?:needs?|requires?)|get|have|find|obtain|takes"
    r"|has(?:\s+(?:an?\s+)?(?:area|length|value|measure|perimeter|volume|radius|sum|probability))?)\b|\b[=:](?=\s)|\s=|(?<=[A-Za-z\ue000)\]])\s?[:：])\s*"
    r"(?:(?:indeed|exactly|precisely|simply|just|only|therefore|thus|then|approximately|about|equal\s+to|given\s+by"
    r"|found\s+to\s+be|a\s+total\s+of|the\s+(?:number|integer|value|fraction)|in\s+fact|clearly)\s+)*"
)
_LEAD = re.compile(
    r"(?:(?:thus|so|hence|therefore|in|we|can|get|have|find|obtain|see|that|the|a|an|total|of|integer|number|value"
    r"|fraction|prime|exactly|only|just|equal|to|given|by|it|is|be|must|then|simply)[\s,:]+)+",
    re.IGNORECASE,
)
_NAME_GIVEN = re.compile(
    r"\s*(?:=|:|\b(?:is|are|equals?|must\s+be|should\s+be|will\s+be|becomes)\b)\s*(?:equal\s+to\s+|exactly\s+|just\s+)?"
)
_VALUE = re.compile(r"[0-9=<>]|\\(?:frac|sqrt|pi|infty|text|emptyset)")
_CAUSE = re.compile(
    r"\b(?:because|since)\b|(?<=[\d\ue000])[^\d\ue000]*\b(?:when|where|with|at)\s+(?=\ue000)"
)
_CONCLUSION = re.compile(
    r"(?:\$|\\\()?(?:\\[dt]?frac[^$,]{1,60}|\d+/\d+|[^$,=]{0,20}\\[dt]?frac[^$,]{1,60}|\d*\\sqrt[^$,]{1,40})(?:\$|\\\))?,?\s+"
    r"(?:(?:and\s+)?(?:so|hence|thus|therefore|giving|which\s+gives)),?\s+"
    r"(?:(?:the\s+)?(?:final\s+)?(?:answer|sum)\s+(?:is\s+)?)?(?=[$\\(]*[a-z]\s?\+\s?[a-z])"
)
_SUM_CONCLUDED = re.compile(
    r",?\s+(?:and\s+)?(?:so|hence|thus|therefore|giving|which\s+gives),?\s+(?:(?:the\s+)?(?:final\s+)?(?:answer|sum)\s+(?:is\s+)?)?"
    r"(?=(?:\$|\\\()\s*[a-z]\s*[+-]\s*[a-z](?:\s*[+-]\s*[a-z])*\s*=)"
)
_NAME = re.compile(r"[^=<>]*[A-Za-z][^=<>]*")
_DOUBTED = re.compile(
    r"\?\s*(?:no|wait|hmm+|but|not|let)\b|[.!…]+\s*(?:(?:oh|but|hmm+)[,.…]*\s+)?(?:wait\b|correction\b|oops\b|hold\s+on\b"
    r"|scratch\s+that\b|no[,.]\s|actually,?\s+(?:no|wait|that|it|i)\b)",
    re.IGNORECASE,
)
_RETRACTED = re.compile(
    r"[\s,;.…(—–-](?:no,?\s+wait\b|wait,|no,\s|correction\b|or\s+rather\b|oops\b|scratch\s+that\b|i\s+mean\b|make\s+that\b)"
    r"|\bbut\s+(?:actually\b|it(?:\s+is|['’]s)\s+(?:actually\s+|really\s+)?[-−$\ue000\d]|the\s+(?:correct|right|true)\b)",
    re.IGNORECASE,
)
_NUMBER_STARTS = re.compile(r"[-−$\s]*(?:\\\(\s*)?[-−]?\d")
_APART = re.compile(
    r"[^\s,.;]*(?:\s+[a-z]+)?,?\s+(?:and|while|whereas)\s+"
    r"(?!(?:so|hence|thus|therefore|then|it|this|that|its|consequently|finally|we|you|with)\b)(?:the\s+)?[A-Za-z\ue000]"
)
_CONDITION = re.compile(
    r"\b(?:(?:when|where|if|whenever)\s+|(?:at|with|for)\s+(?=[^\s]{1,12}\s*=\s*\Z))(?:[A-Za-z]\w{0,2}|\ue000{1,12})"
    r"\s*(?:=|\bis|\bequals)?\s*\Z"
)
_EDGES = " \t\r\n*_\"'`“”‘’«»∎✓✔✅□■"


def statement(rest: str) -> str:
    """The answer at the start of what follows an answer phrase; empty where it is denied or absent."""
    rest = squeezed(rest)
    if "<" in rest:
        rest = _HTML.sub("", rest)
    if "**" in rest:
        rest = rest.replace("**", "")
    rest = rest.lstrip(_EDGES + "\\" if rest.startswith('\\"') else _EDGES)
    first = FORMULA.match(rest)
    hidden = masked(rest)
    if first and (named := _named(hidden, first)) is not None:
        rest, hidden = rest[named:], hidden[named:]
        first = FORMULA.match(rest)
    end = _SENTENCE_END.search(hidden)
    sentence = rest[: end.start()] if end else rest
    if end and _DOUBTED.match(hidden, end.start()):
        return ""
    if first and (conclusion := _SUM_CONCLUDED.match(rest, first.end())):
        return statement(rest[conclusion.end() :])
    if _RETRACTED.search(hidden, 0, len(sentence)):
        return ""
    if first:
        split = is_split(hidden[: len(sentence)], first.end())
        return sentence if split else run_of_formulas(rest, first)
    return _of_sentence(sentence, hidden[: len(sentence)])


def _named(hidden: str, first: re.Match[str]) -> int | None:
    """Where the value begins that a formula at the start is the name of: "$m+n$ is 34"."""
    inside = next(part for part in first.groups() if part is not None)
    if _VALUE.search(inside) and not _NAME.fullmatch(inside):
        return None
    given = _NAME_GIVEN.match(hidden, first.end())
    return given.end() if given and starts_value(hidden, given.end()) else None


def _of_sentence(sentence: str, hidden: str) -> str:
    if but := _NOT_BUT.match(hidden):
        return statement(sentence[but.end() :])
    if _NEGATED.match(hidden):
        return ""
    head = NUMBER.match(hidden)
    if head:
        return number_first(sentence, hidden, head).strip(_EDGES)
    if _LEADING_WORD.match(hidden) and not _long(sentence):
        value = _value_at(sentence, hidden)
        if value is not None:
            conclusion = _CONCLUSION.match(sentence, value)
            return statement(sentence[conclusion.end() if conclusion else value :])
    elif not _long(sentence) and "$" not in (cut := cut_remark(sentence, hidden)) != sentence:
        return cut.partition("\n")[0].strip(_EDGES)
    cause = _CAUSE.search(hidden)
    formulas = list(FORMULA.finditer(sentence))
    if cause and cause.start() > 1:
        sentence, hidden = sentence[: cause.start()], hidden[: cause.start()]
        formulas = list(FORMULA.finditer(sentence))
    if formulas:
        return last_run(sentence, formulas)
    sentence = sentence.partition("\n")[0]
    if " is " in sentence:
        sentence = sentence.rpartition(" is ")[2]
    return cut_remark(sentence, sentence).strip(_EDGES)


def _long(sentence: str) -> bool:
    """Whether it is a derivation of several lines: its answer stands at its end."""
    return sentence.count("\n") > 1


def _value_at(sentence: str, hidden: str) -> int | None:
    """Where the value stands in a sentence that begins with words: "the largest $n$ is 34"."""
    lead = _LEAD.match(hidden)
    if (
        lead
        and starts_value(hidden, lead.end())
        and not lead[0].endswith(("value of ", "number of "))
    ):
        return lead.end()
    places = [
        found
        for found in _COPULA.finditer(hidden)
        if starts_value(hidden, found.end()) and not _CONDITION.search(hidden, 0, found.end())
    ]
    if (
        len(places) > 1
        and _APART.match(hidden[places[-2].end() : places[-1].start()])
        and _NUMBER_STARTS.match(sentence, places[-1].end())
    ):
        return len(hidden)  # each of two things has its value
    for one, following in pairwise(places):
        between = hidden[one.end() : following.start()]
        if has_remark(between) and not between.rstrip().endswith(","):
            return one.end()
    return places[-1].end() if places else None
