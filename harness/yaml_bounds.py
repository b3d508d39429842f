"""Bounds of a YAML text, checked before anything is built from it. Pure.

A file of a few lines may stand for billions of values through aliases, and nesting of a few thousand levels
ends a recursive reader. Settings and baselines are small: nobody meets these bounds by honest work.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

MAX_CHARACTERS = 4_000_000
MAX_DEPTH = 50
MAX_VALUES = 200_000
"""Keys and values together, each alias counted with all that it stands for."""

PARSER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's is ten times as quick, and not in every build of PyYAML."""


class TooMuch(ValueError):
    """A text beyond the bounds; the message says which one, after the line."""


@dataclass(slots=True)
class _Open:
    """A collection that is being read: its anchor, and the values in it so far."""

    anchor: str | None
    values: int = 1


@dataclass(slots=True)
class _Count:
    """Values so far, by the collection that they stand in."""

    stack: list[_Open] = field(default_factory=lambda: [_Open(None, 0)])
    anchors: dict[str, int] = field(default_factory=dict)

    def see(self, event: yaml.Event) -> None:
        """Count one event of the parser."""
        anchor = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            if any(found.anchor == anchor for found in self.stack):
                raise TooMuch(f"{_place(event)}: this value: holds itself by its anchor")
            self.add(self.anchors.get(anchor or "", 1), event)
        elif isinstance(event, yaml.ScalarEvent):
            if anchor:
                self.anchors[anchor] = 1
            self.add(1, event)
        elif isinstance(event, yaml.CollectionStartEvent):
            if len(self.stack) > MAX_DEPTH:
                raise TooMuch(f"{_place(event)}: nested more than {MAX_DEPTH} levels deep")
            self.stack.append(_Open(anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            done = self.stack.pop()
            if done.anchor:
                self.anchors[done.anchor] = done.values
            self.add(done.values, event)

    def add(self, values: int, event: yaml.Event) -> None:
        """Add values to the collection that is being read."""
        self.stack[-1].values += values
        if self.stack[-1].values > MAX_VALUES:
            raise TooMuch(
                f"{_place(event)}: more than {MAX_VALUES:,} values, what aliases stand for included"
            )


def check_bounds(text: str) -> None:
    """Check how much a YAML text stands for.

    Raises:
        TooMuch: it is too long, too deep, holds itself, or stands for too many values.
        yaml.YAMLError: it is no YAML.
    """
    if len(text) > MAX_CHARACTERS:
        raise TooMuch(f"{len(text):,} characters, where {MAX_CHARACTERS:,} are read at most")
    count = _Count()
    for event in yaml.parse(text, Loader=PARSER):
        count.see(event)


def _place(event: yaml.Event) -> str:
    mark = event.start_mark
    return "some line" if mark is None else f"line {mark.line + 1}"
