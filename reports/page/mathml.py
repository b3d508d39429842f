"""LaTeX to MathML at build time, as markup that holds nothing but known elements of MathML.

latex2mathml passes the text of its source on unescaped, links and styles included; so its tree is
written out here, element by element, and what is not on the lists below is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html import escape, unescape
from xml.etree.ElementTree import Element

from harness.controls import has_controls

LONGEST = 4000
"""Characters of a formula that is rendered; a longer one stays as written."""

_ELEMENTS = {
    "math", "mrow", "mi", "mn", "mo", "ms", "mtext", "mspace", "msqrt", "mroot", "mfrac",
    "msub", "msup", "msubsup", "munder", "mover", "munderover", "mmultiscripts",
    "mprescripts", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom",
}  # fmt: skip
_ATTRIBUTES = {
    "display", "displaystyle", "scriptlevel", "mathvariant", "stretchy", "lspace", "rspace",
    "fence", "separator", "form", "symmetric", "movablelimits", "largeop", "accent",
    "accentunder", "linethickness", "columnalign", "rowspacing", "columnspacing", "width",
    "height", "depth", "voffset", "minsize", "maxsize",
}  # fmt: skip
_VALUE = re.compile(r"[-+\w.% ]{1,80}")
_BAR = "\u2015"
_NOT_OURS = re.compile(r"\\(?:href|url|class|style|includegraphics|html\w*)(?![a-zA-Z])")


@lru_cache(maxsize=4096)
def mathml(latex: str, *, display: bool = False) -> str | None:
    """A `<math>` element, or None for what cannot be read and had better be shown as written."""
    if not latex.strip() or len(latex) > LONGEST or _NOT_OURS.search(latex) or has_controls(latex):
        return None
    from latex2mathml.converter import convert_to_element

    try:
        tree = convert_to_element(latex, display="block" if display else "inline")
        return "".join(_markup(tree))
    except Exception:  # whatever its parser stumbles over: the source is shown instead
        return None


def _markup(node: Element) -> Iterator[str]:
    children = list(node)
    if node.tag == "mover" and unescape(children[1].text or "") == _BAR:
        # Browsers do not stretch that character: the line is drawn by the style sheet.
        yield from ('<mrow class="tml-overline">', *_markup(children[0]), "</mrow>")
        return
    known = node.tag in _ELEMENTS
    if known:
        attributes = "".join(
            f' {name}="{value}"'
            for name, value in node.attrib.items()
            if name in _ATTRIBUTES and _VALUE.fullmatch(value)
        )
        yield f"<{node.tag}{attributes}>"
    # Its text holds character references (&#x0002B;) that it expects to be written unescaped.
    yield escape(unescape(node.text or ""))
    for child in children:
        yield from _markup(child)
    if known:
        yield f"</{node.tag}>"
