"""Text of models, servers and files as a page shows it: what would move or hide other text, by its name.

The script of the page does the same with the texts of samples (static/text.js).
"""

from __future__ import annotations

import re
from html import escape

from markupsafe import Markup

_CONTROLS = re.compile(
    r"([\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff])\1*"
)
_NAMES = {
    "\u061c": "ALM", "\u200b": "ZWSP", "\u200e": "LRM", "\u200f": "RLM", "\u202a": "LRE",
    "\u202b": "RLE", "\u202c": "PDF", "\u202d": "LRO", "\u202e": "RLO", "\u2060": "WJ",
    "\u2066": "LRI", "\u2067": "RLI", "\u2068": "FSI", "\u2069": "PDI", "\ufeff": "BOM",
}  # fmt: skip
_LONGEST_WORD = 1000
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")
_MOST_MARKS = 2000


def has_controls(text: str) -> bool:
    """Whether a text holds what would be shown by name."""
    return _CONTROLS.search(text) is not None


def plain(text: object) -> str:
    """A text where no element may stand, such as a title: controls as [RLO]."""
    return _CONTROLS.sub(lambda found: f"[{_name(found[1])}]", str(text).replace("\r\n", "\n"))


def shown(text: object) -> Markup:
    """A text as markup: escaped, controls marked, very long words in pieces.

    Letters that join, as in Arabic, are shaped again to the end of their word at every line of it, so
    that a word of very many would cost their square.
    """
    if isinstance(text, Markup):
        return text
    written = str(text).replace("\r\n", "\n")
    if len(_CONTROLS.findall(written)) > _MOST_MARKS:
        return Markup(_words(plain(written)))  # noqa: S704 - escaped
    parts, end = [], 0
    for found in _CONTROLS.finditer(written):
        times = f" ×{len(found[0])}" * (len(found[0]) > 1)
        parts += [_words(written[end : found.start()]),
                  f'<span class="control">{_name(found[1])}{times}</span>']  # fmt: skip
        end = found.end()
    return Markup("".join([*parts, _words(written[end:])]))  # noqa: S704 - escaped


def _name(character: str) -> str:
    return _NAMES.get(character) or f"U+{ord(character):04X}"


def _words(text: str) -> str:
    """Escaped, a very long word in pieces that are laid out each for itself."""
    parts, end = [], 0
    for found in _LONG_WORD.finditer(text) if len(text) > _LONGEST_WORD else ():
        parts.append(escape(text[end : found.start()]))
        parts += [
            f'<span class="piece">{escape(found[0][at : at + _LONGEST_WORD])}</span>'
            for at in range(0, len(found[0]), _LONGEST_WORD)
        ]
        end = found.end()
    return "".join([*parts, escape(text[end:])])
