r"""A statement or an answer as safe markup: formulas as MathML, code in colour, the rest as text.

Formulas stand in $..$, $$..$$, \(..\) and \[..\]; code between fences, or in [asy]..[/asy]. The
script of the page splits the texts of samples by the same rules (static/text.js).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.reports.shown import shown

from .mathml import mathml

_SPLIT = re.compile(
    r"^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[ \t]*(?P<tag>[\w+#.-]*)[^\n`]*\n(?P<code>.*?)"
    r"(?:^[ ]{0,3}(?P=fence)[`~]*[ \t]*$|\Z)"
    r"|\[asy\](?P<asy>(?:(?!\[asy\]).)*?)\[/asy\]"
    r"|\$\$(?P<dollars>.{1,4000}?)\$\$|\\\[(?P<bracket>.{1,4000}?)\\\]"
    r"|\\\((?P<paren>.{1,1000}?)\\\)"
    r"|(?<!\\)\$(?P<inline>(?!\s)(?:\\.|[^$\\]){1,1000}?(?<!\s))\$(?!\d)",
    re.MULTILINE | re.DOTALL,
)
_LATEX = re.compile(r"\\[a-zA-Z]|[\^_{}]")
_COLOURS = {
    "Token.Keyword": "k", "Token.Operator.Word": "k", "Token.Literal.String": "s",
    "Token.Literal.Number": "n", "Token.Comment": "c", "Token.Name.Function": "f",
    "Token.Name.Class": "f",
}  # fmt: skip


def text_markup(text: str) -> str:
    """A whole statement."""
    return "".join(_pieces(text.strip("\n")))


def answer_markup(text: str) -> str:
    """An answer: LaTeX without delimiters where it looks like it, else a statement's text."""
    if "$" not in text and _LATEX.search(text):
        formula = mathml(text)
        if formula is not None:
            return formula
    return text_markup(text)


def _pieces(text: str) -> Iterator[str]:
    end, block = 0, False
    for found in _SPLIT.finditer(text):
        before, special = text[end : found.start()], _special(found)
        opens = special.startswith(("<pre>", '<math display="block">'))
        yield _plain(_beside_blocks(before, after=block, before=opens))
        yield special
        end, block = found.end(), opens
    yield _plain(_beside_blocks(text[end:], after=block, before=False))


def _beside_blocks(text: str, *, after: bool, before: bool) -> str:
    """Text without the line breaks beside a block, whose margins stand for them."""
    text = text.lstrip() if after else text
    return text.rstrip() if before else text


def _plain(text: str) -> str:
    return shown(text.replace("\\$", "$"))


def _special(found: re.Match[str]) -> str:
    if found["code"] is not None or found["asy"] is not None:
        code = found["asy"] if found["code"] is None else found["code"]
        return f"<pre><code>{_coloured(code.strip(chr(10)), found['tag'] or '')}</code></pre>"
    display = found["dollars"] if found["dollars"] is not None else found["bracket"]
    inline = found["paren"] if found["paren"] is not None else found["inline"]
    latex = inline if display is None else display
    if "\n\n" in latex:
        return _plain(found[0])
    return mathml(latex, display=display is not None) or shown(found[0])


def _coloured(code: str, tag: str) -> str:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(tag or "text", stripnl=False, ensurenl=False)
    except ClassNotFound:
        return shown(code)
    return "".join(
        f'<span class="{colour}">{shown(piece)}</span>' if colour else shown(piece)
        for colour, piece in ((_colour(str(kind)), piece) for kind, piece in lexer.get_tokens(code))
    )


def _colour(kind: str) -> str:
    """The short class of a kind of token, by the longest known beginning of its name."""
    return next((colour for name, colour in _COLOURS.items() if kind.startswith(name)), "")
