"""Takes the submission from a response: its last fenced code block. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}|~{3,})[ \t]*(?P<tag>[\w+#.-]*)(?P<rest>[^\n`]*)$")
_CLOSED_INLINE = re.compile(r"(?P<last>.*?)(?P<fence>`{3,})[ \t]*$")
_TAGS = {
    "python": "python", "py": "python", "python2": "python", "python3": "python",
    "pypy": "python", "pypy3": "python", "cpp": "cpp", "c++": "cpp", "cc": "cpp", "cxx": "cpp",
    "c++17": "cpp", "cpp17": "cpp", "c++20": "cpp20", "cpp20": "cpp20", "c": "cpp",
}  # fmt: skip
_CPP = re.compile(r"^\s*#\s*include\b|\bint\s+main\s*\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Submission:
    """A program to be judged.

    `prelude` puts LiveCodeBench's import header before a Python program.
    """

    source: str
    language: str = "python"
    prelude: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A complete fenced block: its tag in lower case, and the text between the fences."""

    tag: str
    text: str


def blocks(response: str) -> list[Block]:
    """The complete fenced blocks of a text, in order. Cost is linear in its length."""
    found: list[Block] = []
    fence, tag, lines = "", "", list[str]()
    for line in response.split("\n"):
        mark = _FENCE.match(line.rstrip("\r"))
        if not fence:
            if mark:
                fence, tag, lines = mark["fence"], mark["tag"].lower(), []
        elif mark and _closes(mark["fence"], fence) and not mark["tag"]:
            found.append(Block(tag, "\n".join(lines)))
            fence = ""
        elif fence[0] == "`" and (inline := _CLOSED_INLINE.match(line)) and not mark:
            found.append(Block(tag, "\n".join([*lines, inline["last"]])))
            fence = ""
        else:
            lines.append(line)
    return found


def _closes(mark: str, fence: str) -> bool:
    return mark[0] == fence[0] and len(mark) >= len(fence)


def extract(response: str | None, languages: Sequence[str] = ("python",)) -> Submission | None:
    """The last complete fenced block of a response; None where there is none.

    Where several languages are accepted the fence's tag decides, and without a known tag the code
    itself: `#include` or `int main(` means C++.
    """
    found = blocks(response or "")
    if not found:
        return None
    block = found[-1]
    return Submission(block.text, _language(block, languages))


def _language(block: Block, languages: Sequence[str]) -> str:
    if len(languages) == 1:
        return languages[0]
    meant = _TAGS.get(block.tag) or ("cpp" if _CPP.search(block.text) else "python")
    if meant in languages:
        return meant
    same_family = [name for name in languages if name[:3] == meant[:3]]
    return same_family[0] if same_family else languages[0]
