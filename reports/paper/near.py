"""What a name may have been meant for. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_SEVERAL = 12  # names that a message lists in full


def near(name: str, known: Iterable[str]) -> str:
    """Names near to one that is not known, else all, or the first of many: "did you mean X or Y?"."""
    names = {found.lower(): found for found in known}
    close = difflib.get_close_matches(name.lower(), names, 3, 0.5)
    if close:
        return f"did you mean {' or '.join(names[found] for found in close)}?"
    if not names:
        return "there is none"
    listed = [*names.values()]
    return f"there are {', '.join(listed[:_SEVERAL])}" + ", .." * (len(listed) > _SEVERAL)
