"""What a name that there is not may have been meant for. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

_SEVERAL = 12  # names that a message lists in full


def near(wanted: str, known: Iterable[str]) -> str:
    """Names near to one that is not known, else all, or the first of many: "did you mean X or Y?"."""
    names = list(dict.fromkeys(known))
    close = near_names(wanted, names)
    if close:
        return f"did you mean {' or '.join(close)}?"
    return f"there are {listed(names)}" if names else "there is none"


def listed(names: list[str]) -> str:
    """All names, or the first of many and how many more there are."""
    more = len(names) - _SEVERAL
    return ", ".join(names[:_SEVERAL]) + (f" and {more} more" if more > 0 else "")


def near_names(wanted: str, names: Iterable[str]) -> list[str]:
    """Up to three names most like one that there is not, the nearest first."""
    key = plain(wanted)
    by_text = {plain(name): name for name in names}
    close = difflib.get_close_matches(key, by_text, 3, 0.6)
    holds = [text for text in by_text if text and (text in key or key in text)]
    return [by_text[text] for text in dict.fromkeys([*close, *holds])][:3]


def plain(name: str) -> str:
    """A name with one way to write it: DeepSeek R1 and deepseek_r1 are deepseek-r1."""
    return re.sub(r"[\s_-]+", "-", name.strip()).lower()
