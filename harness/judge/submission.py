"""Takes the submission from a response, by one of two rules. Pure.

language       the last fenced block of an accepted language: a bash command, sample output or a
               note after the program are passed over
livecodebench  the text between the last two lines that hold three backticks, whatever it is: the
               rule of LiveCodeBench (lcb_runner/utils/extraction_utils.py), for its scores
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal["language", "livecodebench"]

_CONTAINER = r"[ \t]*(?:(?:>|[-*+](?=[ \t])|[0-9]{1,3}[.)](?=[ \t]))[ \t]*){0,8}"
_FENCE = re.compile(
    rf"^(?P<container>{_CONTAINER})(?P<fence>`{{3,}}|~{{3,}})[ \t]*(?P<info>[^\n`]*)$"
)
_TAG = re.compile(r"[{.]*(?P<tag>[\w+#-]+(?:\.[\w]+)*(?: [0-9][0-9a-z.]*)?)?")
_PYTHON = re.compile(r"(?:python|pypy|py)[-_ ]?(?:[23](?:[._-]?[0-9]+)*)?")
_CPP_TAG = re.compile(
    r"(?:c\+\+|cpp|cxx|cc|gnu\+\+|gnucpp|g\+\+|gcc|c)[-_ ]?(?P<year>[0-9][0-9a-z])?"
)
_CPP = re.compile(r"^\s*#\s*include\b|\bint\s+main\s*\(", re.MULTILINE)
_WRITES = re.compile(r"\b(?:print|write|writelines)\b")
_MOST_INDENT = 200  # characters; more is no layout, and textwrap would compile a pattern as long
_NEUTRAL = ("", "code", "solution", "program", "plaintext", "plain")
_MARKDOWN = ("markdown", "md")
_NEW_CPP = ("20", "2a", "23", "2b", "26", "2c")
_QUOTED = 40  # characters at the start of a line in which the marks of a quote stand
_MAX_PARSED = 1 << 18  # characters of an untagged block that are parsed to tell what it is


@dataclass(frozen=True, slots=True)
class Submission:
    """A program to be judged.

    `prelude` puts LiveCodeBench's import header before a Python program; `defines` are macros of
    the judge that it was written for, defined where it is C++.
    """

    source: str
    language: str = "python"
    prelude: bool = False
    defines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its tag in lower case, the text, and whether its last fence is there."""

    tag: str
    text: str
    closed: bool = True


def blocks(response: str) -> list[Block]:
    """The fenced blocks of a text, in order; only the last may be open. Cost is linear in its length.

    Fences are three or more backticks or tildes, and may stand in lists and quotes. What is
    indented as a whole is moved to the margin.
    """
    found: list[Block] = []
    opened: _Opened | None = None
    for line in response.split("\n"):
        mark = _FENCE.match(line.rstrip("\r"))
        if opened is None:
            opened = _Opened(mark) if mark else None
        elif mark and opened.is_closed_by(mark):
            found.append(opened.block())
            opened = None
        elif not mark and opened.is_closed_at_the_end_of(line):
            opened.add(line.rstrip().rstrip("`"))
            found.append(opened.block())
            opened = None
        else:
            opened.add(line)
    if opened is not None:
        found.append(opened.block(closed=False))
    return found


class _Opened:
    """A block whose last fence has not come yet."""

    def __init__(self, mark: re.Match[str]) -> None:
        container, self.fence = mark["container"], mark["fence"]
        info = _TAG.match(mark["info"].strip().lower())
        self.tag = (info["tag"] or "") if info else ""
        depth = container.count(">")
        self.indent = 0 if depth else len(container)
        self.quote = re.compile(rf"[ \t]*(?:>[ \t]?){{0,{depth}}}") if depth else None
        self.lines: list[str] = []

    def add(self, line: str) -> None:
        quote = self.quote.match(line) if self.quote and ">" in line[:_QUOTED] else None
        self.lines.append(line[quote.end() :] if quote else line)

    def is_closed_by(self, mark: re.Match[str]) -> bool:
        same = mark["fence"][0] == self.fence[0] and len(mark["fence"]) >= len(self.fence)
        return same and not mark["info"].strip() and not mark["container"].strip(" \t>")

    def is_closed_at_the_end_of(self, line: str) -> bool:
        text = line.rstrip()
        return self.fence[0] == "`" and len(text) - len(text.rstrip("`")) >= len(self.fence)

    def block(self, *, closed: bool = True) -> Block:
        """The block, moved to the margin where it is indented as a whole or with its fence."""
        text = "\n".join(self.lines)
        if _is_indented(self.lines):
            text = textwrap.dedent(text)
        if self.indent and _is_indented(text.split("\n")):
            text = re.sub(rf"(?m)^[ \t]{{1,{self.indent}}}", "", text)
        return Block(self.tag, text, closed)


