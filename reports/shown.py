"""Text of models, servers and files as a page shows it: what would move or hide other text, by its name.

The script of the page does the same with the texts of samples (static/text.js).
"""

from __future__ import annotations

import re
from html import escape

from markupsafe import Markup

from harness.controls import CONTROLS, name, plain

_LONGEST_WORD = 1000
_LONG_WORD = re.compile(rf"\S{{{_LONGEST_WORD + 1},}}")
_MOST_MARKS = 2000


def shown(text: object) -> Markup:
    """A text as markup: escaped, controls marked, very long words in pieces.

    Letters that join, as in Arabic, are shaped again to the end of their word at every line of it, so
    that a word of very many would cost their square.
    """
    if isinstance(text, Markup):
        return text
    written = str(text).replace("\r\n", "\n")
    if len(CONTROLS.findall(written)) > _MOST_MARKS:
        return Markup(_words(plain(written)))  # noqa: S704 - escaped
    parts, end = [], 0
    for found in CONTROLS.finditer(written):
        times = f" ×{len(found[0])}" * (len(found[0]) > 1)
        parts += [_words(written[end : found.start()]),
                  f'<span class="control">{name(found[1])}{times}</span>']  # fmt: skip
        end = found.end()
    return Markup("".join([*parts, _words(written[end:])]))  # noqa: S704 - escaped


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
