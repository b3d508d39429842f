"""What every written report shares: templates, formats, and the hashes of a page's policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from harness.controls import plain
from harness.errors import UsageError

from .shown import shown

_TEMPLATES = Path(__file__).parent / "templates"
_MARKDOWN = re.compile(r"[\\`*\[\]<>|$~#]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")


def environment() -> Environment:
    """The templates: HTML is escaped, the filter `md` is for text in Markdown."""
    templates = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        undefined=StrictUndefined,
        autoescape=select_autoescape(enabled_extensions=("html.jinja",)),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"md": _markdown, "plain": plain, "shown": shown}
    return templates


def markdown_page(template: str, **values: object) -> str:
    """A Markdown document from its template."""
    text = environment().get_template(template).render(**values)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def check_format(path: Path, formats: Iterable[str]) -> None:
    """Refuse a file name whose ending stands for no format, before any work is done.

    Raises:
        UsageError: names the ending, and those that there are.
    """
    if path.suffix.lower() not in formats:
        table_only = " (.tex with --table)" * (path.suffix.lower() == ".tex")
        raise UsageError(
            f"-o {path}: cannot write {path.suffix or 'a file without an ending'}; "
            f"supported: {', '.join(formats)}{table_only}"
        )


def csp_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script that it admits."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _markdown(text: str) -> str:
    """Text that GitHub shows as it is, on one line of a table."""
    return "<br>".join(_MARKDOWN.sub(r"\\\g<0>", line) for line in text.strip().splitlines())
