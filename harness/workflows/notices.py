"""Notices: what a user should know about a run although nothing failed."""

from __future__ import annotations

import sys


class Notices:
    """Notices of one process start; each is printed once on stderr and kept for the manifest."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> None:
        """Print a notice, unless it was printed before."""
        if text not in self.texts:
            self.texts.append(text)
            sys.stderr.write(text + "\n")
