"""Text as LaTeX, and a paper's table as a document that compiles with pdflatex."""

from __future__ import annotations

import re

from .page import environment
from .paper_text import Slot

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "'": r"\textquotesingle{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "≤": r"$\leq$",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "↳": r"$\hookrightarrow$",
    "²": r"$^2$",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "\u00a0": "~",
}
_LETTERS = re.compile(r"[ -~À-ÖØ-öø-ÿ]")  # what T1 fonts set as it is
_DASHES = re.compile(r"-(?=-)")


def escape(text: str) -> str:
    """Text that LaTeX sets as it is; a character that its fonts lack becomes its code point."""
    line = " ".join(text.split())
    written = "".join(
        _SPECIAL.get(c) or (c if _LETTERS.match(c) else f"[U+{ord(c):04X}]") for c in line
    )
    return _DASHES.sub("-{}", written) if "--" in line else written


def slot(place: Slot) -> str:
    r"""A place of the grid: its value, bold where it is the best, and small lines below it."""
    value, *below = map(escape, place.lines)
    if place.best:
        value = rf"\textbf{{{value}}}"
    if not below:
        return value
    small = r"\\".join(rf"{{\scriptsize {line}}}" for line in below)
    return rf"\shortstack[r]{{{value}\\{small}}}"


def render(**values: object) -> str:
    """Fill table.tex.jinja; its marks are << >> and <% %>, because LaTeX has the braces."""
    templates = environment().overlay(
        variable_start_string="<<",
        variable_end_string=">>",
        block_start_string="<%",
        block_end_string="%>",
        comment_start_string="<#",
        comment_end_string="#>",
    )
    templates.filters["tex"] = escape
    templates.filters["slot"] = slot
    return templates.get_template("table.tex.jinja").render(**values)
