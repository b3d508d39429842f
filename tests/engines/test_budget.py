"""The reasoning budget over characters as tokens: what counts, what is forced, and when."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from harness.engines.budget import Reasoning, Tags, check_kept, count_reasoning, prompt_reasoning
from harness.errors import EngineDown


def text(tokens: Sequence[int]) -> str:
    return "".join(map(chr, tokens))


def tags(*, opened: bool = True, end: str = "</t>") -> Tags:
    return Tags(end, tuple(map(ord, end)), opened, text)


def drawn(model: str, budget: int | None, *, opened: bool = True) -> tuple[str, int | None]:
    """What a model writes that draws the characters of a text in order, where none is forced."""
    reasoning, own, written = Reasoning(tags(opened=opened), budget), list(model), ""
    while own:
        forced = reasoning.next_forced()
        if forced is None or chr(forced) == own[0]:
            written += own.pop(0)
        else:
            written += chr(forced)
        reasoning.add(ord(written[-1]))
    return written, reasoning.n_tokens


@pytest.mark.parametrize(("model", "budget", "opened", "written", "n"), [
    ("abcdef", 3, True, "abc</t>def", 3),  # cut, and continued
    ("abcdef", 1, True, "a</t>bcdef", 1),
    ("abc</t>def", 3, True, "abc</t>def", 3),  # it ends by itself in time
    ("ab</t>def", 3, True, "ab</t>def", 2),
    ("ab</t>de<t>fgh", 3, True, "ab</t>de<t>fgh", 2),  # a second tag is part of the response
    ("<t>abcdef", 3, False, "<t>abc</t>def", 3),  # the model writes the opening tag
    ("xx<t>abcdef", 3, False, "xx<t>abc</t>def", 3),
    ("abcdef", 3, False, "abcdef", None),  # it does not reason
    ("abc</t>def", 2, False, "abc</t>def", 3),  # not seen to be reasoning until it ends
    ("abc", 9, True, "abc", 3),
    ("a<", 2, True, "a<", 2),
])  # fmt: skip
def test_ends_reasoning_at_the_budget(
    model: str, budget: int, opened: bool, written: str, n: int | None
) -> None:
    assert drawn(model, budget, opened=opened) == (written, n)
    assert count_reasoning(tags(opened=opened), map(ord, written)) == n


def test_reasoning_that_nothing_opened_is_found_when_it_ends() -> None:
    n = drawn("abcd</t>e", 2, opened=False)[1]
    assert n == 4
    with pytest.raises(EngineDown, match=r"budget 2: m ended 4 tokens .*--thinking yes"):
        check_kept("m", "</t>", 2, n)
    for budget, kept in ((4, n), (None, n), (2, None)):
        check_kept("m", "</t>", budget, kept)


def test_completes_a_tag_that_the_model_has_begun() -> None:
    assert drawn("ab</Xc", 4) == ("ab</t>Xc", 2)


def test_counts_without_a_budget() -> None:
    assert drawn("abc</t>d", None) == ("abc</t>d", 3)


def test_sees_a_tag_that_shares_its_tokens_with_other_text() -> None:
    words = ["x", "y</", "t", ">\n", "z"]
    found = Tags("</t>", (9,), True, lambda tokens: "".join(words[t] for t in tokens))
    assert count_reasoning(found, range(5)) == 1


def test_forces_a_tag_once_where_the_text_does_not_show_it() -> None:
    odd = Reasoning(Tags("</t>", (7, 8), True, lambda tokens: "?" * len(tokens)), 1)
    odd.add(1)
    forced = []
    for _ in range(4):
        forced.append(odd.next_forced())
        odd.add(forced[-1] or 1)
    assert forced == [7, 8, None, None]


@pytest.mark.parametrize(("prompt", "found"), [
    ("ask<t>\n", "\n"),
    ("ask<t>", ""),
    ("ask<t>x</t>\n", None),
    ("ask", None),
    ("<t>x</t>ask<t>\n", "\n"),
])  # fmt: skip
def test_what_a_prompt_holds_of_the_reasoning(prompt: str, found: str | None) -> None:
    assert prompt_reasoning(prompt, "</t>") == found
