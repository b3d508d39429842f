"""What a name in a table may have been meant for. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from harness.reports.baselines.filters import near_names

_SEVERAL = 12  # names that a message lists in full


def near(name: str, known: Iterable[str]) -> str:
    """Names near to one that is not known, else all, or the first of many: "did you mean X or Y?"."""
    names = list(dict.fromkeys(known))
    close = near_names(name, names, 3)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return "there is none"
    return f"there are {', '.join(names[:_SEVERAL])}" + ", .." * (len(names) > _SEVERAL)
