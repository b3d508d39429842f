"""The numbers of a site as text: scores, changes and their intervals. Pure."""

from __future__ import annotations

from typing import Literal

from harness.reports.changes import Difference
from harness.reports.format import ends_text, value_text
from harness.reports.history import Entry


def change_text(change: Difference, entry: Entry) -> str:
    """A difference in the unit of the score: +2.1."""
    return _signed(entry.facts.metric or "", change.value)


def change_ends(change: Difference, entry: Entry) -> str:
    """The ends of its interval: −0.2 to +4.4; empty where there is none."""
    return " to ".join(_signed(entry.facts.metric or "", end) for end in change.interval or ())


def change_line(change: Difference, entry: Entry) -> str:
    """A difference and its interval: +2.1 (−0.2 to +4.4)."""
    ends = change_ends(change, entry)
    return change_text(change, entry) + (f" ({ends})" if ends else "")


def score_of(entry: Entry) -> str:
    """The score; a dash where there is none."""
    facts = entry.facts
    return "–" if facts.metric is None else value_text(facts.metric, facts.value)


def interval_of(entry: Entry, kind: Literal["sampling", "problems"] = "sampling") -> str:
    """The ends of an interval of the score; empty where there is none."""
    facts = entry.facts
    ends = facts.interval_sampling if kind == "sampling" else facts.interval_problems
    return "" if ends is None or facts.metric is None else ends_text(facts.metric, ends)


def _signed(metric: str, value: float) -> str:
    text = value_text(metric, value)
    if not any(digit in text for digit in "123456789"):
        return text.lstrip("-")
    return f"+{text}" if value > 0 else text.replace("-", "\u2212")
