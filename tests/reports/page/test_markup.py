"""Statements and answers as markup: formulas are MathML, all else is text, nothing else gets in."""

from __future__ import annotations

import json
import re
import timeit
from pathlib import Path

import pytest

from harness.reports.page.markup import answer_markup, text_markup
from harness.reports.page.mathml import mathml
from harness.reports.shown import plain, shown

ALLOWED = re.compile(
    r"</?(?:math|m[a-z]+)(?: [a-z]+=\"[^\"<>&]*\")*>|</?(?:pre|code)>|<span class=\"(?:[ksncf]|control|piece)\">|</span>"
)


def bare(markup: str) -> str:
    """What is left of markup without the elements that may be there: no '<' is left of good one."""
    return ALLOWED.sub("", markup)


@pytest.mark.parametrize(
    "text",
    ["$x^2$", r"\(x^2\)", "so $x^2$, and", "$x^2$-axis", "a $x^2$\nb"],
)
def test_a_formula_is_set(text: str) -> None:
    assert text_markup(text).count("<msup>") == 1


@pytest.mark.parametrize("text", ["$$x$$", r"\[x\]"])
def test_a_displayed_formula_is_a_block(text: str) -> None:
    assert 'display="block"' in text_markup(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("it costs $5 and $6", "it costs $5 and $6"),
        (r"it costs \$5", "it costs $5"),
        ("a lone $ sign", "a lone $ sign"),
        ("an `x` < y & z", "an `x` &lt; y &amp; z"),
        ("$a\n\nb$", "$a\n\nb$"),
    ],
)
def test_what_is_no_formula_stays_as_written(text: str, shown: str) -> None:
    assert text_markup(text) == shown


def test_fenced_code_is_coloured_by_its_language() -> None:
    markup = text_markup("Use\n```python\ndef f(x):\n    return 1  # <b>\n```\nand go")
    assert '<span class="k">def</span>' in markup
    assert '<span class="c"># &lt;b&gt;</span>' in markup
    assert "```" not in markup
    assert bare(markup).count("<") == 0


def test_an_unclosed_fence_is_code_to_the_end() -> None:
    assert text_markup("```nosuch\na $x^2$ <").endswith("a $x^2$ &lt;</code></pre>")


@pytest.mark.parametrize(
    "latex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{</math><img src=x onerror=alert(1)>}",
        r"\text{&lt;script&gt;}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{position:fixed}{x}",
        r"\class{top}{x}",
        r"x<y & z",
        r"\mathop{\text{\"onclick=\"}}",
    ],
)
def test_hostile_latex_cannot_leave_its_element(latex: str) -> None:
    for markup in (text_markup(f"${latex}$"), text_markup(f"$${latex}$$"), answer_markup(latex)):
        assert "<" not in bare(markup)
        assert not re.search(r"<[^>]*(?:href|style|class=\"top|on\w+=)", markup)


def test_controls_are_named_and_never_sent() -> None:
    written = "a\x00\x1b[31m \u202e\u202eb\r\nc $x\u2066$ ```\n\x07\n```"
    markup = text_markup(written)
    assert not set(markup) & set("\x00\x1b\u202e\u2066\x07\r")
    for name in ("U+0000", "U+001B", "RLO ×2", "LRI", "U+0007"):
        assert f'<span class="control">{name}</span>' in markup
    assert plain("run\u202e\x00") == "run[RLO][U+0000]"
    assert not set(shown("\u202e" * 5000 + "\x1b\x00" * 5000)) & set("\u202e\x1b\x00")


def test_a_long_word_is_laid_out_in_pieces() -> None:
    word = "ب" * 2500
    markup = shown(f"so {word} <b>")
    assert bare(markup) == f"so {word} &lt;b&gt;"
    assert max(map(len, re.split(r"<[^>]*>| ", markup))) == 1000
    assert shown("word " * 1000).count("<") == 0


@pytest.mark.parametrize(
    "unit",
    ["a", "ب", "~", "`", "[asy]", "$x", "\x00", "{", "```\n", "~~~ "],
    ids=repr,
)
def test_markup_of_a_long_text_takes_linear_time(unit: str) -> None:
    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        return min(timeit.repeat(lambda: text_markup(text), number=1, repeat=3))

    assert seconds(40_000) < 3 * seconds(20_000) + 0.05


@pytest.mark.parametrize("latex", ["", "  ", r"\frac{1}{", "x" * 5000, "{" * 900])
def test_what_cannot_be_read_is_none_or_set_in_part_but_never_an_exception(latex: str) -> None:
    assert mathml(latex) is None or "<" not in bare(mathml(latex) or "")


def test_a_bar_over_letters_is_drawn_as_wide_as_they_are() -> None:
    assert '<mrow class="tml-overline"><mrow><mi>A</mi>' in text_markup(r"$\overline{AB}$")


def test_blocks_stand_for_the_line_breaks_beside_them() -> None:
    markup = text_markup("Let\n\n$$x$$\n\nand\n```python\nx\n```\nend")
    assert re.fullmatch(r"Let<math.*</math>and<pre>.*</pre>end", markup, re.DOTALL)


def test_answers_need_no_delimiters() -> None:
    assert "<mfrac>" in answer_markup(r"\frac{1}{2}")
    assert answer_markup("42") == "42"
    assert answer_markup("Evelyn") == "Evelyn"
    assert answer_markup("324 J") == "324 J"


def test_every_statement_and_answer_of_math_500_is_safe_and_set(test_data: Path) -> None:
    rows = [json.loads(line) for line in (test_data / "math_500.jsonl").read_text().splitlines()]
    left = 0
    for row in rows:
        markup = text_markup(row["problem"])
        assert "<" not in bare(markup) + bare(answer_markup(row["answer"]))
        left += "$" in re.sub(r"<pre>.*?</pre>", "", markup.replace(r"\$", ""), flags=re.DOTALL)
    # Dollars that are money stay; hardly anything else may.
    assert left <= 15
