"""A cursor over the tokens of a text."""

from __future__ import annotations

from harness.graders.latex.syntax import Unreadable
from harness.graders.latex.text.tokens import Token

MAX_DEPTH = 40

_END = Token("end", "", False)


class Cursor:
    """A place in a text, as tokens, and what is open around it.

    Args:
        tokens: of the whole text.
        split_groups: read "1,234" as two numbers, not as one.
    """

    def __init__(self, tokens: list[Token], *, split_groups: bool = False) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.separators = 0
        self.bars: list[str] = []  # closing signs of the fences around the cursor
        self.brackets = 1 if split_groups else 0  # above 0, "1,234" is two numbers

    @property
    def token(self) -> Token:
        """The token under the cursor."""
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    @property
    def sign(self) -> str:
        """Text of the token under the cursor where it is an operator or a command."""
        if self.at >= len(self.tokens):
            return ""
        kind, text, _ = self.tokens[self.at]
        return text if kind in ("op", "cmd") else ""

    def ahead(self, count: int) -> Token:
        """The token so many places ahead, or the end."""
        at = self.at + count
        return self.tokens[at] if at < len(self.tokens) else _END

    def next(self) -> Token:
        """The token under the cursor; the cursor moves on."""
        token = self.token
        self.at += 1
        return token

    def accept(self, sign: str) -> bool:
        """Whether `sign` stands under the cursor; if so, the cursor moves on."""
        if self.sign != sign:
            return False
        self.at += 1
        return True

    def expect(self, sign: str) -> None:
        """Move over `sign`, which must stand here.

        Raises:
            Unreadable: it does not.
        """
        if not self.accept(sign):
            raise Unreadable(f"{sign} missing")

    def deeper(self) -> None:
        """Count one level of nesting.

        Raises:
            Unreadable: more than `MAX_DEPTH` of them.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")

    def skip_group(self) -> None:
        """Move over a balanced pair of braces.

        Raises:
            Unreadable: a brace that is never closed.
        """
        depth = 0
        while True:
            sign = self.next()
            if sign.kind == "end":
                raise Unreadable("a brace that never closes")
            depth += (sign.text == "{") - (sign.text == "}")
            if depth == 0:
                return
