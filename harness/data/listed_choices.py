"""Choices that a text lists behind letters, in the layouts of published prompts. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.data.columns import json_value
from harness.types import LETTERS

Order = tuple[int, ...]

_ANY = LETTERS + LETTERS.lower()
_BULLET = r"[ \t]*(?:(?:[-*+•·>|]|\d{1,3}[.)]|\\item)[ \t]{0,8}){0,4}[*_]{0,3}"
_BEHIND = r"(?:[)\].:][*_]*|[*_]*[ \t]{0,8}[-–—:|=])[*_]*[ \t]*"
_CERTAIN, _MATCHING = (
    tuple(re.compile(pattern, re.MULTILINE) for pattern in patterns)
    for patterns in (
        (
            rf"^[ \t]*[*_(]*([{LETTERS}])[).:][*_]*[ \t]+",
            rf"(?:^|\s)\(?([{LETTERS}])[).:]\s+",
        ),
        (
            rf"^{_BULLET}[(\[]?([{_ANY}]){_BEHIND}",
            rf"(?:^|\s)[(\[]?([{_ANY}])[)\]]\s*",
            rf"(?:^|\s)([{_ANY}])[.:]\s+",
        ),
    )
)
"""A letter and what stands around it. By the first layouts a text lists choices whatever those are; by the
others, which plain words fit too, only if they are the problem's."""
_LABEL = re.compile(rf"\A\s*(?:[(\[]?[{_ANY}][)\]]\s*|\(?[{_ANY}][.:]\s+|[{LETTERS}]\s+[-–—]\s+)")
_ENDS = " \t\n|*_;,"


def prompt_text(found: object) -> str:
    """The text of a prompt: a string, or all strings of messages and arguments but the model's own."""
    if isinstance(found, str):
        decoded = json_value(found)
        return found if isinstance(decoded, str) else prompt_text(decoded)
    if isinstance(found, Mapping):
        return "" if found.get("role") == "assistant" else prompt_text(list(found.values()))
    if isinstance(found, Sequence):
        return "\n\n".join(prompt_text(item) for item in found)
    return ""


def listed_order(prompt: str, choices: Sequence[str]) -> tuple[Order | None, bool]:
    """The order in which a prompt lists the choices, and whether it lists any, these or others."""
    certain = [_last_list(layout, prompt, len(choices)) for layout in _CERTAIN]
    likely = (_last_list(layout, prompt, len(choices)) for layout in _MATCHING)
    for texts in (*certain, *likely):
        order = None if texts is None else match_choices(texts, choices)
        if order is not None:
            return order, True
    return None, any(certain)


def _last_list(layout: re.Pattern[str], prompt: str, n: int) -> list[str] | None:
    """The texts behind the last labels A, B, .. of a prompt: those before are examples'."""
    found = list(layout.finditer(prompt))
    for last in range(len(found) - n, -1, -1):
        run = found[last : last + n]
        if "".join(label[1] for label in run) in (LETTERS[:n], LETTERS[:n].lower()):
            ends = [label.start() for label in run[1:]] + [len(prompt)]
            return [prompt[label.end() : end] for label, end in zip(run, ends, strict=True)]
    return None


def match_choices(texts: Sequence[str], choices: Sequence[str]) -> Order | None:
    """For each text the number of the choice that it is; the last may go on behind its choice."""
    if len(texts) != len(choices):
        return None
    for key in (_collapsed, _without_notes):
        keys = [key(choice) for choice in choices]
        if key is _without_notes and len(set(keys)) < len(keys):
            return None
        order: list[int] = []
        for number, text in enumerate(texts):
            bare = _LABEL.sub("", text, count=1)
            free = [i for i in range(len(choices)) if i not in order]
            written = dict.fromkeys(map(key, (text, bare, text.strip(_ENDS), bare.strip(_ENDS))))
            same = [i for shown in written for i in free if keys[i] == shown]
            if not same and number == len(texts) - 1:
                same = [i for i in free if keys[i] and key(bare).startswith(keys[i])]
            if not same:
                break
            order.append(same[0])
        else:
            return tuple(order)
    return None


def _collapsed(text: str) -> str:
    return " ".join(text.split())


def _without_notes(text: str) -> str:
    """As lm-eval cleans a choice, without [notes]; and without blanks."""
    return re.sub(r"\[.*?\]|\s+", "", text.replace(" [title]", ". "))
