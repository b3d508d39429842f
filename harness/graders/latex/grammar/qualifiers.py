r"""What is said of an answer behind it: `2^{n-1}\ (n \ge 1)`, `34 \text{ at } n=5`, `(1,2)\text{ only}`.

Looked for only in a text that the grammar does not read as a whole. A condition that can be read is
kept, so that two that contradict each other are told apart; words and approximations are dropped.
"""

from __future__ import annotations

import re

from harness.graders.latex.grammar.restatements import (
    APPROXIMATION,
    BLANK,
    HEDGE,
    Parse,
    parsed,
    restated,
    restating,
    written_out,
)
from harness.graders.latex.grammar.words import words
from harness.graders.latex.meaning.canonical import meaning
from harness.graders.latex.syntax import (
    Answer,
    Apply,
    Collection,
    Expr,
    Named,
    Number,
    Qualified,
    Relation,
    Symbol,
    Unreadable,
    children,
    is_expr,
)

_OPEN_TEXT = re.compile(
    r"\\(?:text|textrm|mathrm|mbox)\s*\{\s*([^{}()]*?)([(\[])\s*([^{}()\[\]]*)\}"
)
_CLOSE_TEXT = re.compile(r"\\(?:text|textrm|mathrm|mbox)\s*\{([^{}()\[\]]*)([)\]])\s*([.]?)\s*\}")
_TEXT = re.compile(r"\\(?:text|textrm|textbf|textit|mathrm|mbox)\s*\{\s*([^{}]*)\}")
_UNIT_AND_CONDITION = re.compile(
    r"\\text\{([A-Za-z]{1,12}(?:/[a-z]{1,4})?[²³]?)\s+((?:for|at|when|if|where)\b[^{}]*)\}"
)
_EMPTY_TEXT = re.compile(r"\\text\s*\{[\s~]*\}")
_GAP = re.compile(r"^(?:,|\s|~|\\[,;:! ]|\\q?quad(?![a-z])|\$)+")
_CONDITION = (
    r"for|if|when|where|whenever|with|at|since|because|provided|given|as|on|over|assuming|attained|achieved"
    r"|which|occurring|obtained|reached|valid|defined|holds|using|by|under|occurs|iff|once|after|upon|such that|s\.t\."
)
_KEYWORD = re.compile(
    rf"(?P<comma>,?){BLANK}(?:\\text\s*\{{\s*,?\s*(?P<text>(?:{_CONDITION})(?![A-Za-z])[^{{}}]*)\}}"
    rf"|(?<![A-Za-z\\])(?P<plain>(?:{_CONDITION}))(?![A-Za-z])(?=\s)|\\forall(?![a-z])"
    rf"|(?<=,){BLANK}(?=[a-zA-Z]\s*(?:\\in(?![a-z])|=\s*-?[0-9]+\s*,[^=]*\\[lc]?dots)))"
)
_ONLY = re.compile(
    rf",?{BLANK}\\text\s*\{{\s*[(,]?\s*(?:only|(?:is|are|being|as)\s+the\s+(?:only|unique|sole)\b[^{{}}()]*"
    rf"|(?:the\s+)?(?:only|unique)\s+(?:solutions?|answers?|values?|pairs?|triples?)|uniquely|solely|alone|exactly"
    rf"|is\s+the\s+(?:final\s+|correct\s+)?(?:answer|solution)|and\s+no\s+others?"
    rf"|respectively|in total)\s*[).]*\s*\}}{BLANK}[.)]?\Z"
)
_ONLY_BEFORE = re.compile(
    rf"\A\\text\s*\{{\s*(?:only|just|simply|exactly|(?:the\s+)?(?:only\s+|unique\s+)?(?:ordered\s+)?"
    rf"(?:solutions?|answers?|pairs?|points?|values?|triples?|sets?)\s*(?:is|are)?:?)\s*\}}{BLANK}",
    re.IGNORECASE,
)
_SECOND = re.compile(
    r"\b(?:otherwise|else|if|when|whenever|for|not|respectively|least|most|more|less|fewer|than|remainder|probability|wrong"
    r"|squared|cubed|octal|binary|hexadecimal|base|hundreds?|thousands?|[mb]illions?|trillions?|dozens?|negative|minus"
    r"|incorrect)\b|\b(?:and|or)\s*\}?\s*-?\s*[^\s}].*\b(?:for|if|when|where|at)\b",
    re.DOTALL,
)
_RELATES = re.compile(
    r"[=<>∈]|\\(?:le|leq|leqslant|ge|geq|geqslant|ne|neq|in|to|notin|rightarrow|gt|lt|neq|mid|forall|subset)(?![a-z])"
)
_LEADING_WORDS = re.compile(
    r"^(?:\s|~|\\[,;:! ]|\\q?quad(?![a-z])|\\text\s*\{[^{}]*\}|\\forall(?![a-z])|,|[A-Za-z]{2,}(?=\s)|\$)+"
)
_PLAIN_KEYWORD = re.compile(rf"^(?:{_CONDITION})\s+(?:all|every|any|each|some|the)?\b")
_LONGEST = 300  # characters of an answer with its qualifier


