"""Text as LaTeX, and a paper's table as a document that compiles with pdflatex."""

from __future__ import annotations

import re

from harness.reports.documents import environment

from .text import GridRow

_SPECIAL = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "[": "{[}",  # or it would be an argument of the \\ before it, as the star would
    "*": "{*}",
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "`": r"\textasciigrave{}",
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "≤": r"$\leq$",
    "†": r"\textdagger{}",
    "‡": r"\textdaggerdbl{}",
    "§": r"\S{}",
    "↳": r"$\hookrightarrow$",
    "²": r"$^2$",
    "’": "'",
    "“": "``",
    "”": "''",
    "…": r"\dots{}",
    "\u00a0": "~",
    "\u200b": "{}",
}
_LETTERS = re.compile(r"[ -~À-ÖØ-öø-ÿ]")  # what T1 fonts set as it is
_LIGATURES = re.compile(r"([-,'])(?=\1)")


def escape(text: str) -> str:
    """Text that LaTeX sets as it is; a character that its fonts lack becomes its code point."""
    line = " ".join(text.split())
    known = _LIGATURES.sub("\\1\u200b", line)
    return "".join(
        _SPECIAL.get(c) or (c if _LETTERS.match(c) else f"{{[}}U+{ord(c):04X}]") for c in known
    )


def lines_of(row: GridRow) -> list[str]:
    """A row of the grid as rows of a tabular: names and values, then small ones below them."""
    height = max(len(place.lines) for place in row.slots)
    rows = []
    for number in range(height):
        labels = [escape(label) if number == 0 else "" for label in row.labels]
        texts = [escape(p.lines[number]) if number < len(p.lines) else "" for p in row.slots]
        if number == 0:
            texts = [
                _bold(text) if p.best else text for p, text in zip(row.slots, texts, strict=True)
            ]
        else:
            texts = [rf"\scriptsize {text}" if text else "" for text in texts]
        rows.append(" & ".join([*labels, *texts]))
    return rows


def _bold(text: str) -> str:
    return rf"\textbf{{{text}}}"


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
    templates.filters["lines"] = lines_of
    return templates.get_template("table.tex.jinja").render(**values)
