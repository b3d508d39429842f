"""What a user should know of a run and nothing fails for: said when it happens, and kept."""

from __future__ import annotations

import sys


class Notices:
    """Notices of one process start; each is said once on stderr and written to the manifest."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> None:
        """Say it, unless it was said before."""
        if text not in self.texts:
            self.texts.append(text)
            sys.stderr.write(text + "\n")
