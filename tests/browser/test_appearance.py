"""The page to the eye and to assistive technology: no serious fault, no sideways scrolling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.types import Verdict
from tests.support.browser import (
    TASK,
    MakePage,
    Open,
    change_samples,
    practice,
    sample,
    shown,
    violations,
)

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser

C, W, T, E = Verdict.CORRECT, Verdict.WRONG_ANSWER, Verdict.TRUNCATED, Verdict.ERROR
WIDE = "averyveryverylongwordthatdoesnotbreak" * 12


@pytest.fixture
def address(write_run: Callable[..., Path], make_page: MakePage) -> str:
    problems = practice(TASK, 3)
    runs = [
        write_run([[C, W, T, E]] * 3, name=name, task=TASK, problems=problems)
        for name in ("early", "a-run-with-a-rather-long-name-2026-11-25")
    ]
    text = f"{WIDE}\n```python\nx = '{WIDE}'  # note\n```\n$${'+'.join(['x^2'] * 90)}$$"
    change_samples(runs[0], TASK, {(problems[0].id, 0): {"response": text, "reasoning": text}})
    return make_page(*runs)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
@pytest.mark.parametrize("place", ["", "#b", "sample"])
def test_no_serious_fault_and_no_sideways_scrolling(
    address: str, opened: Open, place: str, width: int, dark: bool
) -> None:
    hash = sample("early", practice(TASK, 3)[0], 0) if place == "sample" else place
    page = opened(address + hash, width=width, dark=dark)
    if place == "sample":
        shown(page)
        page.keyboard.press("t")
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    if place == "sample":
        wide = "(e => e.scrollWidth - e.clientWidth)(document.getElementById('detail'))"
        assert page.evaluate(wide) <= 0


def test_the_keys_are_explained_without_fault(address: str, opened: Open) -> None:
    page = opened(f"{address}#b")
    page.get_by_role("button", name="Keyboard").click()
    assert violations(page) == []


def test_on_a_narrow_screen_list_and_sample_take_turns(address: str, opened: Open) -> None:
    page = opened(f"{address}#b", width=400)
    assert page.locator("#detail").is_hidden()
    page.locator("#samples a").first.click()
    shown(page)
    assert page.locator("#list").is_hidden()
    page.get_by_role("link", name="All samples").click()
    assert page.locator("#list").is_visible()
    page.get_by_role("button", name="Filter").click()
    page.select_option("#f-verdict", "truncated")
    assert page.locator("#count").inner_text().startswith("6 samples")


def test_light_and_dark_follow_the_system_until_chosen(address: str, opened: Open) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    page = opened(address)
    light = page.evaluate(paper)
    page.get_by_role("button", name="Dark").click()
    dark = page.evaluate(paper)
    assert dark != light
    page.reload()
    assert page.evaluate(paper) == dark
    page.get_by_role("button", name="Light").click()
    assert page.evaluate(paper) == light
    assert opened(address, dark=True).evaluate(paper) == dark
