"""Pages in the Chromium of the system, through Playwright; whatever a page complains of fails."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.reports.page.build import build
from harness.reports.page.output import write_report
from harness.reports.results import read_results
from tests.support.browser import MakePage, Open

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; skips them where there is none, and says so."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the PATH: make test-browser installs it")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Open]:
    """Open an address; afterwards no page may have complained, asked for a host or shown a dialog."""
    complaints: list[str] = []
    contexts = []

    def open_page(
        address: str, *, width: int = 1400, dark: bool = False, complains: bool = False
    ) -> Page:
        context = chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        contexts.append(context)
        page = context.new_page()
        if not complains:
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.on(
            "request",
            lambda request: (
                request.url.startswith(("file:", "blob:"))
                or complaints.append(f"request: {request.url}")
            ),
        )
        page.set_default_timeout(60_000)
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def make_page(tmp_path: Path) -> MakePage:
    """Write the page of runs; its address."""

    def make(*runs: Path, show_masked: bool = False) -> str:
        page = tmp_path / "pages" / "report.html"
        write_report(build(read_results(runs), (), show_masked=show_masked), page)
        return page.as_uri()

    return make
