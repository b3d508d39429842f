"""Characters that would move, hide or reorder other text, shown by name instead of sent. Pure.

Texts of models, servers, files and their names come from anywhere: an escape sequence among them rewrites
a terminal, a mark of direction turns what follows around.
"""

from __future__ import annotations

import re

CONTROLS = re.compile(
    "([\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff\ud800-\udfff])"
    r"\1*"
)
"""A run of one of them; a line break and a tab are none."""

_NAMES = {
    "\u061c": "ALM", "\u200b": "ZWSP", "\u200e": "LRM", "\u200f": "RLM",
    "\u202a": "LRE", "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO",
    "\u2060": "WJ", "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI",
    "\ufeff": "BOM",
}  # fmt: skip


def has_controls(text: str) -> bool:
    """Whether a text holds what would be shown by name."""
    return CONTROLS.search(text) is not None


def plain(text: object) -> str:
    """A text with controls as [RLO], and those without a name as [U+0007]; a run of one counts once."""
    return CONTROLS.sub(lambda found: f"[{name(found[1])}]", str(text).replace("\r\n", "\n"))


def name(character: str) -> str:
    """What a control is called."""
    return _NAMES.get(character) or f"U+{ord(character):04X}"
