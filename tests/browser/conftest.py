"""Pages in the Chromium of the system, through Playwright; whatever a page complains of fails."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.reports.page.output import build, write_report
from harness.reports.results import read_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

MakePage = Callable[..., str]
Open = Callable[..., "Page"]


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
        page.set_default_timeout(10_000)
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


@contextmanager
def rewritten(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The rows of a JSON-lines file, written back as they were changed."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    yield rows
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def change_samples(
    run: Path, task: str, changes: Mapping[tuple[str, int], Mapping[str, Any]]
) -> None:
    """Put texts into the samples of a run."""
    with rewritten(run / task / "samples.jsonl") as rows:
        for row in rows:
            row.update(changes.get((row["problem_id"], row["index"]), {}))


def texts(page: Page, selector: str) -> Sequence[str]:
    """What the matching elements show, in order."""
    found: list[str] = page.locator(selector).all_inner_texts()
    return [text.strip() for text in found]
