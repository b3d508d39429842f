r"""Boxes in a response: `\boxed{..}`, `\fbox{..}`, `\framebox{..}`. Pure and linear in its length."""

from __future__ import annotations

import re

_NAMES = ("\\boxed", "\\fbox", "\\framebox")
_BOX = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{")
_BRACE = re.compile(r"\\(?:boxed|fbox|framebox)\s*\{|\\.|[{}]", re.DOTALL)
_JOINT = re.compile(r"[,;&]|\b(?:and|or)\b|\n\s*(?:[-*•+]|\(?[0-9a-z]{1,2}[.)])\s")
_BARE_BOX = re.compile(r"\\(?:boxed|fbox)\s*([A-Za-z0-9]{1,20})(?![A-Za-z0-9{])")
_LOST = re.compile(
    r"(?<![A-Za-z\\])boxed\{(?P<inside>(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,40}\}){0,60}\}){1,120})\}"
)
_REACH = 4000
_BETWEEN_BOXES = re.compile(
    r"(?:\s|[$,;&*]|\\[()\[\],;:! ]|\\q?quad|\\text\{|\}|(?<=\s)[a-z]{1,12} and\b|\b(?:and|or)\b"
    r"|(?:\\?[A-Za-z]{1,5}(?:_\{?\w{1,3}\}?)?\s*=)|(?<=\n)(?:[-•+]|\(?[0-9a-z]{1,2}[.)])\s)*"
)


def boxed(text: str) -> str | None:
    """Content of the last balanced box, joined with the boxes that stand right before it.

    A box that is empty or repeats an instruction (`\\boxed{}`, `\\boxed{\\text{your answer}}`) is passed
    over.
    """
    last = last_box(text)
    if last < 0:
        return None
    paragraph = text.rfind("\n\n", 0, last) + 1
    spans = _box_spans(text, paragraph)
    contents = _last_joined(text, spans)
    if not contents and paragraph:
        spans = _box_spans(text, 0)
        contents = _last_joined(text, spans)
    if not contents:
        bare = None if spans else _BARE_BOX.match(text, last)
        return bare[1] if bare else None
    # equal boxes are one answer stated twice
    return contents[0] if len(contents) == 1 else ", ".join(dict.fromkeys(contents))


def last_box(text: str) -> int:
    """Where the last box begins, balanced or not; -1 where there is none."""
    return max(text.rfind(name) for name in _NAMES) if "box" in text else -1


def boxed_without_backslash(text: str) -> str | None:
    """Content of the last `boxed{..}` that lost its backslash, or None."""
    if "boxed" not in text:
        return None
    inside = [found["inside"].strip() for found in _LOST.finditer(text[-_REACH:])]
    return next((content for content in reversed(inside) if not is_void(content)), None)


def _last_joined(text: str, spans: list[tuple[int, int]]) -> list[str]:
    """Contents of the last box that holds an answer, and of those joined to it, in their order."""
    contents: list[str] = []
    begin = 0  # of the earliest box taken
    for start, end in reversed(spans):
        content = _inside(text, start, end)
        if is_void(content):
            continue
        if contents and not _joins(text[end + 1 : begin]):
            break
        contents.insert(0, content)
        begin = start
    return contents


def _inside(text: str, start: int, end: int) -> str:
    opening = _BOX.match(text, start)
    return text[opening.end() if opening else start : end].strip()


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


# Boxes without an answer

_DECORATION = re.compile(
    r"\\(?:boxed|fbox|framebox|text[a-z]{0,6}|math[a-z]{2,3}|mbox|emph|underline|bm|boldsymbol|large|Large"
    r"|displaystyle|[lcdv]?dots[a-z]?|q?quad|square|Box|bigcirc|ast|star|cdots?|underbrace|bullet)(?![a-zA-Z])"
    r"|\\(?:phantom|[hv]space\*?)\s*\{[^{}]{0,40}\}|\\[,;:! _]|[\s{}$.…_?~*]"
)
_INSTRUCTION = re.compile(
    r"[<\[(]?(?:(?:your|the|my|final|numerical|numeric|correct|insert|put|write|place|enter|here|goes|an?|in|as|only"
    r"|integer|letter|this|of|and|choice|option|[\s_:-])+)?"
    r"(?:answers?|your|here|result|final)(?:[\s_-]*(?:here|goes|in|this|box|value|only|letter|choice|number))*[>\])]?",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"[0-9]")
_SPACE = re.compile(r"phantom|space")  # digits in their arguments are not seen
_SPACED = re.compile(r"\\(?:[a-zA-Z]+|.)|[{}$\s]+", re.DOTALL)
_LONGEST_VOID = 100
_FLAT_BOX = re.compile(
    r"\\(?:boxed|fbox|framebox)\s{0,9}\{(?P<inside>(?:[^{}]|\{[^{}]{0,100}\}){0,100})\}"
)


def is_void(content: str) -> bool:
    """Whether a box is empty or holds an instruction such as "your answer here"."""
    if len(content) > _LONGEST_VOID or (_DIGIT.search(content) and not _SPACE.search(content)):
        return False
    if not _DECORATION.sub("", content):
        return True
    if not any(character.isalpha() for character in content):
        return False
    return _INSTRUCTION.fullmatch(_SPACED.sub(" ", content).strip(" .…")) is not None


def without_void_boxes(text: str) -> str:
    """The text without its boxes that hold no answer."""
    if last_box(text) < 0:
        return text
    return _FLAT_BOX.sub(lambda box: "" if is_void(box["inside"]) else box[0], text)


def cut_off(text: str) -> bool:
    """Whether a box begins in the text, balanced or not."""
    return _BOX.search(text) is not None
