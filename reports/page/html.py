"""The page: one HTML file with its style, its script and what it shows, under a strict policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import harness
from harness.reports.documents import csp_hash, environment
from harness.types import Verdict

from .build import Report
from .chunks import PAGE_BYTES, Chunks
from .sample_index import Browser, for_script, gather

_STATIC = Path(__file__).parent / "static"
SCRIPTS = ("text.js", "samples.js", "detail.js", "list.js", "browser.js")
"""Parts of one script, in this order."""

TEMML = "temml.min.js"
"""The renderer of mathematics in samples; fetched when the package is built, never needed."""


_CHUNK = b'<script type="application/octet-stream" id="chunk-%d">%b</script>\n'
_CHUNKS = b"<!-- texts of samples -->\n"


def render_html(report: Report) -> str:
    """One page that opens without a network; its policy lets nothing run but its own scripts."""
    return b"".join(page_parts(report, Chunks())).decode()


def page_parts(report: Report, chunks: Chunks) -> Iterator[bytes]:
    """The page piece by piece, so that no more than one of its parts is in memory.

    Args:
        report: what to show.
        chunks: where the texts of samples go.
    """
    browser = gather(report.results, chunks, show_masked=report.show_masked)
    head, tail = _around_chunks(report, browser, chunks)
    if len(head) + len(tail) + chunks.size > PAGE_BYTES and not chunks.beside:
        chunks.move_beside()
        head, tail = _around_chunks(report, browser, chunks)
    yield head
    for number, payload in enumerate(chunks.embedded):
        yield _CHUNK % (number, payload)
    yield tail


def _around_chunks(report: Report, browser: Browser, chunks: Chunks) -> tuple[bytes, bytes]:
    """What stands before the texts of samples in a page, and what behind them."""
    page = _html(report, browser, chunks).encode("utf-8", "replace")
    head, _, tail = page.rpartition(_CHUNKS)
    return head, tail


def _html(report: Report, browser: Browser, chunks: Chunks) -> str:
    templates = environment()
    style = templates.get_template("style.css.jinja").render()
    parts = "".join((_STATIC / name).read_text(encoding="utf-8") for name in SCRIPTS)
    script = f'"use strict";\n(() => {{\n{parts}}})();\n'
    mathematics = _STATIC / TEMML
    renderer = mathematics.read_text(encoding="utf-8") if mathematics.exists() else ""
    return templates.get_template("report.html.jinja").render(
        report=report,
        browser=browser,
        chunks=chunks,
        files=for_script(
            {"names": chunks.names, "folder": quote(chunks.folder.name)}
            if chunks.beside and chunks.folder
            else None
        ),
        style=style,
        script=script,
        renderer=renderer,
        style_hash=csp_hash(style),
        script_hashes=" ".join(f"'{csp_hash(text)}'" for text in (renderer, script) if text),
        version=harness.__version__,
        verdicts=tuple(Verdict),
    )