def _is_indented(lines: Sequence[str]) -> bool:
    first = next((line for line in lines if line.strip()), "")
    return 0 < len(first) - len(first.lstrip(" \t")) <= _MOST_INDENT


def extract(
    response: str | None, languages: Sequence[str] = ("python",), rule: Rule = "language"
) -> Submission | None:
    """The submission of a response by a rule; None where there is none."""
    if rule == "livecodebench":
        return between_the_last_fences(response or "", languages[0])
    return last_of_a_language(response or "", languages)


def between_the_last_fences(response: str, language: str) -> Submission | None:
    """The text between the last two lines that hold three backticks, as LiveCodeBench takes it."""
    lines = response.split("\n")
    fences = [number for number, line in enumerate(lines) if "```" in line]
    if len(fences) < 2:
        return None
    text = "\n".join(lines[fences[-2] + 1 : fences[-1]])
    return Submission(text, language) if text.strip() else None


def last_of_a_language(response: str, languages: Sequence[str]) -> Submission | None:
    """The last fenced block that is a program in one of the languages.

    The tag of the fence tells the language; without one the text does, which is Python if it
    parses and prints something, C++ if it has `#include` or `int main(`. A block whose last fence
    is missing counts where no other does and it is whole. Where no block is a program in the
    languages, the last complete one is taken, for what it is worth.
    """
    found = blocks(response)
    complete = [block for block in found if block.closed]
    for block in reversed(complete):
        if language := _accepted(block, languages):
            return Submission(block.text, language)
    for block in reversed(complete):
        if block.tag in _MARKDOWN and (inner := last_of_a_language(block.text, languages)):
            return inner
    if found and not found[-1].closed and _is_whole(found[-1]):
        language = _accepted(found[-1], languages)
        if language:
            return Submission(found[-1].text, language)
    if not complete:
        return None
    return Submission(complete[-1].text, _nearest(_guessed(complete[-1]), languages))


def _accepted(block: Block, languages: Sequence[str]) -> str | None:
    """The accepted language that a block is in."""
    meant = _tagged(block.tag)
    if meant is None and block.tag in _NEUTRAL:
        meant = _recognized(block.text)
    if meant is None:
        return None
    return next((name for name in _by_nearness(meant, languages) if name[:3] == meant[:3]), None)


def _by_nearness(meant: str, languages: Sequence[str]) -> list[str]:
    return sorted(languages, key=lambda name: name != meant)


def _nearest(meant: str, languages: Sequence[str]) -> str:
    same = [name for name in _by_nearness(meant, languages) if name[:3] == meant[:3]]
    return same[0] if same else languages[0]


def _tagged(tag: str) -> str | None:
    """The language of a tag: python3, py, C++17, cpp ..."""
    if _PYTHON.fullmatch(tag):
        return "python"
    if mark := _CPP_TAG.fullmatch(tag):
        return "cpp20" if mark["year"] in _NEW_CPP else "cpp"
    return None


def _guessed(block: Block) -> str:
    return _tagged(block.tag) or ("cpp" if _CPP.search(block.text) else "python")


def _recognized(text: str) -> str | None:
    """The language of a text without a tag: a cheap test that refuses output and notes."""
    if _CPP.search(text):
        return "cpp"
    return "python" if _WRITES.search(text) and _parses(text) else None


def _parses(text: str) -> bool:
    if len(text) > _MAX_PARSED:
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_whole(block: Block) -> bool:
    """Whether a block without its last fence seems to lack nothing else."""
    if _guessed(block) == "python":
        return _parses(block.text)
    return "main" in block.text and block.text.count("{") == block.text.count("}")