def qualified(text: str, parse: Parse) -> Answer:
    """The answer of a text that is an answer and what is said of it.

    Args:
        text: a cleaned text.
        parse: reads a part of it.

    Raises:
        Unreadable: the text is no such thing.
    """
    if len(text) > _LONGEST:
        raise Unreadable("longer than an answer with a condition")
    text = _TEXT.sub(lambda found: f"\\text{{{found[1].replace('~', ' ').strip()} }}", text)
    text = _UNIT_AND_CONDITION.sub(r"\\text{\1}\\text{\2}", text)
    bare = _ONLY.sub("", _ONLY_BEFORE.sub("", text))
    if bare != text and bare.strip():
        return parsed(bare, parse)
    text = _EMPTY_TEXT.sub(" ", _outside_brackets(text))
    for split in (written_out, _bracketed, restated, _conditioned, _counting):
        answer = split(text, parse)
        if answer is not None:
            return answer
    raise Unreadable("no answer with something said of it")


def _outside_brackets(text: str) -> str:
    r"""`\text{ (for } n \ge 1)` as `(\text{for } n \ge 1)`: brackets stand outside of \text."""
    if text.count("(") == text.count(")") and not re.search(r"\{[^{}]*[()][^{}]*\}", text):
        return text
    text = re.sub(r"(\\text\s*\{)\s*\(([^{}()]*)\)\s*\}", r"(\\text{\2})", text)
    text = _OPEN_TEXT.sub(r"\\text{\1}\2\\text{\3}", text)
    return _CLOSE_TEXT.sub(r"\\text{\1}\2\3", text)


def _bracketed(text: str, parse: Parse) -> Answer | None:
    """A value with brackets behind it that hold a condition, an approximation or words."""
    stripped = text.rstrip(" .$")
    unit = re.search(r"[)\]](\s*\\text\s*\{[^{}]*\}(?:\^\{?[0-9]\}?)?)\Z", stripped)
    tail = unit[1] if unit else ""
    stripped = stripped[: len(stripped) - len(tail)] if tail else stripped
    stripped = re.sub(r"\\(?:right|[bB]igg?[rlm]?)?(?=[)\]]\Z)", "", stripped)
    if not stripped.endswith((")", "]")):
        return None
    start = _opening(stripped)
    if start <= 0:
        return None
    value = re.sub(r"\\(?:left|[bB]igg?[lrm]?)?\Z", "", stripped[:start].rstrip())
    inside = stripped[start + 1 : -1].strip()
    value = re.sub(rf"[,]?{BLANK}\Z", "", value)
    if not value.strip():
        return None
    if _REMARK.fullmatch(_words(inside)):
        return parsed(value + tail, parse)
    if HEDGE.match(inside) or APPROXIMATION.match(inside):
        return restating(value + tail, inside, parse)
    if _PERCENTAGE.fullmatch(inside):
        return restating(value + tail, f"={inside}", parse)
    if _another_case(_words_between(inside)):
        return None
    said = _TEXT.sub(" ", inside).strip(" $~")
    words_only = not said and not _NUMBER.search(inside)
    lettered = re.fullmatch(rf"{BLANK}[a-z]?", said) and _PLAIN_KEYWORD.match(_words(inside))
    if not (words_only or lettered or _RELATES.search(inside)):
        return None
    answer = parsed(value + tail, parse)
    number = words(_words(inside)) if words_only else None
    if isinstance(number, Number) and isinstance(answer, Number) and answer != number:
        return None  # "3 (five)"
    return _with(answer, inside, parse)


