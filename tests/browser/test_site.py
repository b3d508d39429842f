"""The site of all runs to the eye and to assistive technology, on every kind of its pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.reports.page.site import build_site
from tests.support.browser import Open, violations
from tests.support.sites import BAD, GOOD, add, no_figures

pytestmark = pytest.mark.browser


@pytest.fixture
def site(write_run: Callable[..., Path], tmp_path: Path) -> Path:
    runs = tmp_path / "runs"
    add(runs, write_run, "a-run-with-a-rather-long-name-2026-11-25", GOOD, day=1, task="aime24")
    add(runs, write_run, "dropped", BAD, day=2, task="aime24")
    build_site(runs, tmp_path / "site", draw=no_figures)
    return tmp_path / "site"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 400])
def test_no_page_has_a_serious_fault_or_scrolls_sideways(
    site: Path, opened: Open, width: int, dark: bool
) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) == 4  # the index, a task, two runs
    for path in pages:
        page = opened(path.as_uri(), width=width, dark=dark)
        assert violations(page) == [], path.name
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name