_REMARK = re.compile(r"(?:i\.?\s?e\.?|that is|namely|which is),? (?:a|an|the) [A-Za-z ]{3,60}")
_PERCENTAGE = re.compile(r"[0-9.]+\s*\\?%")
_NUMBER = re.compile(r"[0-9]")


def _words(text: str) -> str:
    return _TEXT.sub(r"\1", text).strip()


def _opening(text: str) -> int:
    """Where the bracket opens that the last sign of the text closes; -1 if it does not."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        if text[at] in ")]":
            depth += 1
        elif text[at] in "([":
            depth -= 1
            if depth == 0:
                return at
    return -1


def _conditioned(text: str, parse: Parse) -> Answer | None:
    """A value, then "for", "if", "where", .. and its condition."""
    found = _KEYWORD.search(text)
    if not found or not text[: found.start()].strip():
        return None
    condition = _GAP.sub("", text[found.start() :])
    if _another_case(_words_between(condition)):
        return None
    if not _RELATES.search(condition) and not found["text"] and not found[0].endswith("forall"):
        return None  # letters of a product
    return _with(parsed(text[: found.start()], parse), condition, parse)


_COUNTED = re.compile(
    rf"(?P<value>.*[0-9}}]){BLANK}\\text\s*\{{(?P<words>[A-Za-z ,-]{{3,60}})\}}{BLANK}"
    r"[({]*\s*[a-zA-Z](?:\s*[,;]\s*[a-zA-Z])*\s*[)}]*\Z"
)


def _counting(text: str, parse: Parse) -> Answer | None:
    r"""`42\text{ ordered pairs }(a,b)`, `42\text{ values of }n`: what is counted, with its letters."""
    found = _COUNTED.match(text)
    if not found or "percent" in found["words"]:
        return None
    return parse(f"{found['value']}\\text{{{found['words']}}}")


def _words_between(condition: str) -> str:
    return _TEXT.sub(r" \1 ", condition).replace("\\forall", "for all").strip()


_HEAD = re.compile(
    rf"[\s,]*(?:(?:{_CONDITION}|and only if|only|is|are|all|every|any|each|some|the|value|equality|maximum"
    rf"|minimum)\b\s*)+"
)


def _another_case(said: str) -> bool:
    """Whether a second case, an alternative or a contradiction follows the words that a condition begins with."""
    head = _HEAD.match(said)
    return _SECOND.search(said, head.end() if head else 0) is not None


def _with(value: Answer, condition: str, parse: Parse) -> Answer:
    """The value, under its condition where that can be read.

    Raises:
        Unreadable: what stands there is no condition, but more of the answer.
    """
    formula = _LEADING_WORDS.sub("", condition).strip(" .,$")
    try:
        read = parse(formula) if _RELATES.search(formula) else None
    except Unreadable:
        read = None
    if isinstance(read, Collection) and not all(
        isinstance(item, Relation | Named) for item in read.items
    ):
        listed = isinstance(read.items[0], Relation) and "=" in read.items[0].operators
        if not listed or not all(is_expr(item) for item in read.items[1:]) or "dots" not in formula:
            raise Unreadable("a list behind a condition")
        return value
    worded = isinstance(value, Symbol) and value.name.startswith('"')
    if worded or not isinstance(read, Relation):
        return value
    defined = meaning(read) if read.operators == ("=",) else read
    if isinstance(defined, Named) and is_expr(defined.value) and _occurs(defined.name, value):
        return _substituted(value, defined.name, defined.value)
    return Qualified(value, read)


def _occurs(name: Expr, answer: Answer) -> bool:
    return answer == name or any(_occurs(name, child) for child in children(answer))


def _substituted(answer: Answer, name: Expr, value: Expr) -> Answer:
    """The answer with a variable replaced by what it was said to be.

    Raises:
        Unreadable: the variable stands in more than an expression or an equation.
    """
    if isinstance(answer, Relation) and answer.operators == ("=",):
        left, right = answer.sides
        return Relation((left, _substituted(right, name, value)), answer.operators)
    if not is_expr(answer) or _occurs(name, value):
        raise Unreadable("a definition behind what is no expression")
    if answer == name:
        return value
    if not isinstance(answer, Apply):
        return answer
    args = tuple(_substituted(arg, name, value) for arg in answer.args)
    return Apply(answer.op, args)  # type: ignore[arg-type]
